package loop

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/outbox"
	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// minute is the length of the tests' intervals.
const minute = time.Minute

// epoch is the start of an interval.
func epoch() time.Time { return time.Unix(1_763_000_040, 0) }

func TestSlots(t *testing.T) {
	t.Parallel()
	k := clock{interval: minute}
	for at, want := range map[int64]int64{0: 0, 59: 0, 60: 1, -1: -1, -60: -1, -61: -2} {
		if got := k.slot(time.Unix(at, 0)); got != want {
			t.Errorf("slot(%d) = %d, want %d", at, got, want)
		}
		if s := k.startOf(want).Unix(); at < s || at >= s+60 {
			t.Errorf("slot %d starts at %d", want, s)
		}
	}
	for at := -2 * time.Millisecond; at < 2*time.Millisecond; at += 100 * time.Microsecond {
		m := moment{wall: epoch().Add(at)} // seen from any moment, the epoch was or will be at 1002
		since := 1002300*time.Microsecond + at
		m.at, m.fraction = counting.Instant(since/time.Millisecond), since%time.Millisecond
		if got := k.instantOf(m, epoch()); got != 1002 {
			t.Errorf("from %v: the epoch is at %d, want 1002", at, got)
		}
	}
}

// newLoop is a loop at a moment just before an interval's end, on a display
// where one window has had the focus since instant 0.
func newLoop(t *testing.T) (*loop, int) {
	t.Helper()
	return newLoopOn(t, xtest.Xvfb(t))
}

func newLoopOn(t *testing.T, s *xtest.Server) (*loop, int) {
	t.Helper()
	number, err := x11.ParseDisplay(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := x11.Open(x11.Options{Display: number, Titles: true, Now: func() counting.Instant { return 0 }, IdleAfter: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	d.Focus.Switch(counting.Window{App: "App"}, 0)
	l := &loop{clock: clock{time.Now(), minute}, source: d, out: outbox.New(fds[0])}
	l.slot = l.clock.slot(epoch())
	return l, fds[1]
}

func receive(t *testing.T, fd int) []wire.Report {
	t.Helper()
	var all []wire.Report
	b := make([]byte, wire.MaxMessageBytes)
	for {
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			return all
		}
		r, err := wire.Decode(b[:n])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

// TestTurn: what is reported when the clock strikes, in time, late, and after
// it was set.
func TestTurn(t *testing.T) {
	t.Parallel()
	type report struct{ interval, at, focus int64 } // seconds after epoch, ms after epoch, ms
	for name, c := range map[string]struct {
		at   counting.Instant // since the start, at epoch
		wall time.Duration    // since epoch
		want []report
	}{
		"in time":          {60_003, minute + 3*time.Millisecond, []report{{0, 60_000, 60_000}}},
		"two minutes late": {185_000, 3*minute + 5*time.Second, []report{{0, 60_000, 60_000}, {60, 120_000, 60_000}, {120, 180_000, 60_000}}},
		"set forward":      {30_000, 10*minute + 30*time.Second, []report{{0, 60_000, 0}}},
		"set back":         {30_000, -5*minute + 30*time.Second, []report{{0, -270_000, 30_000}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, fd := newLoop(t)
			now := moment{at: c.at, wall: epoch().Add(c.wall)}
			if err := l.endInterval(now); err != nil {
				t.Fatal(err)
			}
			if l.slot != l.clock.slot(now.wall) {
				t.Errorf("in slot %d, want %d", l.slot, l.clock.slot(now.wall))
			}
			var got []report
			for _, r := range receive(t, fd) {
				var focus int64
				for _, f := range r.Focus {
					focus += int64(f.DurationMS)
				}
				got = append(got, report{r.IntervalStartUnix - epoch().Unix(), r.TimeUnixMilli - epoch().UnixMilli(), focus})
			}
			if len(got) != len(c.want) {
				t.Fatalf("reports %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("report %d is %v, want %v", i, got[i], c.want[i])
				}
			}
		})
	}
}

// TestLongSleepIsBounded: a machine that slept for a month does not report
// every minute of it.
func TestLongSleepIsBounded(t *testing.T) {
	t.Parallel()
	l, fd := newLoop(t)
	const month = 30 * 24 * time.Hour
	if err := l.endInterval(moment{at: counting.Instant(month / time.Millisecond), wall: epoch().Add(month)}); err != nil {
		t.Fatal(err)
	}
	if n := len(receive(t, fd)); n != maxCatchUp+1 {
		t.Errorf("%d reports, want %d", n, maxCatchUp+1)
	}
}

// TestLastReportAfterTheClockStruck: the X server went away in one interval, and
// that is noticed in the next.
func TestLastReportAfterTheClockStruck(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	l, fd := newLoopOn(t, s)
	s.Kill()
	l.slot = l.clock.slot(time.Now()) - 1
	l.farewell()
	got := receive(t, fd)
	if len(got) != 2 || got[0].IntervalStartUnix != l.clock.startOf(l.slot-1).Unix() || got[1].IntervalStartUnix != l.clock.startOf(l.slot).Unix() {
		t.Fatalf("reports %+v, want one of each interval", got)
	}
}

func TestOpenGivesUpWhenTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) }()
	o := Options{Open: openNothing, Interval: minute, Socket: fds[0]}
	cancel()
	if err := Run(ctx, o); err != nil {
		t.Fatalf("Run: %v", err)
	}
}

// TestTimelessEvents: what carries no times is drained at once after a pause, and
// else when the pause is over.
func TestTimelessEvents(t *testing.T) {
	t.Parallel()
	l := &loop{opts: Options{Timeless: true}, drained: 1000}
	for now, want := range map[counting.Instant]counting.Instant{1010: 1000 + gather, 1000 + gather: 1000 + gather, 9000: 9000} {
		if l.startGathering(now); l.drainAt != want || !l.gathering {
			t.Errorf("what comes at %d is drained at %d, want %d", now, l.drainAt, want)
		}
	}
}

// openNothing opens a display that is not there.
func openNothing(now func() counting.Instant) (Source, error) {
	const unused = 59_000
	return x11.Open(x11.Options{Display: unused, Now: now, IdleAfter: 1000})
}

func TestOpenErrorsAreTellable(t *testing.T) {
	t.Parallel()
	if err := orderly(&OpenError{&x11.OpenError{Doing: "greeting", Err: x11.ErrGone}}, x11.ErrGone); err == nil {
		t.Error("an X server that never let us in counts as an orderly end")
	}
	if err := orderly(errors.Join(errStopped, x11.ErrGone), x11.ErrGone); err != nil {
		t.Error(err)
	}
}
