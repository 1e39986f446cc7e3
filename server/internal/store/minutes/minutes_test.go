package minutes_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/minutes"
)

// start is within a minute and a quarter of an hour.
func start() time.Time { return time.Date(2026, 5, 4, 11, 52, 30, 0, time.UTC) }

// second is what the plain model keeps of each second.
type second struct {
	covered bool
	state   minutes.State
	active  float64
}

// model spreads records over seconds, one by one, and adds these up to minutes.
func model(from, to time.Time, list []minutes.Record) []minutes.Minute {
	out := make([]minutes.Minute, int(to.Sub(from)/time.Minute))
	active := make([]int64, len(out))
	for _, r := range list {
		share := make([]second, len(out)*60)
		for s := range r.LengthMS / 1000 {
			at := (r.Start-from.UnixMicro())/1_000_000 + s
			if at >= 0 && at < int64(len(share)) {
				share[at] = second{true, r.Rest, float64(r.ActiveMS) / float64(r.LengthMS/1000)}
			}
		}
		for i := range out {
			sum, covered := 0.0, false
			for _, s := range share[i*60 : (i+1)*60] {
				sum, covered = sum+s.active, covered || s.covered
			}
			state := minutes.Unknown
			if covered {
				state = r.Rest
				if sum > 0 {
					state = minutes.Active
				}
			}
			out[i].State = max(out[i].State, state)
			active[i] += int64(sum + 0.5)
		}
	}
	for i := range out {
		out[i].ActiveMS = uint16(min(active[i], minutes.LengthMS))
	}
	return out
}

func anyRecord(r *rand.Rand) minutes.Record {
	length := []int64{5, 30, 60, 60, 60, 300, 3600}[r.IntN(7)] * 1000
	rec := minutes.Record{
		Start: start().Add(time.Duration(r.IntN(9000)-3600) * time.Second).UnixMicro(), LengthMS: length,
		Rest: minutes.Disconnected + minutes.State(r.IntN(3)),
	}
	switch r.IntN(3) {
	case 0:
		// Enough for each minute, so that rounding hides none.
		rec.ActiveMS = length/10 + r.Int64N(length-length/10+1)
	case 1:
		rec.ActiveMS = length
	}
	return rec
}

// Whatever records an account has, in whatever order, its minutes are what a plain model
// has, to a millisecond for each record.
func TestGridIsAsTheModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	from := start().Truncate(time.Minute)
	to := from.Add(90 * time.Minute)
	for range 300 {
		var list []minutes.Record
		for range r.IntN(12) {
			list = append(list, anyRecord(r))
		}
		g, back := minutes.NewGrid(from, to), minutes.NewGrid(from, to)
		for i := range list {
			g.Add(list[i])
			back.Add(list[len(list)-1-i])
		}
		if !reflect.DeepEqual(g.List, back.List) {
			t.Fatal("the order of records matters")
		}
		for i, want := range model(from, to, list) {
			if d := int64(g.List[i].ActiveMS) - int64(want.ActiveMS); g.List[i].State != want.State || d > int64(len(list)) || -d > int64(len(list)) {
				t.Fatalf("minute %d: %+v, want %+v of %+v", i, g.List[i], want, list)
			}
		}
	}
}

// What a record holds is there in all, however its minutes lie.
func TestNothingIsLost(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	from, to := start().Add(-2*time.Hour), start().Add(5*time.Hour)
	for range 500 {
		rec := anyRecord(r)
		rec.Start += r.Int64N(60_000_000)
		rec.ActiveMS = r.Int64N(rec.LengthMS + 1)
		g := minutes.NewGrid(from, to)
		g.Add(rec)
		if active, _ := g.Sum(from, to); active != rec.ActiveMS {
			t.Fatalf("%d of %+v", active, rec)
		}
		parts := int64(0)
		for at := from; at.Before(to); at = at.Add(7 * time.Minute) {
			part, _ := g.Sum(at, at.Add(7*time.Minute))
			parts += part
		}
		if parts != rec.ActiveMS {
			t.Fatalf("%d in parts of %+v", parts, rec)
		}
	}
}

// Of two accounts the larger counts, never the sum, whichever comes first.
func TestTakeTakesTheLarger(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	from := start().Truncate(time.Minute)
	to := from.Add(time.Hour)
	for range 200 {
		var all [3]*minutes.Grid
		for i := range all {
			all[i] = minutes.NewGrid(from, to)
			for range r.IntN(4) {
				all[i].Add(anyRecord(r))
			}
		}
		join := func(order ...int) *minutes.Grid {
			g := minutes.NewGrid(from, to)
			for _, i := range order {
				account := all[i].Clone()
				if g.Take(account); slices.ContainsFunc(account.List, func(m minutes.Minute) bool { return m != minutes.Minute{} }) {
					t.Fatal("it is not empty")
				}
			}
			return g
		}
		one := join(0, 1, 2)
		if !reflect.DeepEqual(one, join(2, 0, 1)) || !reflect.DeepEqual(one, join(1, 1, 2, 0, 0)) {
			t.Fatal("the order of accounts matters")
		}
		for i, m := range one.List {
			want := max(all[0].List[i].ActiveMS, all[1].List[i].ActiveMS, all[2].List[i].ActiveMS)
			if m.ActiveMS != want || m.State != max(all[0].List[i].State, all[1].List[i].State, all[2].List[i].State) {
				t.Fatalf("minute %d: %+v", i, m)
			}
		}
	}
}

// Segments follow each other without a gap, each of another state than the one before,
// and hold all time.
func TestSegments(t *testing.T) {
	from := start().Truncate(time.Minute)
	g := minutes.NewGrid(from, from.Add(10*time.Minute))
	add := func(minute, length, active int64, rest minutes.State) {
		g.Add(minutes.Record{Start: from.UnixMicro() + minute*60_000_000, LengthMS: length * 60_000, ActiveMS: active * 1000, Rest: rest})
	}
	add(2, 1, 60, minutes.NoInput)
	add(3, 1, 20, minutes.NoInput)
	add(4, 2, 0, minutes.Locked)
	add(6, 1, 0, minutes.Disconnected)
	g.Cover(from.Add(6*time.Minute), from.Add(8*time.Minute), false)
	g.Cover(from.Add(7*time.Minute), from.Add(9*time.Minute), true)
	g.Cover(from.Add(8*time.Minute+30*time.Second), from.Add(10*time.Minute), false)
	want := []minutes.Segment{
		{minutes.Unknown, from, from.Add(2 * time.Minute), 0, false},
		{minutes.Active, from.Add(2 * time.Minute), from.Add(4 * time.Minute), 80_000, false},
		{minutes.Locked, from.Add(4 * time.Minute), from.Add(6 * time.Minute), 0, false},
		{minutes.Disconnected, from.Add(6 * time.Minute), from.Add(7 * time.Minute), 0, false},
		{minutes.NotCollected, from.Add(7 * time.Minute), from.Add(9 * time.Minute), 0, true},
		{minutes.NotCollected, from.Add(9 * time.Minute), from.Add(10 * time.Minute), 0, false},
	}
	if got := slices.Collect(g.Segments()); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if active, idle := g.Sum(from, from.Add(time.Hour)); active != 80_000 || idle != 40_000+3*60_000 {
		t.Error(active, idle)
	}
}
