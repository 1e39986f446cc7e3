package events_test

import (
	"errors"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A revoked credential writes nothing, and its neighbours' batches are stored.
// Rows that are no longer what was remembered of them are made again.
func TestWriteLooksAgain(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	batch := func(credential string, minute int) storetest.Batch {
		return storetest.Batch{Host: host, Credential: credential, Events: []api.Event{{
			MachineID: "m" + credential, Timestamp: now.Add(time.Duration(minute) * time.Minute), ActiveApp: "a", ActiveWindow: "w",
		}}}
	}
	if _, err := s.WriteEvents(t.Context(), batch("gone", 0)); !errors.Is(err, events.ErrRevoked) || errors.Is(err, db.ErrUnavailable) {
		t.Errorf("revoked: %v", err)
	}
	for i, answer := range s.WriteGroup(t.Context(), []storetest.Batch{batch("cred", 0), batch("gone", 1), batch("cred", 2)}) {
		if refused := i == 1; errors.Is(answer.Err, events.ErrRevoked) != refused || !refused && answer.Written.Accepted != 1 {
			t.Errorf("batch %d: %+v", i, answer)
		}
	}
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "DELETE FROM event; DELETE FROM rollup; DELETE FROM machine"); err != nil {
		t.Fatal(err)
	}
	if w, err := s.WriteEvents(t.Context(), batch("cred", 0)); err != nil || w.Accepted != 1 {
		t.Errorf("after the machines were gone: %+v, %v", w, err)
	}
	if c, err := s.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 || c.Machines != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
