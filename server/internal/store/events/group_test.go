package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
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

// Where the database is spread all that comes while a group is under way is one group, unless
// that takes very long, or so much comes that another pays.
func TestSpreadGroupsAreLarge(t *testing.T) {
	const waiting = spreadLeaderEvents/leaderEvents - 1
	for _, test := range []struct {
		name  string
		after time.Duration
		// same means that all are of one host, more how many come at last.
		same bool
		more int
		want []int
	}{
		{name: "some wait", want: []int{1}},
		{name: "it takes long", after: 2 * spreadPatience, more: 1, want: []int{1, waiting + 1}},
		{name: "many wait", more: 1, want: []int{1, waiting + 1}},
		{name: "many of the host that is being written", same: true, more: 1, want: []int{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proceed := make(chan struct{})
				var mu sync.Mutex
				var sizes []int
				g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
					mu.Lock()
					sizes = append(sizes, len(batches))
					mu.Unlock()
					<-proceed
					return make([]Written, len(batches)), nil
				})
				g.spread = func() bool { return true }
				events := leaderEvents
				if test.after > 0 {
					events = 1
				}
				var wait sync.WaitGroup
				send := func(host int64) {
					wait.Go(func() {
						if _, err := g.do(t.Context(), Batch{Host: host, Events: make([]api.Event, events)}); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				for host := range int64(1 + waiting) {
					if test.same {
						host = 0
					}
					send(host)
				}
				<-time.After(test.after)
				for range test.more {
					send(1 + waiting)
				}
				if !slices.Equal(sizes, test.want) {
					t.Errorf("groups of %v batches, want %v", sizes, test.want)
				}
				close(proceed)
				wait.Wait()
			})
		})
	}
}

// Calls that come together share a write; a batch that the database refuses
// fails alone.
func TestGroupCommit(t *testing.T) {
	entered, proceed := make(chan int, 100), make(chan struct{})
	refused := errors.New("refused")
	g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
		entered <- len(batches)
		<-proceed
		done := make([]Written, len(batches))
		for i, b := range batches {
			if b.Host < 0 {
				return nil, refused
			}
			done[i].Accepted = int(b.Host)
		}
		return done, nil
	})
	var wait sync.WaitGroup
	send := func(ctx context.Context, host int64, events int, want error) {
		wait.Go(func() {
			w, err := g.do(ctx, Batch{Host: host, Events: make([]api.Event, events)})
			if !errors.Is(err, want) || err == nil && w.Accepted != int(host) {
				t.Errorf("batch of host %d: %+v, %v", host, w, err)
			}
		})
	}
	queued := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			g.mu.Lock()
			have := len(g.queue)
			g.mu.Unlock()
			if have == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", have, n)
			}
		}
	}
	for i := range leadersMax {
		send(t.Context(), int64(i+1), 1+i*leaderEvents, nil)
		if n := <-entered; n != 1 {
			t.Fatalf("%d in the first group", n)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	send(t.Context(), 10, 1, nil)
	queued(1)
	send(t.Context(), -1, 1, refused)
	queued(2)
	send(gone, 12, 1, context.Canceled)
	queued(3)
	leave()
	queued(2)
	if _, err := g.do(t.Context(), Batch{Host: 13, Events: make([]api.Event, queuedEvents)}); !errors.Is(err, errQueueFull) || !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("too many events: %v", err)
	}
	send(t.Context(), 14, 1, nil)
	queued(3)
	close(proceed)
	wait.Wait()
	close(entered)
	var sizes []int
	for n := range entered {
		sizes = append(sizes, n)
	}
	// Three together, and then one by one.
	if got := fmt.Sprint(sizes); got != "[3 1 1 1]" {
		t.Errorf("groups of %s", got)
	}
	if g.leaders != 0 || g.queued != 0 || len(g.queue) != 0 {
		t.Errorf("left: %d leaders, %d events", g.leaders, g.queued)
	}
}
