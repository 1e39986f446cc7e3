package ingest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"activity-tracker.example/server/internal/problem"
)

// A host has its few requests at once and no more, whatever it does; others are
// not told of it.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var ends []func()
		take := func(host int64, want int) {
			t.Helper()
			end, err := turns.take(t.Context(), host)
			var refused *problem.Error
			switch {
			case err == nil && want == http.StatusOK:
				ends = append(ends, end)
			case err == nil:
				t.Errorf("host %d is let in, want %d", host, want)
				end()
			case !errors.As(err, &refused) || refused.Status != want || refused.RetryAfter == 0:
				t.Errorf("host %d: %v, want %d", host, err, want)
			}
		}
		for range hostRequests {
			take(1, http.StatusOK)
		}
		take(1, http.StatusTooManyRequests)
		take(2, http.StatusOK)
		ends[0]()
		ends = ends[1:]
		take(1, http.StatusOK)
		// One that waits comes in as soon as another ends.
		in := make(chan func())
		go func() {
			end, err := turns.take(context.WithoutCancel(t.Context()), 1)
			if err != nil {
				t.Error(err)
			}
			in <- end
		}()
		synctest.Wait()
		ends[len(ends)-1]()
		ends[len(ends)-1] = <-in
		for _, end := range ends {
			end()
		}
		if len(turns.hosts) != 0 {
			t.Errorf("%d hosts are remembered", len(turns.hosts))
		}
	})
}
