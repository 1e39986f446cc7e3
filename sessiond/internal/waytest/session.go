// Package waytest starts real Wayland sessions: sway or KWin without a
// screen, as a user that is not root, with windows whose focus the test moves.
// Only tests import it.
package waytest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout is how long a compositor or a window may take on a busy
	// machine.
	startTimeout = 30 * time.Second
	// lifeLimit ends every program that a test forgot.
	lifeLimit = 3 * time.Minute
	// pollEvery is how often a socket's coming is looked for: nothing reports it.
	pollEvery = 50 * time.Millisecond
	// nobody is the user that every machine has, for tests that run as root,
	// which sway and its windows should not.
	nobody = 65534
)

// Session is a user's runtime folder, with a compositor in it.
type Session struct {
	// Runtime is the folder.
	Runtime string
	// User is whom everything runs as; nil if that is who runs the test.
	User *syscall.Credential

	compositor *Process
	display    string
	bus        string // the session bus's address; empty without one
}

// Process is a program in a session.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Kill ends the program at once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // ended already is as good
	<-p.ended
}

// NewSession makes a runtime folder without a compositor.
func NewSession(t *testing.T) *Session {
	t.Helper()
	s := OwnSession(t)
	if os.Getuid() == 0 {
		s.User = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(s.Runtime, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// OwnSession makes a runtime folder of the user who runs the test, even if that
// is root.
func OwnSession(t *testing.T) *Session {
	t.Helper()
	// Not the test's own folder: a socket's path has 108 bytes at most.
	dir, err := os.MkdirTemp("", "way") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // in the folder for temporary files
	return &Session{Runtime: dir}
}

// Kill ends the compositor at once.
func (s *Session) Kill() { s.compositor.Kill() }

// Signal sends the compositor a signal.
func (s *Session) Signal(sig os.Signal) error { return s.compositor.cmd.Process.Signal(sig) }

// Open opens a window of an application with a title. Lines that are written to
// the result become its title, and closing it closes the window.
func (s *Session) Open(t *testing.T, app, title string) io.WriteCloser {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // twice is as good
	s.startWith(t, r, s.program(t, "activity-tracker.example/sessiond/internal/waytest/window"), app, title)
	_ = r.Close() // the window has its own
	return w
}

// program builds one of our programs once, in the runtime folder, where the
// session's user can run it.
func (s *Session) program(t *testing.T, path string) string {
	t.Helper()
	file := filepath.Join(s.Runtime, filepath.Base(path))
	if _, err := os.Stat(file); err == nil {
		return file
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, path).CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", path, err, out)
	}
	return file
}

// start starts a program in the session that is killed when the test ends.
func (s *Session) start(t *testing.T, args ...string) *Process {
	t.Helper()
	return s.startWith(t, nil, args...)
}

// startWith starts a program with a standard input; nil is none.
func (s *Session) startWith(t *testing.T, input *os.File, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifeLimit)
	cmd := s.command(ctx, args...)
	if input != nil {
		cmd.Stdin = input
	}
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("starting %s: %v (is it installed?)", args[0], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ends is for the test to decide
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // ended already is as good
		<-ended
		cancel()
	})
	return &Process{cmd, ended}
}

// awaitSocket waits for the one socket in the runtime folder whose name matches.
func (s *Session) awaitSocket(t *testing.T, pattern string) string {
	t.Helper()
	var found []string
	s.until(t, pattern+" in "+s.Runtime, func() bool {
		found, _ = filepath.Glob(filepath.Join(s.Runtime, pattern)) // the pattern is good
		return len(found) > 0
	})
	return found[0]
}

func (s *Session) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.After(startTimeout)
	for tick := time.Tick(pollEvery); !is(); {
		select {
		case <-end:
			t.Fatalf("never: %s", what)
		case <-tick:
		}
	}
}

// command is a program of the session's user.
func (s *Session) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Runtime, "XDG_RUNTIME_DIR=" + s.Runtime, "LC_ALL=C.UTF-8",
		"WLR_BACKENDS=headless", "WLR_RENDERER=pixman", "WLR_LIBINPUT_NO_DEVICES=1",
	}
	if s.display != "" {
		cmd.Env = append(cmd.Env, "WAYLAND_DISPLAY="+s.display)
	}
	if s.bus != "" {
		cmd.Env = append(cmd.Env, "DBUS_SESSION_BUS_ADDRESS="+s.bus)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.User}
	return cmd
}
