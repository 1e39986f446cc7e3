package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// Every counter has a field in an event and in what sums are answered with, by its
// name and in its place.
func TestCountersHaveTheirFields(t *testing.T) {
	var e Event
	var counts Counts
	want := map[string]int64{}
	for i, c := range Counters() {
		counts[i] = int64(100 + i)
		want[c.Name] = counts[i]
		if c.Name == "" || c.Unit == "" {
			t.Errorf("counter %d has no name or no unit", i)
		}
	}
	for i, field := range e.Required() {
		*field = counts[i]
	}
	for i, field := range e.Optional() {
		*field = &counts[len(e.Required())+i]
	}
	if got := e.Counts(); got != counts {
		t.Errorf("an event's counts are %v, want %v", got, counts)
	}
	for what, v := range map[string]any{"event": e, "totals": counts.Totals(), "summary": Summary{Totals: counts.Totals()}, "row": ActivityRow{Totals: counts.Totals()}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		for name, n := range want {
			if fields[name] != float64(n) {
				t.Errorf("%s: %s is %v, want %d", what, name, fields[name], n)
			}
		}
	}
	if input := reflect.VisibleFields(reflect.TypeFor[InputTotals]()); len(input) != len(e.Required()) {
		t.Errorf("%d totals of %d counters that every event has", len(input), len(e.Required()))
	}
}

func TestCountsAdd(t *testing.T) {
	a, b := Counts{Keys: 1, Synthetic: 5}, Counts{Keys: 2, Scroll: 7}
	a.Add(&b)
	if want := (Counts{Keys: 3, Scroll: 7, Synthetic: 5}); !slices.Equal(a[:], want[:]) {
		t.Errorf("%v, want %v", a, want)
	}
}
