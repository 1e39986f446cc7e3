package policy

import (
	"slices"
	"time"

	rules "activity-tracker.example/server/api/policy"
)

// remembered is for how long it is known which work hours held: a record is at most an
// hour long, and one of a daemon that was away for a day is still counted.
const remembered = 26 * time.Hour

// Reason is why nothing is collected, as it is sent to the server.
type Reason string

// The reasons.
const (
	ReasonHours Reason = "hours"
	ReasonPause Reason = "pause"
)

// Gap is a time in which nothing is collected: seconds UTC, Start ≤ t < End.
type Gap struct {
	Start, End int64
	Reason     Reason
}

// times knows when anything is collected, now and in what was reported lately. The zero
// value collects always.
type times struct {
	// eras are which hours held from when on, the oldest first.
	eras []era
}

type era struct {
	from  int64
	hours rules.Hours
}

// change has other hours hold from a moment on.
func (t *times) change(hours rules.Hours, now time.Time) {
	first := now.Add(-remembered).Unix()
	if len(t.eras) == 0 {
		t.eras = []era{{first, hours}} // what was before this daemon, by the rule that holds
		return
	}
	if slices.Equal(t.now(), hours) {
		return
	}
	t.eras = append(t.eras, era{now.Unix(), hours})
	for len(t.eras) > 1 && t.eras[1].from < first {
		t.eras = slices.Delete(t.eras, 0, 1)
	}
}

func (t *times) now() rules.Hours {
	if len(t.eras) == 0 {
		return nil
	}
	return t.eras[len(t.eras)-1].hours
}

// gaps returns when nothing was collected within a time, in order and apart.
func (t *times) gaps(from, until int64) []Gap {
	var gaps []Gap
	for i := range t.eras {
		start, end := t.eras[i].from, until
		if i == 0 {
			start = from
		}
		if i+1 < len(t.eras) {
			end = min(end, t.eras[i+1].from)
		}
		gaps = outside(gaps, t.eras[i].hours, max(start, from), end)
	}
	return gaps
}

// outside appends the times outside of work hours.
func outside(gaps []Gap, hours rules.Hours, from, until int64) []Gap {
	for from < until {
		at, end := time.Unix(from, 0), until
		if next := hours.Next(at); !next.IsZero() {
			end = min(end, next.Unix())
		}
		if !hours.Collects(at) {
			if last := len(gaps) - 1; last >= 0 && gaps[last].End == from {
				gaps[last].End = end
			} else {
				gaps = append(gaps, Gap{from, end, ReasonHours})
			}
		}
		from = end
	}
	return gaps
}
