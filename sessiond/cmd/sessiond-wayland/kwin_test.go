package main

import (
	"fmt"
	"io"
	"path/filepath"
	"syscall"
	"testing"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/waytest"
	"activity-tracker.example/sessiond/wire"
)

// scriptName is what KWin calls our script.
const scriptName = "example.activity_tracker.focus"

// kwinScript is the script as the package has it, in a place where KWin may read
// it.
func kwinScript(t *testing.T, s *waytest.Session) string {
	t.Helper()
	path, err := filepath.Abs("../../../packaging/trackerd/kwin-focus.js")
	if err != nil {
		t.Fatal(err)
	}
	return s.Copy(t, path)
}

// kwinWithWindows is a session of KWin with an editor and a browser, which has
// the focus, and the script.
func kwinWithWindows(t *testing.T) (s *waytest.Session, script string) {
	t.Helper()
	s = waytest.KWin(t)
	script = kwinScript(t, s)
	h := startHelper(t, s, "--kwin-script", script)
	for app, title := range map[string]string{"editor": "заметки.txt", "browser": "News"} {
		s.Open(t, app, title)
		h.Until("time in the "+app, func() bool {
			s.Activate(t, app)
			return sums(h.All)[wire.Focus{App: app, Title: title}] > 0
		})
	}
	s.Activate(t, "browser")
	end(t, h)
	return s, script
}

func end(t *testing.T, h *helpertest.Helper) {
	t.Helper()
	if err := h.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestKWinFocusMoves moves the focus between two windows of KWin and holds the
// time of each against the clock. The script is there only while the helper is.
func TestKWinFocusMoves(t *testing.T) {
	t.Parallel()
	s, script := kwinWithWindows(t)
	if s.IsScriptLoaded(t, scriptName) {
		t.Error("the script outlived a helper")
	}
	h := startHelper(t, s, "--kwin-script", script)
	if !s.IsScriptLoaded(t, scriptName) {
		t.Error("the script is not loaded")
	}
	moveFocus(t, h, func(app string) { s.Activate(t, app) })
	if s.IsScriptLoaded(t, scriptName) {
		t.Error("the script outlived the helper")
	}
}

// TestKWinTitleChanges: a title that changes all the time is followed, where
// titles may be read, and its last change counts.
func TestKWinTitleChanges(t *testing.T) {
	t.Parallel()
	s := waytest.KWin(t)
	script := kwinScript(t, s)
	h := startHelper(t, s, "--kwin-script", script)
	titles := s.Open(t, "editor", "draft")
	h.Until("time in the editor", func() bool { return sums(h.All)[wire.Focus{App: "editor", Title: "draft"}] > 0 })
	changeTitle(t, titles, manyTitles)
	h.Until("time under the last title", func() bool { return sums(h.All)[wire.Focus{App: "editor", Title: "done"}] > 0 })
	end(t, h)
	h = startHelper(t, s, "--kwin-script", script, "--no-titles")
	h.Until("time without a title", func() bool { return sums(h.All)[wire.Focus{App: "editor"}] > 0 })
	if len(sums(h.All)) != 1 {
		t.Errorf("focus %v, want one window without a title", sums(h.All))
	}
}

// How often the four titles go round. A compositor of wlroots ends the connection
// of whoever leaves some 300 messages unread, and the helper looks four times a
// second: what comes faster than that ends it, and trackerd starts it again.
const (
	manyTitles = 500
	fewTitles  = 25
)

// changeTitle makes a window change its title many times, at last to "done".
func changeTitle(t *testing.T, titles io.Writer, rounds int) {
	t.Helper()
	for range rounds {
		for _, title := range []string{"/", "-", `\`, "|"} {
			if _, err := fmt.Fprintln(titles, title); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := fmt.Fprintln(titles, "done"); err != nil {
		t.Fatal(err)
	}
}
