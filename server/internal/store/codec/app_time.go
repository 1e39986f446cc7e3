package codec

import (
	"math/bits"
	"slices"

	"activity-tracker.example/server/api"
)

// AppTime is for how many milliseconds something had the focus: in all, and of those
// while somebody was there.
type AppTime struct{ Focus, Active int64 }

// Add adds another.
func (t *AppTime) Add(o AppTime) {
	t.Focus += o.Focus
	t.Active += o.Active
}

// Open is the rest: it had the focus and nobody was there.
func (t AppTime) Open() int64 { return t.Focus - t.Active }

// activeShare is the active part of a time where only that of all is known.
func activeShare(focus, active, all int64) int64 {
	if all <= 0 || focus <= 0 {
		return 0
	}
	active = max(0, min(active, all))
	high, low := bits.Mul64(uint64(focus), uint64(active))
	share, _ := bits.Div64(high, low, uint64(all))
	return int64(share)
}

// EachUse calls tell with the time of each application and title of an event: of the
// focus list, else the active ones for the interval. All together have no more time
// than the interval, and no more active time than it has: where a person had two
// sessions at once, each has its share.
func EachUse(e *api.Event, r *Refs, tell func(Ref, AppTime)) {
	length, active := LengthOf(e)
	if len(e.Focus) == 0 {
		tell(r.Active, AppTime{length, active})
		return
	}
	// Most lists are short.
	var few [8]AppTime
	list := slices.Grow(few[:0], len(e.Focus))
	var sum AppTime
	for i := range e.Focus {
		f := &e.Focus[i]
		t := AppTime{Focus: ToMillis(f.Seconds)}
		t.Active = activeShare(t.Focus, active, length)
		if f.ActiveSeconds != nil {
			t.Active = min(ToMillis(*f.ActiveSeconds), t.Focus)
		}
		sum.Add(t)
		list = append(list, t)
	}
	for i, t := range list {
		if sum.Focus > length {
			t.Focus = t.Focus * length / sum.Focus
		}
		if sum.Active > active {
			t.Active = t.Active * active / sum.Active
		}
		t.Active = min(t.Active, t.Focus)
		tell(r.Focus[i], t)
	}
}

// LengthOf returns how much of an event's interval was collected and how much of that was
// active, in milliseconds: its active seconds if it has them, else all unless it is idle.
func LengthOf(e *api.Event) (length, active int64) {
	length = e.Collected() * secondsScale
	switch {
	case e.ActiveSeconds != nil:
		return length, min(ToMillis(*e.ActiveSeconds), length)
	case e.IsIdle:
		return length, 0
	}
	return length, length
}
