package inspect_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/storetest"
)

// A look counts hosts by their silence and tells how far partitions are made.
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
