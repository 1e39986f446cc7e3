package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

// stage is everything that a run has started.
type stage struct {
	ctx          context.Context
	rules        []byte // what each helper is sent
	inner, outer string
	started      []*exec.Cmd
	sockets      []int
}

// end stops everything.
func (s *stage) end() {
	for i := len(s.started) - 1; i >= 0; i-- {
		_ = s.started[i].Process.Kill() // ended already is as good
		_ = s.started[i].Wait()
	}
	for _, fd := range s.sockets {
		_ = unix.Close(fd) // only read
	}
}

func (s *stage) start(cmd *exec.Cmd, display string) error {
	if display != "" {
		cmd.Env = append(os.Environ(), "DISPLAY="+display)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	s.started = append(s.started, cmd)
	return nil
}

// displays starts an Xvfb and in it a Xephyr, whose input is real, with a window
// manager, as every desktop has one.
func (s *stage) displays() error {
	var err error
	if s.outer, err = s.server("", "Xvfb", "-screen", "0", "1000x700x24", "-nolisten", "tcp", "-noreset"); err != nil {
		return err
	}
	s.inner, err = s.server(s.outer, "Xephyr", "-screen", "1000x700", "-nolisten", "tcp", "-noreset", "-no-host-grab", "-maxclients", "512")
	if err != nil {
		return err
	}
	return s.start(exec.CommandContext(s.ctx, "openbox", "--sm-disable"), s.inner)
}

func (s *stage) server(display string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("making a pipe: %w", err)
	}
	defer func() { _ = r.Close() }() // only read
	cmd := exec.CommandContext(s.ctx, args[0], append(args[1:], "-displayfd", "3")...)
	cmd.ExtraFiles = []*os.File{w}
	err = s.start(cmd, display)
	_ = w.Close() // the server has its own
	if err != nil {
		return "", err
	}
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s named no display: %w", args[0], err)
	}
	return ":" + strings.TrimSpace(number), nil
}

// group is the copies of one program.
type group struct {
	commands []*exec.Cmd
	outputs  []*bytes.Buffer
}

func (s *stage) helpers(path string) (group, error) {
	var g group
	for range copies {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return g, fmt.Errorf("making a socket pair: %w", err)
		}
		s.sockets = append(s.sockets, pair[0])
		for _, packet := range [][]byte{wire.Ceiling(wire.Version), s.rules} {
			if err := unix.Send(pair[0], packet, unix.MSG_DONTWAIT); err != nil {
				return g, fmt.Errorf("telling a helper: %w", err)
			}
		}
		theirs := os.NewFile(uintptr(pair[1]), "socket")
		cmd := exec.CommandContext(s.ctx, path, "--display", s.inner, "--interval", "60s")
		cmd.Stdout, cmd.Stderr = theirs, os.Stderr // it confines itself
		err = s.start(cmd, "")
		_ = theirs.Close() // the helper has its own
		if err != nil {
			return g, err
		}
		g.commands = append(g.commands, cmd)
	}
	return g, nil
}

func (s *stage) listeners(path string) (group, error) {
	var g group
	for range copies {
		cmd, b := exec.CommandContext(s.ctx, path), &bytes.Buffer{}
		cmd.Stdout = b
		if err := s.start(cmd, s.inner); err != nil {
			return g, err
		}
		g.commands, g.outputs = append(g.commands, cmd), append(g.outputs, b)
	}
	return g, nil
}

// events ends the listeners and returns how many events the first one saw.
func (g group) events() (int, error) {
	for _, cmd := range g.commands {
		if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
			return 0, fmt.Errorf("stopping a listener: %w", err)
		}
		if err := cmd.Wait(); err != nil {
			return 0, fmt.Errorf("a listener failed: %w", err)
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(g.outputs[0].String()))
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the listener saw no event: %w", errors.Join(err, io.ErrNoProgress))
	}
	return n, nil
}

// input types and moves the pointer, some 120 events a second: five moves to a
// key.
func (s *stage) input(d time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	var args []string
	for i := range 600 {
		if i%6 == 5 {
			args = append(args, "key", "--delay", "0", "a")
		} else {
			args = append(args, "mousemove", strconv.Itoa(200+i%500), strconv.Itoa(150+i%400))
		}
		args = append(args, "sleep", "0.0078")
	}
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, "xdotool", args...)
		cmd.Env = append(os.Environ(), "DISPLAY="+s.outer)
		if err := cmd.Run(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("xdotool: %w", err)
		}
	}
	return nil
}

// usage is what a group has used since it started.
type usage struct {
	cpu      time.Duration
	switches int
}

// usage adds up every thread of every copy: schedstat's first field is the time
// on a CPU in nanoseconds, and each context switch is a wake-up or the loss of
// the CPU to another program.
func (g group) usage() usage {
	var u usage
	for _, cmd := range g.commands {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", cmd.Process.Pid)) // the pattern is well formed
		for _, task := range tasks {
			if f := fields(task+"/schedstat", ""); len(f) > 0 {
				u.cpu += time.Duration(f[0])
			}
			for _, n := range append(fields(task+"/status", "voluntary_ctxt_switches:"), fields(task+"/status", "nonvoluntary_ctxt_switches:")...) {
				u.switches += n
			}
		}
	}
	return u
}

// pss is the mean memory of a copy in MB, shared pages shared out.
func (g group) pss() float64 {
	kib := 0
	for _, cmd := range g.commands {
		if f := fields(fmt.Sprintf("/proc/%d/smaps_rollup", cmd.Process.Pid), "Pss:"); len(f) > 0 {
			kib += f[0]
		}
	}
	return float64(kib) / 1024 / float64(len(g.commands))
}

// fields reads the numbers of a file's first line that starts with a name.
func fields(path, name string) []int {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // a thread that has ended
	}
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		var numbers []int
		for _, f := range strings.Fields(rest) {
			if n, err := strconv.Atoi(f); err == nil {
				numbers = append(numbers, n)
			}
		}
		return numbers
	}
	return nil
}
