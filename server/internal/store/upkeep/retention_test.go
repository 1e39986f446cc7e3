package upkeep_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/storetest"
)

// Several servers make the partitions that events need; a host with wrong
// timestamps can't make many.
func TestPartitionsOnDemand(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	keep := partition.Retention{Events: 400 * 24 * time.Hour, Titles: 400 * 24 * time.Hour, Rollups: 400 * 24 * time.Hour}
	stores := []*storetest.Store{storetest.OpenAt(t, url, keep, now), storetest.OpenAt(t, url, keep, now)}
	host := storetest.AddHost(t, stores[0])
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			var events []api.Event
			for day := 0; now.AddDate(0, 0, -day).Year() >= 2000; day += 5 {
				events = append(events, api.Event{MachineID: fmt.Sprintf("m%d", i), Timestamp: now.AddDate(0, 0, 1-day), ActiveWindow: "w"})
			}
			w, err := stores[i%2].WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events})
			// On a busy machine so many take longer than a group may; what was
			// made stays.
			for tries := 0; errors.Is(err, db.ErrUnavailable) && tries < 5; tries++ {
				w, err = stores[i%2].WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events})
			}
			if err != nil || w.Accepted != len(events) {
				t.Errorf("%+v, %v", w, err)
			}
		})
	}
	wait.Wait()
	const partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass"
	if n := storetest.Ask[int](t, url, partitions); n < 60 || n > 71 {
		t.Errorf("%d partitions of events", n)
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event_default WHERE ts >= '2025-04-05'"); n != 0 {
		t.Errorf("%d newer events are in the default partition", n)
	}
	// More is kept now: times whose rows are in the default partition stay there.
	keep.Events, keep.Titles, keep.Rollups = 0, 0, 0
	later := storetest.OpenAt(t, url, keep, now)
	w, err := later.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{{MachineID: "m0", Timestamp: now.AddDate(-2, 0, 0).Add(time.Second), ActiveWindow: "other"}}})
	if err != nil || w.Accepted != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := later.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if c, err := later.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Each kind of data goes at its own time, whichever server sees to it, by setting or by
// policy: the shorter holds.
func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	days := func(n int) *int { return &n }
	set := partition.Retention{Events: 100 * day, Titles: 40 * day, Rollups: 300 * day}
	t.Run("set", func(t *testing.T) { retention(t, set, policy.Retention{}) })
	t.Run("policy", func(t *testing.T) {
		retention(t, partition.Retention{}, policy.Retention{EventsDays: days(100), TitlesDays: days(40), RollupsDays: days(300)})
	})
	t.Run("shorter", func(t *testing.T) {
		set := partition.Retention{Events: 100 * day, Titles: 41 * day, Rollups: 300 * day}
		retention(t, set, policy.Retention{EventsDays: days(101), TitlesDays: days(40)})
	})
}

func retention(t *testing.T, keep partition.Retention, by policy.Retention) {
	t.Helper()
	url := storetest.NewDatabase(t)
	const day = 24 * time.Hour
	written := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, keep, written)
	if by != (policy.Retention{}) {
		if _, err := s.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: policy.Document{Retention: &by}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	host := storetest.AddHost(t, s)
	e := api.Event{MachineID: "m", Timestamp: written, KeyCount: 7, ActiveApp: "a", ActiveWindow: "secret title"}
	ancient := e
	ancient.Timestamp = written.AddDate(-10, 0, 0)
	if w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e, ancient}}); err != nil || w.Accepted != 2 {
		t.Fatalf("%+v, %v", w, err)
	}
	look := func(s *storetest.Store) (events int, title string, keys int64) {
		t.Helper()
		page, err := s.Events(t.Context(), directory.Scope{}, "m", ancient.Timestamp, written.Add(time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			title += e.ActiveWindow
		}
		activity, err := s.Activity(t.Context(), directory.Scope{}, "m", []time.Time{written.Truncate(day), written.Truncate(day).Add(day)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events), title, activity[0].Counts[api.Keys]
	}
	for _, step := range []struct {
		after  time.Duration
		events int
		title  string
		keys   int64
	}{
		// The ancient one's title was not kept at all, and it goes at once.
		{0, 1, "secret title", 7},
		{90 * day, 1, "", 7},
		{110 * day, 0, "", 7},
		{350 * day, 0, "", 0},
	} {
		later := storetest.OpenAt(t, url, keep, written.Add(step.after))
		if _, err := later.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if events, title, keys := look(later); events != step.events || title != step.title || keys != step.keys {
			t.Errorf("after %v: %d events, title %q, %d keys; want %+v", step.after, events, title, keys, step)
		}
		if c, err := later.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
			t.Errorf("after %v: %+v, %v", step.after, c, err)
		}
	}
}
