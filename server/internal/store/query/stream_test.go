package query_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
)

// A stream has every event once, in order and with its names, over as many
// pages as it takes.
func TestEachEvent(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	const n = 2*query.StreamEvents + 7
	var events []api.Event
	for i := range n {
		events = append(events, api.Event{MachineID: "m", Timestamp: now.Add(time.Duration(i-n) * time.Second), ActiveApp: fmt.Sprint("a", i%3), ActiveWindow: fmt.Sprint("w", i%5)})
	}
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	from, to := events[1].Timestamp, events[n-1].Timestamp
	at := 1
	err := s.EachEvent(t.Context(), directory.Scope{}, "m", from, to, func(e *api.Event) error {
		if want := &events[at]; !e.Timestamp.Equal(want.Timestamp) || e.ActiveApp != want.ActiveApp || e.ActiveWindow != want.ActiveWindow || e.MachineID != "m" {
			t.Fatalf("event %d: %+v, want %+v", at, e, want)
		}
		at++
		return nil
	})
	if err != nil || at != n-1 {
		t.Errorf("%d events, %v", at-1, err)
	}
	stop, seen := errors.New("stop"), 0
	err = s.EachEvent(t.Context(), directory.Scope{}, "m", from, to, func(*api.Event) error {
		seen++
		return stop
	})
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("stopped after %d with %v", seen, err)
	}
	if err := s.EachEvent(t.Context(), directory.Scope{}, "other", from, to, nil); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("unknown machine: %v", err)
	}
	if err := s.EachEvent(t.Context(), directory.Scope{}, "m", to, from, nil); err != nil {
		t.Errorf("empty range: %v", err)
	}
}
