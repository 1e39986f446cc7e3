package helper

import (
	"path/filepath"
	"strconv"
	"time"

	"activity-tracker.example/hostd/roster"
)

// The programs of the sources other than X11, beside sessiond.
const (
	waylandProgram = "sessiond-wayland"
	seatProgram    = "seatinput"
)

// command returns how a session's helper is called.
func (s *Supervisor) command(t roster.Tracked) []string {
	switch t.Source {
	case roster.SourceWayland:
		return append(s.program(waylandProgram, "--session", t.Key.ID), s.titles()...)
	case roster.SourceSeat:
		return append(s.program(seatProgram, "--seat", t.Seat, "--vt", strconv.FormatUint(uint64(t.VT), 10)), s.realDevices()...)
	case roster.SourceX11:
	}
	args := append([]string{s.opts.Binary, "--display", t.Display}, s.terms()...)
	if t.NeedsWM {
		args = append(args, "--require-window-manager")
	}
	if t.Quiet() {
		args = append(args, "--no-input")
	}
	return append(args, s.titles()...)
}

// program calls a program that lies beside sessiond.
func (s *Supervisor) program(name string, args ...string) []string {
	path := filepath.Join(filepath.Dir(s.opts.Binary), name)
	return append(append([]string{path}, args...), s.terms()...)
}

// terms are the lengths that every helper counts by.
func (s *Supervisor) terms() []string {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }
	return []string{"--interval", seconds(s.opts.Interval), "--idle-after", seconds(s.opts.IdleAfter)}
}

// realDevices names the virtual devices that count as moved by hands.
func (s *Supervisor) realDevices() []string {
	var args []string
	for _, name := range s.opts.RealInputDevices {
		args = append(args, "--real-device", name)
	}
	return args
}

func (s *Supervisor) titles() []string {
	if s.opts.NoTitles {
		return []string{"--no-titles"}
	}
	return nil
}
