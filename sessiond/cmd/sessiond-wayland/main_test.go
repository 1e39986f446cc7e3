package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/waytest"
	"activity-tracker.example/sessiond/wire"
)

// tolerance is how far a time may be off beyond what moving the focus itself
// took: the helper's pause, and what a busy machine adds.
const tolerance = 400 * time.Millisecond

// TestFocusMoves moves the focus between two windows of sway and holds the time
// of each against the clock.
func TestFocusMoves(t *testing.T) {
	t.Parallel()
	s := waytest.Sway(t)
	s.Window(t, "editor", "заметки.txt")
	s.Window(t, "browser", "News")
	h := startHelper(t, s)
	moveFocus(t, h, func(app string) { s.Focus(t, app) })
	if h.Last.Trouble != wire.TroubleNone || h.Last.IdleMS != wire.IdleUnknown {
		t.Errorf("last report %+v", h.Last)
	}
}

// moveFocus moves the focus between an editor and a browser, which has it at the
// start, ends the helper, and holds the time of each against the clock.
func moveFocus(t *testing.T, h *helpertest.Helper, to func(app string)) {
	t.Helper()
	// While the focus is being moved it is either window's.
	sure, doubtful := map[string]time.Duration{}, map[string]time.Duration{}
	began, now := time.UnixMilli(h.All[0].TimeUnixMilli), "browser"
	for _, next := range []string{"editor", "browser", "editor", "end"} {
		moment := time.Now().Add(1500 * time.Millisecond)
		h.Until("the time to move on", func() bool { return time.Now().After(moment) })
		moving := time.Now()
		if next != "end" {
			to(next)
		}
		moved := time.Now()
		sure[now] += moving.Sub(began)
		doubtful[now] += moved.Sub(moving)
		doubtful[next] += moved.Sub(moving)
		began, now = moved, next
	}
	if err := h.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
	got := sums(h.All)
	for app, title := range map[string]string{"editor": "заметки.txt", "browser": "News"} {
		d := time.Duration(got[wire.Focus{App: app, Title: title}]) * time.Millisecond
		if d < sure[app]-tolerance || d > sure[app]+doubtful[app]+tolerance {
			t.Errorf("%v in the %s, want %v to %v; all: %v", d, app, sure[app], sure[app]+doubtful[app], got)
		}
	}
	if len(got) != 2 {
		t.Errorf("focus %v, want two windows", got)
	}
}

// sums adds up each window's time over all intervals; a later report of an
// interval replaces an earlier one.
func sums(reports []wire.Report) map[wire.Focus]uint64 {
	last := map[int64][]wire.Focus{}
	for _, r := range reports {
		last[r.IntervalStartUnix] = r.Focus
	}
	total := map[wire.Focus]uint64{}
	for _, focus := range last {
		for _, f := range focus {
			total[wire.Focus{App: f.App, Title: f.Title}] += f.DurationMS
		}
	}
	return total
}

// TestWithoutTitles: a title that is not to be read is in no report, and the
// window that was last closed leaves nobody in front.
func TestWithoutTitles(t *testing.T) {
	t.Parallel()
	s := waytest.Sway(t)
	s.Window(t, "editor", "secret")
	h := startHelper(t, s, "--no-titles")
	h.Until("time in the editor", func() bool {
		return len(h.Last.Focus) == 1 && h.Last.Focus[0].App == "editor" && h.Last.Focus[0].DurationMS > 0
	})
	s.Msg(t, `[app_id="editor"] kill`)
	h.Until("an interval without a window", func() bool { return len(h.Last.Focus) == 0 })
	for _, r := range h.All {
		for _, f := range r.Focus {
			if f.Title != "" {
				t.Fatalf("the title %q was reported", f.Title)
			}
		}
	}
}

// TestTitleRules: a title that rules take out is never sent.
func TestTitleRules(t *testing.T) {
	t.Parallel()
	s := waytest.Sway(t)
	titles := s.Window(t, "editor", "secret")
	h := startHelper(t, s)
	h.Until("the title", func() bool { return sums(h.All)[wire.Focus{App: "editor", Title: "secret"}] > 0 })
	h.SendRules(wire.Rules{ID: 2, Titles: true, Lists: [][]wire.Rule{{{App: "editor", Title: "secret"}}}})
	h.Until("the rules", func() bool { return h.Last.Rules == 2 })
	h.Wire = nil
	changeTitle(t, titles, fewTitles)
	h.Until("time under a title without a rule", func() bool { return sums(h.All)[wire.Focus{App: "editor", Title: "done"}] > 0 })
	if strings.Contains(string(h.Wire), "secret") {
		t.Errorf("sent %q", h.Wire)
	}
}

// TestTitleChanges: a title that changes all the time is followed at our pace,
// and its last change counts.
func TestTitleChanges(t *testing.T) {
	t.Parallel()
	s := waytest.Sway(t)
	titles := s.Window(t, "editor", "draft")
	h := startHelper(t, s)
	changeTitle(t, titles, fewTitles)
	h.Until("time under the last title", func() bool { return sums(h.All)[wire.Focus{App: "editor", Title: "done"}] > 0 })
	if n := len(sums(h.All)); n > wire.MaxFocus {
		t.Errorf("%d titles", n)
	}
}

func TestCompositorGoesAway(t *testing.T) {
	t.Parallel()
	s := waytest.Sway(t)
	s.Window(t, "editor", "draft")
	h := startHelper(t, s)
	s.Kill()
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
	if len(h.Last.Focus) != 1 {
		t.Fatalf("last report %+v, want the editor's time", h.Last)
	}
}

func TestDaemonCloses(t *testing.T) {
	t.Parallel()
	h := startHelper(t, waytest.Sway(t))
	h.CloseSocket()
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestCompositorComesLater: trackerd starts the helper with the session, before
// its compositor listens.
func TestCompositorComesLater(t *testing.T) {
	t.Parallel()
	s := waytest.NewSession(t)
	h := newHelper(t, s)
	s.StartSway(t)
	h.Until("the first report", func() bool { return len(h.All) > 0 })
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want int
		says string
	}{
		{"--help", launch.ExitOK, "Usage: sessiond-wayland"},
		{"--version", launch.ExitOK, "sessiond-wayland dev"},
		{"--session ../1", launch.ExitUsage, "logind's id"},
		{"--session=", launch.ExitUsage, "logind's id"},
		{"--runtime-dir run", launch.ExitUsage, "absolute"},
		{"--display :0", launch.ExitUsage, "unknown argument --display"},
		{"--session c1", launch.ExitUsage, "started by trackerd"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), path, strings.Fields(c.args)...)
			out, _ := cmd.CombinedOutput() // the exit code says more
			if code := cmd.ProcessState.ExitCode(); code != c.want || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d, %q; want %d, %q", code, out, c.want, c.says)
			}
		})
	}
}
