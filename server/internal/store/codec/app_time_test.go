package codec

import (
	"math"
	"math/rand/v2"
	"testing"

	"activity-tracker.example/server/api"
)

// minuteOf is an event of a minute with these parts.
func minuteOf(idle bool, active *float64, focus ...api.Focus) *api.Event {
	return &api.Event{IsIdle: idle, ActiveSeconds: active, Focus: focus}
}

func TestEachUse(t *testing.T) {
	focus := func(seconds float64, active ...float64) api.Focus {
		f := api.Focus{Seconds: seconds}
		if len(active) > 0 {
			f.ActiveSeconds = &active[0]
		}
		return f
	}
	tests := []struct {
		name string
		e    *api.Event
		want []AppTime
	}{
		{"the plainest event", minuteOf(false, nil), []AppTime{{60_000, 60_000}}},
		{"the plainest idle event", minuteOf(true, nil), []AppTime{{60_000, 0}}},
		{"active seconds without focus", minuteOf(true, new(15.0)), []AppTime{{60_000, 15_000}}},
		{"more active seconds than there are", minuteOf(false, new(90.0)), []AppTime{{60_000, 60_000}}},
		{"half of it was collected", &api.Event{CollectedSeconds: new(int64(30))}, []AppTime{{30_000, 30_000}}},
		{"more in focus than was collected", &api.Event{CollectedSeconds: new(int64(30)), Focus: []api.Focus{focus(40, 40), focus(20, 0)}}, []AppTime{{20_000, 20_000}, {10_000, 0}}},
		{"nothing was collected", &api.Event{CollectedSeconds: new(int64(0)), Focus: []api.Focus{focus(40)}}, []AppTime{{0, 0}}},
		{"focus whose active part is known", minuteOf(false, new(21.0), focus(40, 20), focus(20, 1)), []AppTime{{40_000, 20_000}, {20_000, 1_000}}},
		{"focus of an old agent", minuteOf(false, new(21.0), focus(40), focus(20)), []AppTime{{40_000, 14_000}, {20_000, 7_000}}},
		{"focus without active seconds", minuteOf(false, nil, focus(44)), []AppTime{{44_000, 44_000}}},
		{"idle focus without active seconds", minuteOf(true, nil, focus(44)), []AppTime{{44_000, 0}}},
		{"more active than in focus", minuteOf(false, nil, focus(10, 20)), []AppTime{{10_000, 10_000}}},
		{"two sessions at once", minuteOf(false, new(60.0), focus(60, 60), focus(60, 30)), []AppTime{{30_000, 30_000}, {30_000, 20_000}}},
		{"more active in all than the event", minuteOf(false, new(30.0), focus(30, 30), focus(30, 30)), []AppTime{{30_000, 15_000}, {30_000, 15_000}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &Refs{Active: Ref{App: 1}, Focus: make([]Ref, len(test.e.Focus))}
			i := 0
			EachUse(test.e, r, func(_ Ref, of AppTime) {
				if of != test.want[i] {
					t.Errorf("entry %d: %v, want %v", i, of, test.want[i])
				}
				i++
			})
			if i != len(test.want) {
				t.Errorf("%d entries, want %d", i, len(test.want))
			}
		})
	}
}

// Whatever an event holds, its applications have no more time than it has.
func TestUsesStayWithinTheEvent(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	maybe := func(most float64) *float64 {
		if r.IntN(3) == 0 {
			return nil
		}
		return new(r.Float64() * most)
	}
	for range 10_000 {
		e := minuteOf(r.IntN(2) == 0, maybe(120))
		for range r.IntN(12) {
			e.Focus = append(e.Focus, api.Focus{Seconds: r.Float64() * 90, ActiveSeconds: maybe(90)})
		}
		var sum AppTime
		EachUse(e, &Refs{Focus: make([]Ref, len(e.Focus))}, func(_ Ref, of AppTime) {
			if of.Active < 0 || of.Open() < 0 {
				t.Fatalf("%+v: %+v", e, of)
			}
			sum.Add(of)
		})
		if length, active := LengthOf(e); sum.Focus > length || sum.Active > active {
			t.Fatalf("%+v: %+v of %d and %d", e, sum, length, active)
		}
	}
}

func TestActiveShare(t *testing.T) {
	for _, test := range []struct{ focus, active, all, want int64 }{
		{500, 600, 900, 333},
		{500, 0, 0, 0},
		{0, 1, 1, 0},
		{500, 2, 1, 500},
		{500, -1, 1, 0},
		{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 - 1},
	} {
		if got := activeShare(test.focus, test.active, test.all); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}
