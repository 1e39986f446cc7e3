package codec

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

func TestPackedEventComesBack(t *testing.T) {
	one, third, big := 12.34, 1.0/3, int64(1<<50-1)
	minute, hour, yes, no := int64(60), int64(3600), true, false
	for _, e := range []api.Event{
		{},
		{IsIdle: true, IntervalSec: &minute, Connected: &no},
		{KeyCount: api.MaxCount, IntervalSec: &hour, Connected: &yes, SessionKind: api.SessionLocal, UserCPUPercent: &third},
		{CPUPercent: &one, RAMUsedPercent: &third, DiskUsedPercent: &one, ActiveSeconds: &third, UserRAMBytes: &big, SyntheticCount: &big, RepeatCount: &big},
		{UserCPUPercent: &one, UserRAMBytes: &big, Focus: []api.Focus{{Seconds: third}, {Seconds: one}}, SessionKind: api.SessionTTY},
		{SessionKind: api.SessionVirtual, Connected: &yes},
		{Locked: &yes},
		{CollectedSeconds: new(int64(59))},
		{CollectedSeconds: new(int64(0)), IntervalSec: &hour, Locked: &no},
		{Locked: &no, IsIdle: true},
		{Focus: []api.Focus{{Seconds: 43.21, ActiveSeconds: &one}, {Seconds: 12.34, ActiveSeconds: &one}, {Seconds: 9}, {Seconds: third, ActiveSeconds: &third}, {Seconds: 1, ActiveSeconds: &one}, {Seconds: 1, ActiveSeconds: new(float64)}}},
		{MouseDistancePx: 7, DistanceUnit: api.UnitDevice, SessionKind: api.SessionLocal},
	} {
		r := Refs{Active: Ref{5, 1 << 40}, Focus: make([]Ref, len(e.Focus))}
		for i := range r.Focus {
			r.Focus[i] = Ref{uint64(i), uint64(i) << 33}
		}
		e.Timestamp = time.Unix(1e9, 0).UTC()
		got, back, err := DecodeEvent(e.Timestamp, AppendEvent(nil, &e, &r))
		if err != nil || fmt.Sprint(back.Active, back.Focus) != fmt.Sprint(r.Active, r.Focus) || printed(t, got) != printed(t, e) {
			t.Errorf("%s %v became %s %v (%v)", printed(t, e), r, printed(t, got), back, err)
		}
	}
}

// What was packed before an event had a unit reads back as it was, and an
// event in pixels still takes those bytes.
func TestOldPackedEventsAreReadAsBefore(t *testing.T) {
	minute, yes := int64(60), true
	e := api.Event{
		Timestamp: time.Unix(1e9, 0).UTC(), KeyCount: 1, MouseClicks: 2, MouseDistancePx: 300, ScrollCount: 4,
		IntervalSec: &minute, Connected: &yes, SessionKind: api.SessionTTY,
	}
	const old = "3e0102ac02040506"
	r := Refs{Active: Ref{5, 6}}
	unit := e
	unit.DistanceUnit = api.UnitPixels
	// One of which all was collected takes no byte for it.
	unit.CollectedSeconds = &minute
	for _, in := range []*api.Event{&e, &unit} {
		if got := fmt.Sprintf("%x", AppendEvent(nil, in, &r)); got != old {
			t.Errorf("in %q: %s, want %s", in.DistanceUnit, got, old)
		}
	}
	body, err := hex.DecodeString(old)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := DecodeEvent(e.Timestamp, body)
	if err != nil || printed(t, got) != printed(t, e) {
		t.Errorf("%s became %s (%v)", printed(t, e), printed(t, got), err)
	}
}

func FuzzUnpackEvent(f *testing.F) {
	f.Add(AppendEvent(nil, &api.Event{Focus: []api.Focus{{Seconds: 5, ActiveSeconds: new(float64)}}}, &Refs{Focus: make([]Ref, 1)}))
	f.Add(AppendEvent(nil, &api.Event{KeyCount: 5, Focus: []api.Focus{{Seconds: 1.0 / 3}}}, &Refs{Focus: make([]Ref, 1)}))
	f.Fuzz(func(_ *testing.T, body []byte) {
		// Damage is an error, never a panic.
		_, _, _ = DecodeEvent(time.Time{}, body)
	})
}

// printed returns an event with all of its fields.
func printed(t *testing.T, e api.Event) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
