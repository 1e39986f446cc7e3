package query_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
)

// What the contract allows fits the columns: the largest values of every field.
func TestLargestEventComesBack(t *testing.T) {
	s := storetest.Unprepared(t, storetest.NewDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := storetest.AddHost(t, s)
	most, share, seconds := int64(api.MaxCount), 100.0, float64(api.MaxIntervalSec)
	interval, memory := int64(api.MaxIntervalSec), int64(1)<<50
	e := api.Event{
		MachineID: strings.Repeat("ä", api.MaxMachineIDBytes/2), Timestamp: time.Date(2100, 1, 1, 0, 0, 0, 123456000, time.UTC),
		KeyCount: most, MouseClicks: most, MouseDistancePx: most, ScrollCount: most, SyntheticCount: &most,
		ActiveWindow: strings.Repeat("\x01", api.MaxTextBytes), ActiveApp: strings.Repeat("'", api.MaxAppBytes),
		CPUPercent: &share, RAMUsedPercent: &share, DiskUsedPercent: &share, UserCPUPercent: &share, UserRAMBytes: &memory,
		IntervalSec: &interval, ActiveSeconds: &seconds, SessionKind: api.SessionVirtual, DistanceUnit: api.UnitDevice, Username: strings.Repeat("u", api.MaxAppBytes),
	}
	for i := range api.MaxFocus {
		e.Focus = append(e.Focus, api.Focus{App: fmt.Sprintf("%d\\\"", i), Title: strings.Repeat("\x1f", api.MaxTextBytes), Seconds: seconds})
	}
	for _, want := range []storetest.Written{{Accepted: 1}, {Duplicates: 1}} {
		got, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e}})
		if err != nil || got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || len(got.Foreign) != 0 {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	page, err := s.Events(t.Context(), directory.Scope{}, e.MachineID, e.Timestamp, e.Timestamp.Add(time.Microsecond), 10)
	if err != nil || len(page.Events) != 1 || page.More {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	if got, want := fmt.Sprintf("%+v", deref(page.Events[0])), fmt.Sprintf("%+v", deref(e)); got != want {
		t.Errorf("got  %.300s\nwant %.300s", got, want)
	}
	activity, err := s.Activity(t.Context(), directory.Scope{}, e.MachineID, []time.Time{e.Timestamp, e.Timestamp.Add(time.Hour)}, 5)
	if err != nil || activity[0].Counts[api.Keys] != most || activity[0].ActiveSeconds != seconds || len(activity[0].Apps) != 5 {
		t.Errorf("%+v, %v", activity, err)
	}
}

// A page ends early rather than hold too much.
func TestPageIsBoundedInBytes(t *testing.T) {
	s := storetest.Unprepared(t, storetest.NewDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := storetest.AddHost(t, s)
	start := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	var focus []api.Focus
	for range api.MaxFocus {
		// Six times as long in JSON.
		focus = append(focus, api.Focus{App: "a", Title: strings.Repeat("\x01", api.MaxTextBytes), Seconds: 1})
	}
	const n = 50
	var events []api.Event
	for i := range n {
		events = append(events, api.Event{MachineID: "m", Timestamp: start.Add(time.Duration(i) * time.Minute), Focus: focus})
	}
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	page, err := s.Events(t.Context(), directory.Scope{}, "m", start, start.Add(time.Hour), n)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(page.Events)
	if err != nil {
		t.Fatal(err)
	}
	if largest := 7 * api.MaxFocus * api.MaxTextBytes; !page.More || len(text) > query.MaxPageBytes+largest || len(text) < query.MaxPageBytes/2 {
		t.Errorf("%d events of %d bytes, more %v", len(page.Events), len(text), page.More)
	}
}

// deref makes two events comparable by their printed form.
func deref(e api.Event) map[string]any {
	return map[string]any{
		"id": e.MachineID, "ts": e.Timestamp, "counts": []int64{e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount, *e.SyntheticCount},
		"texts": []string{e.ActiveApp, e.ActiveWindow, e.Username, string(e.SessionKind), string(e.DistanceUnit)}, "focus": e.Focus,
		"shares": []float64{*e.CPUPercent, *e.RAMUsedPercent, *e.DiskUsedPercent, *e.UserCPUPercent, *e.ActiveSeconds},
		"rest":   []int64{*e.UserRAMBytes, *e.IntervalSec},
	}
}
