// Package waytest gives tests a real Wayland session: sway without a screen, as
// a user that is not root, with windows whose focus the test moves. Only tests
// import it.
package waytest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
	// pollEvery is how often a socket's coming is looked for: nothing tells it.
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

	compositor *exec.Cmd
	ended      chan struct{}
	display    string
}

// NewSession makes a runtime folder without a compositor.
func NewSession(t *testing.T) *Session {
	t.Helper()
	// Not the test's own folder: a socket's path has 108 bytes at most.
	dir, err := os.MkdirTemp("", "way")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // in the folder for temporary files
	s := &Session{Runtime: dir}
	if os.Getuid() == 0 {
		s.User = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Sway starts sway in a session of its own.
func Sway(t *testing.T) *Session {
	t.Helper()
	s := NewSession(t)
	s.StartSway(t)
	return s
}

// StartSway starts sway in a session that has no compositor.
func (s *Session) StartSway(t *testing.T) {
	t.Helper()
	config := filepath.Join(s.Runtime, "config")
	const readable = 0o644
	// One window fills the screen, so that sway hides and shows but moves none.
	if err := os.WriteFile(config, []byte("workspace_layout tabbed\n"), readable); err != nil {
		t.Fatal(err)
	}
	s.compositor = s.start(t, "sway", "--config", config)
	s.display = filepath.Base(s.awaitSocket(t, "wayland-?"))
}

// Kill ends the compositor at once.
func (s *Session) Kill() {
	_ = s.compositor.Process.Kill() // ended already is as good
	<-s.ended
}

// Signal sends the compositor a signal.
func (s *Session) Signal(sig os.Signal) error { return s.compositor.Process.Signal(sig) }

// Window opens a window that takes the focus, and waits until it is there.
func (s *Session) Window(t *testing.T, app, title string) {
	t.Helper()
	// The title is written as programs write it, then the program waits.
	s.start(t, "foot", "--app-id", app, "sh", "-c", "printf '\\033]2;%s\\007' \"$0\"; exec sleep 1000", title)
	s.until(t, title+" has the focus", func() bool { return s.isFocused(t, app, title) })
}

// Focus moves the focus to the window of an application.
func (s *Session) Focus(t *testing.T, app string) {
	t.Helper()
	s.Msg(t, `[app_id="`+app+`"] focus`)
}

// Msg has sway do something, and returns its answer.
func (s *Session) Msg(t *testing.T, args ...string) string {
	t.Helper()
	socket := s.awaitSocket(t, "sway-ipc.*.sock")
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "swaymsg", append([]string{"--socket", socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("swaymsg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// isFocused reports whether the window in focus is one of an application with a
// title. In sway's tree a window's application stands close behind both.
func (s *Session) isFocused(t *testing.T, app, title string) bool {
	t.Helper()
	_, rest, found := strings.Cut(s.Msg(t, "-r", "-t", "get_tree"), `"focused": true`)
	if !found {
		return false
	}
	window, _, _ := strings.Cut(rest, `"app_id": `+strconv.Quote(app))
	return len(window) < len(rest) && !strings.Contains(window, `"app_id"`) &&
		strings.Contains(window, `"name": `+strconv.Quote(title))
}

// start starts a program in the session that is killed when the test ends.
func (s *Session) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifeLimit)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Runtime, "XDG_RUNTIME_DIR=" + s.Runtime, "LC_ALL=C.UTF-8",
		"WLR_BACKENDS=headless", "WLR_RENDERER=pixman", "WLR_LIBINPUT_NO_DEVICES=1",
	}
	if s.display != "" {
		cmd.Env = append(cmd.Env, "WAYLAND_DISPLAY="+s.display)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.User}
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("starting %s: %v (is it installed?)", args[0], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ends is for the test to say
	}()
	if s.compositor == nil {
		s.ended = ended
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // ended already is as good
		<-ended
		cancel()
	})
	return cmd
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
	for end := time.Now().Add(startTimeout); !is(); time.Sleep(pollEvery) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
