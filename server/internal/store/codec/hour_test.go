package codec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

func anyKind(r *rand.Rand) api.SessionKind {
	kinds := []api.SessionKind{"", api.SessionRDP, api.SessionLocal, api.SessionTTY, api.SessionVirtual}
	return kinds[r.IntN(len(kinds))]
}

// anyHour returns events with anything that an event may hold.
func anyHour(r *rand.Rand, first time.Time) ([]api.Event, []Refs) {
	n := 1 + r.IntN(80)
	unit := []time.Duration{time.Microsecond, time.Millisecond, time.Second}[r.IntN(3)]
	events, of := make([]api.Event, n), make([]Refs, n)
	at := first
	long := int64(math.MaxInt64)
	for i := range events {
		e := &events[i]
		e.Timestamp = at
		at = at.Add(time.Duration(1+r.IntN(30)) * unit)
		e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount = r.Int64N(2), r.Int64N(300), r.Int64N(1<<r.IntN(31)), r.Int64N(api.MaxCount)
		e.IsIdle, e.SessionKind = r.IntN(2) == 0, anyKind(r)
		e.DistanceUnit = []api.DistanceUnit{"", api.UnitDevice}[r.IntN(2)]
		maybe := func(v float64, to **float64) {
			switch r.IntN(4) {
			case 0:
			case 1:
				*to = &v
			default:
				v = math.Round(v*100) / 100
				*to = &v
			}
		}
		maybe(r.Float64()*100, &e.CPUPercent)
		maybe(r.Float64()*3600, &e.ActiveSeconds)
		maybe(50, &e.RAMUsedPercent)
		maybe(r.Float64(), &e.DiskUsedPercent)
		maybe(r.Float64()*100, &e.UserCPUPercent)
		number := func(v int64, to **int64) {
			if r.IntN(2) == 0 {
				*to = &v
			}
		}
		number([]int64{60, 5, r.Int64N(3600)}[r.IntN(3)], &e.IntervalSec)
		number(r.Int64N(e.Interval()+1), &e.CollectedSeconds)
		if e.CollectedSeconds != nil && *e.CollectedSeconds == e.Interval() {
			e.CollectedSeconds = nil // as not said
		}
		number(r.Int64N(long), &e.SyntheticCount)
		number(r.Int64N(1<<40)<<(10*r.IntN(2)), &e.UserRAMBytes)
		if r.IntN(2) == 0 {
			yes := r.IntN(2) == 0
			e.Connected = &yes
		}
		if r.IntN(2) == 0 {
			yes := r.IntN(2) == 0
			e.Locked = &yes
		}
		any := func() Ref { return Ref{App: r.Uint64N(5), Title: r.Uint64N(3) << (20 * r.IntN(3))} }
		of[i].Active = any()
		if focused := max(0, r.IntN(6)-2); focused > 0 {
			e.Focus, of[i].Focus = make([]api.Focus, focused), make([]Ref, focused)
			for j := range focused {
				e.Focus[j].Seconds = float64(r.IntN(60_000)) / []float64{1000, 1, 3}[r.IntN(3)]
				if r.IntN(2) == 0 {
					active := e.Focus[j].Seconds * []float64{0, 1, 1, 1.0 / 3, 2}[r.IntN(5)]
					e.Focus[j].ActiveSeconds = &active
				}
				of[i].Focus[j] = any()
			}
		}
	}
	return events, of
}

// Every value comes back as it was, and reading the times alone agrees.
func TestPackedHourComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		first := time.Date(2026, 5, 4, r.IntN(24), r.IntN(15), 0, 0, time.UTC).Add(time.Duration(r.IntN(1e6)) * time.Microsecond)
		events, of := anyHour(r, first)
		body := EncodeHour(events, of)
		got, gotOf, err := DecodeHour(first, body)
		if err != nil || !reflect.DeepEqual(got, events) || !reflect.DeepEqual(gotOf, of) {
			t.Fatalf("%v\n%+v %v became\n%+v %v", err, events, of, got, gotOf)
		}
		times, err := HourTimes(first, body)
		if err != nil || len(times) != len(events) || times[len(times)-1] != events[len(events)-1].Timestamp.UnixMicro() {
			t.Fatalf("times %v, %v", times, err)
		}
		// Cut anywhere it is an error.
		if _, _, err := DecodeHour(first, body[:r.IntN(len(body))]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut: %v", err)
		}
	}
}

func TestNewerHourIsRefused(t *testing.T) {
	body := EncodeHour([]api.Event{{}}, []Refs{{}})
	body[0]++
	if _, _, err := DecodeHour(time.Unix(1e9, 0), body); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}

// A usual hour takes a fraction of what its events take one by one.
func TestPackedHourIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var events []api.Event
	var of []Refs
	single, minute, share := 0, int64(60), 41.25
	for i := range 60 {
		seconds, cpu := float64(r.IntN(60_000))/1000, float64(r.IntN(9000))/100
		e := api.Event{
			Timestamp: time.Unix(0, 0).Add(time.Duration(i) * time.Minute), KeyCount: r.Int64N(240), MouseClicks: r.Int64N(40), MouseDistancePx: r.Int64N(9000),
			IntervalSec: &minute, ActiveSeconds: &seconds, CPUPercent: &cpu, RAMUsedPercent: &share, SessionKind: api.SessionRDP,
			Focus: []api.Focus{{Seconds: seconds}, {Seconds: 60 - seconds}},
		}
		of = append(of, Refs{Active: Ref{7, 100_000 + uint64(i/5)}, Focus: []Ref{{7, 100_000 + uint64(i/5)}, {3, 99_000 + r.Uint64N(5)}}})
		single += len(AppendEvent(nil, &e, &of[i]))
		events = append(events, e)
	}
	const most = 20
	if packed := len(EncodeHour(events, of)); packed > most*len(events) {
		t.Errorf("%d bytes for %d events, want %d for each; one by one they take %d", packed, len(events), most, single)
	}
}

func FuzzUnpackHour(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	first := time.Unix(1e9, 0).UTC()
	for range 20 {
		events, of := anyHour(r, first)
		f.Add(EncodeHour(events, of))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		// Damage is an error, never a panic; what is none comes back.
		events, of, err := DecodeHour(first, body)
		if err != nil {
			return
		}
		again, againOf, err := DecodeHour(first, EncodeHour(events, of))
		if err != nil || fmt.Sprintf("%+v", againOf) != fmt.Sprintf("%+v", of) || len(again) != len(events) {
			t.Fatalf("%v: %+v became %+v", err, of, againOf)
		}
	})
}
