package inspect_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A look counts hosts by their silence and finds how far partitions are made.
func TestLook(t *testing.T) {
	s := storetest.Unprepared(t, storetest.NewDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := storetest.AddHost(t, s)
	now := time.Now().UTC().Truncate(time.Minute)
	for i, ago := range []time.Duration{time.Minute, 2 * time.Hour} {
		e := api.Event{MachineID: fmt.Sprintf("m%d", i), Timestamp: now.Add(-ago)}
		if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Machines != 2 || l.Hosts.Hour != 1 || l.Hosts.Day+l.Hosts.Week+l.Hosts.Longer != 0 || !l.Newest.Equal(now.Add(-time.Minute)) {
		t.Errorf("%+v", l)
	}
	for _, table := range l.Tables {
		if table.Partitions == 0 || table.Until.Before(now.AddDate(0, 0, 1)) || table.Bytes == 0 {
			t.Errorf("%+v", table)
		}
	}
}

// A look reads the weeks that events lie in which came long after their day, as
// days.
func TestLookReadsWeeks(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	late := api.Event{MachineID: "m", Timestamp: now.AddDate(0, 0, -60)}
	storetest.Accepted(t, s, storetest.AddHost(t, s), []api.Event{late, {MachineID: "m", Timestamp: now}}, 2)
	l, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := l.Tables[slices.IndexFunc(l.Tables, func(table inspect.TableLook) bool { return table.Name == "event" })]
	monday := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	if events.Partitions != 2 || !events.From.Equal(monday) || !events.Until.Equal(time.Date(2026, 5, 15, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, want a week from %v and a day", events, monday)
	}
}
