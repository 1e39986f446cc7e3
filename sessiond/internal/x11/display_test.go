package x11

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// watched is a display that a test drains until something is so.
type watched struct {
	*Display
	t *testing.T
}

func watchDisplay(t *testing.T, s *xtest.Server) watched {
	t.Helper()
	return watchWith(t, s, func(*Options) {})
}

func watchWith(t *testing.T, s *xtest.Server, change func(*Options)) watched {
	t.Helper()
	number, err := ParseDisplay(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	o := Options{
		Display:   number,
		Titles:    true,
		Now:       func() counting.Instant { return counting.Instant(time.Since(begin) / time.Millisecond) },
		IdleAfter: 180_000,
	}
	change(&o)
	d, err := Open(o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(d.Close)
	d.SetTitles(func(_, title string) string { return title })
	return watched{d, t}
}

// drain waits for the display and drains it once.
func (w watched) drain(timeout time.Duration) {
	w.t.Helper()
	fds := [...]unix.PollFd{{Fd: int32(w.FD()), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds[:], int(timeout/time.Millisecond)) // not ready: nothing to drain
	if _, _, err := w.Drain(w.opts.Now()); err != nil {
		w.t.Fatalf("Drain: %v", err)
	}
	for i, b := range w.c.in[w.c.w:] {
		if b != 0 {
			w.t.Fatalf("byte %d of the buffer was left after Drain", i)
		}
	}
}

func (w watched) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s; counters %+v, window %q", what, w.Input.Counters(), w.Focus.Current())
		}
		w.drain(50 * time.Millisecond)
	}
}

// counts waits for counters (ActiveMS and DistancePx aside), and that nothing
// more comes.
func (w watched) counts(want wire.Counters) {
	w.t.Helper()
	get := func() wire.Counters {
		c := w.Input.Counters()
		c.DistancePx = 0
		return c
	}
	w.until("the counts are right", func() bool { return get() == want })
	w.drain(300 * time.Millisecond)
	if got := get(); got != want {
		w.t.Fatalf("counters %+v, want %+v", got, want)
	}
}

func (w watched) window(want counting.Window) {
	w.t.Helper()
	w.until("the window is "+want.App+", "+want.Title, func() bool { return w.Focus.Current() == want })
}

// TestGarbageIsNoticed: what xgb leaves is counted about as it is, or the
// memory of a helper in use would grow to what Go collects by itself.
func TestGarbageIsNoticed(t *testing.T) { //nolint:paralleltest // it looks at all that the process allocates
	w := watchDisplay(t, xtest.Xvfb(t))
	const questions = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.Garbage()
	for range questions {
		if _, err := w.queryPointer(); err != nil {
			t.Fatal(err)
		}
	}
	told := w.Garbage()
	runtime.ReadMemStats(&after)
	left := int(after.TotalAlloc - before.TotalAlloc)
	t.Logf("%d bytes allocated, %d told", left, told)
	if told < left/2 || told > 2*left {
		t.Errorf("%d bytes were allocated, %d are told", left, told)
	}
}
