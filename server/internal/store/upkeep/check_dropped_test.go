package upkeep_test

import (
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Repairing roll-ups leaves those alone whose events a server dropped that kept them
// for less long than the one who repairs, or than the same one now.
func TestRepairKeepsRollupsOfDroppedEvents(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	s := storetest.OpenAt(t, url, partition.Retention{Events: 30 * day}, now)
	host := storetest.AddHost(t, s)
	at := func(ago time.Duration) api.Event {
		return api.Event{MachineID: "m", Timestamp: now.Add(-ago), KeyCount: 5, ActiveApp: "app"}
	}
	storetest.Accepted(t, s, host, []api.Event{at(2000 * day), at(100 * day), at(40 * day), at(10 * day), at(time.Hour)}, 5)
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event"); n != 2 {
		t.Fatalf("%d events are kept of 2", n)
	}
	for _, keep := range []partition.Retention{{Events: 400 * day, Titles: 400 * day, Rollups: 1100 * day}, {}} {
		longer := storetest.OpenAt(t, url, keep, now)
		c, err := longer.CheckRollups(t.Context(), true)
		if err != nil || c.Events != 2 || c.Wrong != 0 {
			t.Errorf("%+v, %v", c, err)
		}
		all, err := s.Activity(t.Context(), directory.Scope{}, "m", []time.Time{now.Add(-3000 * day), now}, 1)
		if err != nil || len(all) != 1 || all[0].Counts[api.Keys] != 25 {
			t.Errorf("%+v, %v; want all keys of 5 events", all, err)
		}
	}
}
