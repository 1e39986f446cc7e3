package main

import (
	"strings"
	"testing"

	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// TestNothingCountsWithoutAWindowManager: where one is required, input before
// the first and between two is nobody's.
func TestNothingCountsWithoutAWindowManager(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner, "--require-window-manager")
	press := func(n int) {
		t.Helper()
		outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("x", n))
		inner.Run(t, "xdotool", "getmouselocation") // a round trip: the keys are there
	}
	absent := func() bool { return h.Last.Trouble == wire.TroubleNoWindowManager }
	present := func() bool { return h.Last.Trouble == wire.TroubleNone }
	h.Until("no window manager", absent)
	press(40)
	wm := inner.Start(t, "openbox", "--sm-disable")
	h.Until("a window manager", present)
	press(20)
	h.Until("20 keys", func() bool { return h.Last.Counters.Keys >= 20 })
	wm.Kill()
	h.Until("no window manager again", absent)
	press(30)
	inner.Start(t, "openbox", "--sm-disable")
	h.Until("another window manager", present)
	press(7)
	h.Until("27 keys", func() bool { return h.Last.Counters.Keys >= 27 })
	if got := h.Last.Counters; got.Keys != 27 || got.Synthetic != 0 {
		t.Errorf("counted %+v, want 27 keys", got)
	}
}

// TestNoInput: behind a locker the focus goes on, and no input counts.
func TestNoInput(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	inner.Start(t, "openbox", "--sm-disable")
	client := xtest.NewClient(t, inner)
	client.AwaitWM()
	client.Activate(client.Window("Editor", "draft.txt"))
	h := startHelper(t, inner, "--no-input")
	outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("x", 40))
	inner.Run(t, "xdotool", "getmouselocation")
	h.Until("an interval's focus", func() bool {
		return len(h.Last.Focus) == 1 && h.Last.Focus[0].App == "Editor" && h.Last.Focus[0].DurationMS >= 4999
	})
	if h.Last.Counters != (wire.Counters{}) || h.Last.IdleMS != wire.IdleUnknown {
		t.Errorf("reported %+v", h.Last)
	}
}
