package interval

import (
	"reflect"
	"testing"
)

// TestCutRecord: a record that work hours cut keeps its timestamp and has how much of it
// was collected; outside of them there is none, and what comes late is not counted in
// another one's time.
func TestCutRecord(t *testing.T) {
	t.Parallel()
	const end = 90 // seconds after t0
	o := minute()
	o.Missing = func(_ string, from, until int64) int64 { return max(until-max(from, t0+end), 0) }
	l := New(o, State{})
	l.Fold(say(0, 59, 5), at(59))
	l.Fold(say(60, end, 9), at(end))
	sealed := append(l.Seal(at(71)), l.Seal(at(131))...)
	l.Fold(say(60, end, 11), at(140)) // its record is gone
	l.Fold(say(120, 125, 12), at(141))
	sealed = append(sealed, l.Seal(at(250))...)
	if got, want := keysOf(sealed), []counted{{0, 5}, {60, 4}}; !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if c := sealed[0].Event.CollectedSeconds; c != nil {
		t.Errorf("a whole record has %d s", *c)
	}
	if c := sealed[1].Event.CollectedSeconds; c == nil || *c != 30 || *sealed[1].Event.IntervalSec != 60 {
		t.Errorf("a cut one: %+v", sealed[1].Event)
	}
	if l.Open() > 0 {
		t.Error("a record is open outside of work hours")
	}
}
