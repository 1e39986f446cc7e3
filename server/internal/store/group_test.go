package store

import (
	"context"
	"slices"
	"strings"
	"testing"

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
	g.leaders = 1
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
	g.handOver()
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
