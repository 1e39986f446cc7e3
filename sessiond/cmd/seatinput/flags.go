package main

import (
	"strconv"
	"strings"

	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/seat"
)

const usage = `Usage: seatinput --vt N [options]

Counts the input of a seat's devices for the host daemon, while one session is in
front there. It is started by trackerd with a socket as standard input, not by
hand.

Options:
  --vt N              count only while virtual terminal N is in front (required
                      on seat0)
  --seat seat0        the seat whose devices to count
  --real-device NAME  a virtual device that hands work through all the same;
                      may be repeated
` + launch.Usage + `
Exit codes: 0 the daemon closed the socket or SIGTERM came; 1 internal error; 2
wrong use; 3 the virtual terminals cannot be watched.
`

// maxVT is the highest virtual terminal of Linux.
const maxVT = 63

// Bounds of names: what the kernel keeps of a device's and systemd of a seat's,
// and more devices than anybody remaps.
const (
	maxNameBytes = 255
	maxReal      = 32
)

// seatCharacters may follow "seat" in a seat's name.
const seatCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

type flags struct {
	launch.Flags
	seat string
	vt   int
	real []string
}

func parseFlags(args []string) (flags, error) {
	f := flags{seat: seat.Default}
	err := f.Parse(args, map[string]func(string) error{
		"--seat": f.setSeat, "--vt": f.setVT, "--real-device": f.addReal,
	})
	if err == nil && f.seat == seat.Default && f.vt == 0 && !f.Help && !f.Version {
		err = launch.FlagError("--vt is missing, without which input for another terminal would count")
	}
	return f, err
}

func (f *flags) setSeat(v string) error {
	rest, found := strings.CutPrefix(v, "seat")
	if !found || rest == "" || len(v) > maxNameBytes || strings.Trim(rest, seatCharacters) != "" {
		return launch.FlagError("is no seat's name")
	}
	f.seat = v
	return nil
}

func (f *flags) setVT(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > maxVT {
		return launch.FlagError("must be 1 to 63, or 0 on a seat without")
	}
	f.vt = n
	return nil
}

func (f *flags) addReal(v string) error {
	switch {
	case v == "" || len(v) > maxNameBytes:
		return launch.FlagError("must be 1 to 255 bytes")
	case len(f.real) == maxReal:
		return launch.FlagError("is one too many")
	}
	f.real = append(f.real, v)
	return nil
}
