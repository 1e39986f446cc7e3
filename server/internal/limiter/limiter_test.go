package limiter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A caller has its few requests at once and no more, whatever it does; others are
// served as before.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 4
		limits := New[int64](places, 2*time.Second)
		var ends []func()
		take := func(caller int64, want bool) {
			t.Helper()
			end, ok := limits.Take(t.Context(), caller)
			if ok != want {
				t.Errorf("caller %d: let in %v, want %v", caller, ok, want)
			}
			if ok {
				ends = append(ends, end)
			}
		}
		for range places {
			take(1, true)
		}
		take(1, false)
		take(2, true)
		ends[0]()
		ends = ends[1:]
		take(1, true)
		// One that waits comes in as soon as another ends.
		in := make(chan func())
		go func() {
			end, ok := limits.Take(context.WithoutCancel(t.Context()), 1)
			if !ok {
				t.Error("one that waits is refused")
			}
			in <- end
		}()
		synctest.Wait()
		ends[len(ends)-1]()
		ends[len(ends)-1] = <-in
		for _, end := range ends {
			end()
		}
		if len(limits.callers) != 0 {
			t.Errorf("%d callers are remembered", len(limits.callers))
		}
	})
}
