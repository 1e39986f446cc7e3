// Command bench measures what sessiond costs: CPU per 1,000 input events, memory per
// copy and wake-ups while idle, of 20 copies beside 20 of a minimal C listener,
// under real input, in one run. It needs root (the helper hides its memory from
// its own user), Xvfb, Xephyr, xdotool, cc and libxcb's headers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

const (
	// copies is how many of each program run: as many users as a busy host has.
	copies = 20
	// load and idle are how long each half is measured.
	load, idle = 15 * time.Second, 15 * time.Second
	// settleTime lets programs start, or fall idle, before they are measured.
	settleTime = 2 * time.Second
	// limit ends everything.
	limit = 58 * time.Second
)

// Targets that the figures are printed beside.
const (
	targetCPU   = 8.0 // ms per 1,000 events
	targetPss   = 1.6 // MB for each copy
	targetWakes = 0.0 // a second, beyond reports
)

func main() {
	rules := flag.Int("rules", 0, "send each copy so many `rules` for titles")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	err := run(ctx, os.Stdout, *rules)
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, rules int) error {
	dir, err := os.MkdirTemp("", "sessiond-bench")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // in /tmp
	helper, listener := filepath.Join(dir, "sessiond"), filepath.Join(dir, "listener")
	if err := build(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", helper, "./cmd/sessiond"); err != nil {
		return err
	}
	if err := build(ctx, "cc", "-O2", "-o", listener, "bench/listener/listener.c", "-lxcb-xinput", "-lxcb"); err != nil {
		return err
	}
	s := &stage{ctx: ctx, rules: rulesPacket(rules)}
	defer s.end()
	if err := s.displays(); err != nil {
		return err
	}
	helpers, err := s.helpers(helper)
	if err != nil {
		return err
	}
	listeners, err := s.listeners(listener)
	if err != nil {
		return err
	}
	return measure(ctx, out, s, helpers, listeners)
}

// rulesPacket is rules for titles as an administrator writes them, so many as given;
// without any all titles are reported.
func rulesPacket(n int) []byte {
	rules := wire.Rules{ID: 1, Titles: true}
	const lists = 2
	for len(rules.Lists) < lists {
		var list []wire.Rule
		for i := range n / lists {
			pattern := fmt.Sprintf("(?i)^(.*) - (invoice|contract) %d( - Program %d)?$", i, i)
			list = append(list, wire.Rule{Title: pattern, With: "Program " + strconv.Itoa(i)})
		}
		rules.Lists = append(rules.Lists, list)
	}
	return wire.AppendRules(nil, &rules)
}

func build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the package is built: with it xgb's net brings libc and its threads
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building with %s: %w\n%s", args[0], err, b)
	}
	return nil
}

// measure lets input happen, then nothing, and prints what that cost.
func measure(ctx context.Context, out io.Writer, s *stage, helpers, listeners group) error {
	if err := pause(ctx, settleTime); err != nil {
		return err
	}
	before := [...]usage{helpers.usage(), listeners.usage()}
	if err := s.input(load); err != nil {
		return err
	}
	if err := pause(ctx, settleTime/2); err != nil {
		return err
	}
	after := [...]usage{helpers.usage(), listeners.usage()}
	pss := [...]float64{helpers.pss(), listeners.pss()}
	if err := pause(ctx, settleTime+5*time.Second); err != nil { // the report of what was typed last
		return err
	}
	s.drain() // what was reported so far is not of the idle time
	quiet := [...]usage{helpers.usage(), listeners.usage()}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	end := [...]usage{helpers.usage(), listeners.usage()}
	reports := s.drain()
	events, err := listeners.events()
	if err != nil {
		return err
	}
	per := func(i int) float64 {
		return (after[i].cpu - before[i].cpu).Seconds() * 1000 / copies / float64(events) * 1000
	}
	wakes := func(i int) float64 { return float64(end[i].switches-quiet[i].switches) / copies / idle.Seconds() }
	// A report is one wake-up; a minute's end may or may not fall into the idle time.
	beyond := max(wakes(0)-float64(reports)/copies/idle.Seconds(), 0)
	fmt.Fprintf(out, "%d copies of each, %d input events in %v (%.0f/s)\n\n", copies, events, load, float64(events)/load.Seconds())
	fmt.Fprintf(out, "%-34s %10s %10s %8s %10s\n", "", "sessiond", "C/xcb", "ratio", "target")
	row := func(name, unit string, a, b, target float64) {
		fmt.Fprintf(out, "%-34s %10.2f %10.2f %8s %10s\n", name, a, b, ratio(a, b), fmt.Sprintf("<= %.1f %s", target, unit))
	}
	row("CPU per 1,000 events and copy", "ms", per(0), per(1), targetCPU)
	row("Pss per copy", "MB", pss[0], pss[1], targetPss)
	row("wake-ups/s, idle, beyond reports", "", beyond, wakes(1), targetWakes)
	fmt.Fprintf(out, "\nreports sent while idle: %d by %d copies in %v\n", reports, copies, idle)
	return nil
}

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("measuring: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}

// drain reads the reports that have arrived and counts them.
func (s *stage) drain() (reports int) {
	b := make([]byte, 64<<10)
	for _, fd := range s.sockets {
		for {
			n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil || n == 0 {
				break
			}
			reports++
		}
	}
	return reports
}
