package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// TestSlowPowerCut cuts a machine's power while a person types and the server is
// away. What was typed before the last but one record was made is kept: that
// record has it, and was on the disk before it was seen to wait. Of what was typed
// since, only what the helper had reported can be. Nothing is there twice.
func TestSlowPowerCut(t *testing.T) {
	m := trackedMachine(t, debian.Bookworm)
	alice := m.waitTracked(t, testmachine.Alice)
	one := counts{keys: 12, clicks: 2, scroll: 3, distance: 40}
	m.work(t, one)
	m.wantTotal(t, alice.MachineID, one)

	m.srv.Stop(t)
	safe, typed := m.typeUntilWaiting(t, 4)
	must(t, m.PowerCut())
	must(t, m.Boot(t.Context()))
	m.srv.Start(t)
	m.waitTracked(t, testmachine.Alice)
	m.work(t, one)

	events := m.waitAllButKeys(t, alice.MachineID, one.add(one))
	kept := total(events).keys - 2*one.keys
	t.Logf("%d of %d keys are kept, at least %d must be", kept, typed, safe)
	if kept < safe || kept > typed {
		t.Errorf("of %d keys the server has %d, want at least %d", typed, kept, safe)
	}
	wantApart(t, events)
	m.wantNoneRefused(t)
}

// typeUntilWaiting has a person type until so many records wait for the server,
// and a little more. It returns how many keys were typed before the last but one
// of them was made, and in all.
func (m *machine) typeUntilWaiting(t *testing.T, records int) (safe, typed int64) {
	t.Helper()
	typeSome := func() {
		const keys = 5
		_, err := m.Type(t.Context(), strings.Repeat("a", keys))
		must(t, err)
		typed += keys
	}
	typedBy := make([]int64, records) // while no more records waited than that
	eventually(t, patience, fmt.Sprintf("%d records wait", records), func() error {
		typeSome()
		waiting := m.waiting(t)
		if waiting >= records {
			return nil
		}
		for i := waiting; i < records; i++ {
			typedBy[i] = typed
		}
		return fmt.Errorf("%d do", waiting)
	})
	typeSome()
	return typedBy[records-2], typed
}

// waiting returns how many records wait for the server.
func (m *machine) waiting(t *testing.T) int {
	t.Helper()
	var s struct {
		Host struct {
			EventsWaiting int `json:"events_waiting"`
		} `json:"host"`
	}
	must(t, json.Unmarshal([]byte(m.run(t, "trackctl", "status", "--json")), &s))
	return s.Host.EventsWaiting
}

// waitAllButKeys waits until the server has so much of a machine_id, however many
// keys, and returns its records.
func (m *machine) waitAllButKeys(t *testing.T, machineID string, want counts) []api.Event {
	t.Helper()
	var events []api.Event
	eventually(t, patience, "the server has what was done, but for keys", func() error {
		var err error
		if events, err = m.srv.Events(t.Context(), machineID); err != nil {
			return err
		}
		got := total(events)
		if want.keys = got.keys; got != want {
			return fmt.Errorf("it has %+v, want %+v", got, want)
		}
		return nil
	})
	return events
}

// wantApart checks that each record begins after the end of the one before.
func wantApart(t *testing.T, events []api.Event) {
	t.Helper()
	var end time.Time
	for _, e := range events {
		if e.IntervalSec == nil || e.Timestamp.Before(end) {
			t.Errorf("after a record that ends at %s comes %+v", end, e)
			continue
		}
		end = e.Timestamp.Add(time.Duration(*e.IntervalSec) * time.Second)
	}
}
