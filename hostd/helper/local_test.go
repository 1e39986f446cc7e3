package helper

import (
	"slices"
	"testing"
	"time"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// A display without a window manager is a program's: its helper is heard, and
// nothing of it is recorded.
func TestNothingOfADisplayWithoutAWindowManager(t *testing.T) {
	u := newFakeUnits(t, func(p *process) {
		_, _ = p.conn.Write(wire.Append(nil, &wire.Report{StartedUnixNano: 1, Trouble: wire.TroubleNoWindowManager}))
		p.report(7)
		p.untilHungUp()
	})
	r := run(t, options(), u, newFakeStore(t))
	job := session("x5", 100)
	job.NeedsWM = true
	r.tracked <- []roster.Tracked{job}
	select {
	case got := <-r.readings:
		if got.Report.Counters.Keys != 7 {
			t.Errorf("read %+v before there was a window manager", got.Report)
		}
	case <-time.After(waitTime):
		t.Fatal("nothing was read once there was a window manager")
	}
	if s := r.state(func(s State) bool { return s.Reports == 2 }); s.Trouble != wire.TroubleNone {
		t.Errorf("state %+v", s)
	}
	if !slices.Contains(u.started[0].Command, "--require-window-manager") {
		t.Errorf("started %q", u.started[0].Command)
	}
}

// A screen that is locked is read by a helper that counts no input, and after it
// by one that does: each has its own last words.
func TestALockedScreenHasAHelperOfItsOwn(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(uint64(p.number) + 1); p.untilHungUp() })
	r := run(t, options(), u, newFakeStore(t))
	anna := session("2", 100)
	r.tracked <- []roster.Tracked{anna}
	r.reading(1)
	anna.Locked = true
	r.tracked <- []roster.Tracked{anna}
	r.reading(2)
	anna.Locked = false
	r.tracked <- []roster.Tracked{anna}
	r.reading(3)
	for i, want := range []bool{false, true, false} {
		if got := slices.Contains(u.started[i].Command, "--no-input"); got != want {
			t.Errorf("start %d: %q", i, u.started[i].Command)
		}
	}
	// What is in focus of Wayland is read by the same one all the time.
	focus := session("3", 100)
	focus.Source, focus.Display = roster.SourceWayland, ""
	r.tracked <- []roster.Tracked{focus}
	r.reading(4)
	focus.Locked = true
	r.tracked <- []roster.Tracked{focus}
	r.tracked <- []roster.Tracked{focus} // the list before is applied
	if u.starts() != 4 {
		t.Errorf("%d helpers were started, want 4", u.starts())
	}
}
