package query_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Neither asking nor writing reads a whole partition, where planning knows how
// large they are.
func TestNoPartitionIsReadWhole(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	storetest.OnOneNode(t, s)
	host := storetest.AddHost(t, s)
	for m := range 20 {
		var events []api.Event
		for i := range 1000 {
			events = append(events, api.Event{
				MachineID: fmt.Sprintf("m%d", m), Timestamp: now.Add(-time.Duration(i*20) * time.Minute), ActiveApp: "a", ActiveWindow: fmt.Sprint(i),
			})
		}
		if w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil || w.Accepted != len(events) {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	s.Close()
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	const scans = `SELECT coalesce(sum(seq_scan), 0)::int FROM pg_stat_user_tables
		WHERE (relname LIKE 'event%' OR relname LIKE 'rollup%') AND relname NOT LIKE '%default'`
	const found = `SELECT coalesce(sum(idx_scan), 0)::int FROM pg_stat_user_tables WHERE relname LIKE 'event_2%'`
	before, foundBefore := storetest.Ask[int](t, url, scans), storetest.Ask[int](t, url, found)
	again := storetest.OpenAt(t, url, partition.Retention{}, now)
	for i := range 10 {
		machine, from := fmt.Sprintf("m%d", i), now.AddDate(0, 0, -i).Truncate(time.Hour)
		if page, err := again.Events(t.Context(), directory.Scope{}, machine, from.Add(-24*time.Hour), from, 1000); err != nil || len(page.Events) == 0 {
			t.Fatalf("%d events, %v", len(page.Events), err)
		}
		if _, err := again.Activity(t.Context(), directory.Scope{}, machine, []time.Time{from.Add(-24 * time.Hour), from}, 5); err != nil {
			t.Fatal(err)
		}
		e := api.Event{MachineID: machine, Timestamp: from.Add(time.Second), ActiveApp: "a", ActiveWindow: "5"}
		if w, err := again.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e}}); err != nil || w.Accepted != 1 {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	// A connection reports what it did when it ends.
	again.Close()
	for deadline := time.Now().Add(20 * time.Second); storetest.Ask[int](t, url, found) == foundBefore; {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL's statistics show no use of the events' key")
		}
	}
	if after := storetest.Ask[int](t, url, scans); after != before {
		t.Errorf("%d partitions were read whole: %s", after-before, storetest.Ask[string](t, url, `SELECT string_agg(format('%s %s of %s rows', relname, seq_scan, n_live_tup), ', ')
			FROM pg_stat_user_tables WHERE seq_scan > 0`))
	}
}
