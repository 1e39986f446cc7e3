package waytest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

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

// Window opens a window in sway that takes the focus, and waits until it is
// there, as Open does.
func (s *Session) Window(t *testing.T, app, title string) io.WriteCloser {
	t.Helper()
	w := s.Open(t, app, title)
	s.until(t, title+" has the focus", func() bool { return s.isFocused(t, app, title) })
	return w
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
