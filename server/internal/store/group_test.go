package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"activity-tracker.example/server/api"
)

// Batches with long texts don't share a group with each other: together they would
// take longer than a group may, and fail everybody in it.
func TestLongTextsMakeSmallGroups(t *testing.T) {
	var sizes []int
	g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
		sizes = append(sizes, len(batches))
		return make([]Written, len(batches)), nil
	})
	g.leaders, g.began = 1, time.Now()
	long := api.Event{Focus: make([]api.Focus, api.MaxFocus)}
	for i := range long.Focus {
		long.Focus[i].Title = strings.Repeat("x", api.MaxTextBytes)
	}
	large := make([]api.Event, groupBytes/textBytes([]api.Event{long})+1)
	for i := range large {
		large[i] = long
	}
	var all []*waiter
	for _, events := range [][]api.Event{large, {long}, {long}, large, large, {long}} {
		w := &waiter{batch: Batch{Events: events}, bytes: textBytes(events), lead: make(chan struct{}), result: make(chan outcome, 1)}
		if err := g.enter(w); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	g.handOver(nil)
	for _, w := range all {
		select {
		case <-w.lead:
			g.leadWith(t.Context(), w)
		default:
		}
		select {
		case out := <-w.result:
			if out.err != nil {
				t.Error(out.err)
			}
		default:
			t.Error("a batch was not written")
		}
	}
	// The two small ones go together.
	if want := []int{1, 2, 1, 1, 1}; !slices.Equal(sizes, want) {
		t.Errorf("groups of %v, want %v", sizes, want)
	}
}

// A host whose batches take long has one of the places; others don't wait for it.
func TestHostThatIsSlowWaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow, other = 1, 2
		proceed := make(chan struct{})
		var at atomic.Int64
		g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
			for _, b := range batches {
				if b.Host == slow {
					at.Add(1)
					<-proceed
				}
			}
			return make([]Written, len(batches)), nil
		})
		var wait sync.WaitGroup
		send := func(host int64, events int) {
			wait.Go(func() {
				if _, err := g.do(t.Context(), Batch{Host: host, Events: make([]api.Event, events)}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		send(slow, 1)
		<-time.After(2 * leaderPatience)
		send(slow, leaderEvents)
		send(slow, 1)
		if n := at.Load(); n != 1 {
			t.Errorf("%d batches of the slow host are written at once", n)
		}
		for range 3 {
			if _, err := g.do(t.Context(), Batch{Host: other, Events: make([]api.Event, 1)}); err != nil {
				t.Error(err)
			}
		}
		close(proceed)
		wait.Wait()
		if g.leaders != 0 || len(g.busy) != 0 || g.queued != 0 || len(g.queue) != 0 {
			t.Errorf("in the end: %+v", g)
		}
	})
}

// Few small batches wait for the group under way; many get a leader of their own.
func TestManySmallBatchesGetAnotherLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		var groups atomic.Int64
		g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
			groups.Add(1)
			<-proceed
			return make([]Written, len(batches)), nil
		})
		var wait sync.WaitGroup
		for host := range int64(1 + leaderBatches) {
			if n := groups.Load(); host > 0 && n != 1 {
				t.Errorf("%d groups under way while %d batches wait", n, host-1)
			}
			wait.Go(func() {
				if _, err := g.do(t.Context(), Batch{Host: host, Events: make([]api.Event, 1)}); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if n := groups.Load(); n != leadersMax {
			t.Errorf("%d groups under way while %d batches wait", n, leaderBatches)
		}
		close(proceed)
		wait.Wait()
		if n := groups.Load(); n != leadersMax {
			t.Errorf("%d groups in all", n)
		}
	})
}
