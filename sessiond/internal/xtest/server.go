// Package xtest runs real X servers and clients for tests: Xvfb for windows and
// window managers, and Xephyr in an Xvfb for input that is not XTEST's (what
// xdotool does to the outer display reaches the inner one through Xephyr's own
// devices). Only tests import it.
package xtest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// StartTimeout is how long an X server may take to come up on a busy machine.
	StartTimeout = 30 * time.Second
	// LifeLimit ends every program that a test forgot.
	LifeLimit = 3 * time.Minute
	// screen is the size of every display, in pixels.
	screen = "1000x700"
)

// Server is a running X server.
type Server struct {
	// Display is its name, such as ":7".
	Display string
	process *Process
}

// Xvfb starts a display without devices.
func Xvfb(t *testing.T, args ...string) *Server {
	t.Helper()
	return start(t, "", append([]string{"Xvfb", "-screen", "0", screen + "x24", "-nolisten", "tcp", "-noreset"}, args...)...)
}

// Xephyr starts a display whose input is what happens to a display around it.
// No keys repeat there by themselves.
func Xephyr(t *testing.T) (inner, outer *Server) {
	t.Helper()
	outer = Xvfb(t)
	inner = start(t, outer.Display, "Xephyr", "-screen", screen, "-nolisten", "tcp", "-noreset", "-no-host-grab")
	return inner, outer
}

func start(t *testing.T, display string, args ...string) *Server {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("pipe for the display's number: %v", err)
	}
	defer func() { _ = r.Close() }()
	p := Start(t, display, []*os.File{w}, append(args, "-displayfd", "3")...)
	_ = w.Close() // the server has its own
	if err := r.SetReadDeadline(time.Now().Add(StartTimeout)); err != nil {
		t.Fatalf("deadline for the display's number: %v", err)
	}
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s named no display: %v", args[0], err)
	}
	return &Server{Display: ":" + strings.TrimSpace(number), process: p}
}

// Kill ends the server at once.
func (s *Server) Kill() { s.process.Kill() }

// Signal sends the server a signal.
func (s *Server) Signal(sig os.Signal) error { return s.process.cmd.Process.Signal(sig) }

// Start starts a client of the server that lives until the test ends.
func (s *Server) Start(t *testing.T, args ...string) *Process {
	t.Helper()
	return Start(t, s.Display, nil, args...)
}

// Run runs a client of the server to its end and returns its output.
func (s *Server) Run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), LifeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.Display)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Process is a program that a test started.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a program that is killed when the test ends.
func Start(t *testing.T, display string, files []*os.File, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), LifeLimit)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.ExtraFiles = files
	cmd.Env = os.Environ()
	if display != "" {
		cmd.Env = append(cmd.Env, "DISPLAY="+display)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("starting %s: %v (is it installed?)", args[0], err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ends is for the test to decide
	}()
	t.Cleanup(func() {
		p.Kill()
		cancel()
	})
	return p
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // already ended is as good
	<-p.done
}
