package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/upkeep"
	"activity-tracker.example/server/internal/store/walk"
)

// Compact runs a round of compaction.
func Compact(t *testing.T, s *Store) upkeep.Compacted {
	t.Helper()
	done, err := s.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Told is a machine's events as a reader gets them, page by page of that size.
func Told(t *testing.T, s *Store, machine string, from, to time.Time, size int) []string {
	t.Helper()
	var list []string
	for {
		page, err := s.Events(t.Context(), directory.Scope{}, machine, from, to, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			list = append(list, fmt.Sprint(Printed(t, e), e.ActiveApp, e.ActiveWindow))
		}
		if !page.More {
			return list
		}
		from = walk.After(page.Events[len(page.Events)-1].Timestamp)
	}
}

// Same reports whether two lists are equal.
func Same(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// Days returns the events of some machines, a few an hour, over days before now.
func Days(r *rand.Rand, now time.Time, machines, count int) []api.Event {
	var events []api.Event
	for m := range machines {
		for at := now.AddDate(0, 0, -count); at.Before(now); at = at.Add(time.Duration(5+r.IntN(50)) * time.Minute) {
			e := SomeEvent(r, now)
			e.MachineID, e.Timestamp = fmt.Sprintf("m%d", m), at
			events = append(events, e)
		}
	}
	return events
}

// Exact checks that all sums match their events, and how many events there are.
func Exact(t *testing.T, s *Store, events int) {
	t.Helper()
	c, err := s.CheckRollups(t.Context(), false)
	if err != nil || c.Wrong != 0 || c.Events != events {
		t.Errorf("%+v %v, want %d events and none wrong", c, err, events)
	}
}

// Accepted stores events and checks how many were new. Where the database is spread making a
// month of partitions may take longer than a write has: it is sent again then, as hosts do.
func Accepted(t *testing.T, s *Store, host int64, events []api.Event, want int) {
	t.Helper()
	w, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: events})
	for s.Spread() && errors.Is(err, db.ErrUnavailable) && t.Context().Err() == nil {
		w, err = s.WriteEvents(t.Context(), Batch{Host: host, Events: events})
	}
	if err != nil || w.Accepted != want || w.Duplicates != len(events)-want {
		t.Errorf("%+v, %v; want %d accepted of %d", w, err, want, len(events))
	}
}

// Ask returns the one value that a query selects.
func Ask[T any](t *testing.T, url, sql string) T {
	t.Helper()
	// Not Connect, whose connections last for the whole test: there are only so many.
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// SomeEvent is an event with any fields; small times and names, so that much
// meets in one roll-up.
func SomeEvent(r *rand.Rand, now time.Time) api.Event {
	e := api.Event{
		MachineID: fmt.Sprintf("m%d", r.IntN(6)), Timestamp: now.Add(-time.Duration(r.IntN(200)) * time.Minute),
		KeyCount: int64(r.IntN(3)), MouseClicks: int64(r.IntN(2)), ScrollCount: int64(r.IntN(2)), IsIdle: r.IntN(3) == 0,
		ActiveApp: fmt.Sprintf("app%d", r.IntN(4)), ActiveWindow: fmt.Sprintf("title %d", r.IntN(9)),
	}
	if r.IntN(2) == 0 {
		seconds := float64(r.IntN(70_000)) / 1000
		e.ActiveSeconds = &seconds
	}
	if r.IntN(4) == 0 {
		collected := int64(r.IntN(60))
		e.CollectedSeconds = &collected
	}
	if r.IntN(3) == 0 {
		locked := r.IntN(2) == 0
		e.Locked = &locked
	}
	for range r.IntN(3) {
		f := api.Focus{App: fmt.Sprintf("app%d", r.IntN(5)), Title: "t", Seconds: r.Float64() * 60}
		if r.IntN(2) == 0 {
			active := f.Seconds * r.Float64()
			f.ActiveSeconds = &active
		}
		e.Focus = append(e.Focus, f)
	}
	return e
}

// Printed returns an event with all of its fields but its names, which are kept apart.
func Printed(t *testing.T, e api.Event) string {
	t.Helper()
	e.MachineID, e.Username, e.ActiveApp, e.ActiveWindow = "", "", "", ""
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
