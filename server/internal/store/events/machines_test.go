package events_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A host that has as many machines as there may be gets no new ones; its own, and
// other hosts, go on.
func TestHostInventsMachines(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	event := func(machine string, minute int) api.Event {
		return api.Event{MachineID: machine, Timestamp: now.Add(time.Duration(minute) * time.Minute), KeyCount: 1}
	}
	storetest.Accepted(t, s, host, []api.Event{event("own", 0)}, 1)
	if _, err := storetest.Connect(t, url).Exec(t.Context(), `INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
		SELECT 'invented' || i, $1, now(), now(), now(), 60, false FROM generate_series(2, $2::int) i`, host, dictionary.MaxHostMachines); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{event("new", 1), event("own", 1), event("new", 2)}})
		if err != nil || w.Accepted != 1-round || w.Duplicates != round || fmt.Sprint(w.Excess) != "[0 2]" || len(w.Foreign) > 0 {
			t.Errorf("%+v, %v", w, err)
		}
	}
	other := storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('other', '', '') RETURNING id")
	storetest.Accepted(t, s, other, []api.Event{event("new", 1)}, 1)
	w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{event("new", 1)}})
	if err != nil || len(w.Foreign) != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	storetest.Exact(t, s, 3)
}

// One person who measures themselves takes nobody else's machine_ids: not one after
// another, and not in one batch.
func TestPersonInventsMachines(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	person := storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment, kind) VALUES ('person', '', '', 'user') RETURNING id")
	events := []api.Event{{MachineID: "own", Timestamp: now, KeyCount: 1}}
	storetest.Accepted(t, s, person, events, 1)
	events = nil
	for i := range dictionary.MaxPersonMachines + 2 {
		events = append(events, api.Event{MachineID: fmt.Sprintf("somebody%d", i), Timestamp: now, KeyCount: 1})
	}
	w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: person, Events: events})
	if err != nil || w.Accepted != dictionary.MaxPersonMachines-1 || len(w.Excess) != 3 {
		t.Errorf("%+v, %v; want %d machines in all", w, err, dictionary.MaxPersonMachines)
	}
	host := storetest.AddHost(t, s)
	storetest.Accepted(t, s, host, events[dictionary.MaxPersonMachines-1:], 3)
}
