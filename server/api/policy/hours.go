package policy

import (
	"slices"
	"time"
)

// Limits of work hours.
const (
	// MaxZoneBytes bounds the name of a zone; IANA's longest has 30.
	MaxZoneBytes = 64
	// MaxDayKeys bounds the keys of days and ranges.
	MaxDayKeys = 32
	// MaxSpans bounds the spans of a day.
	MaxSpans = 24
	// MaxHolidays bounds the holidays: decades of them.
	MaxHolidays = 1000

	// horizon is how far ahead a border is looked for. Who has none within it asks again.
	horizon = 400 * 24 * time.Hour

	daySeconds = 24 * 60 * 60
)

// WorkHours are times of the week in one zone, without holidays: an instant is inside if
// a clock on the wall there shows a time inside. Where clocks are set back, the hour that
// comes twice is inside twice.
type WorkHours struct {
	zone *time.Location
	// week has the spans of each weekday, Sunday first, in order and apart.
	week [7][]span
	// holidays are days as date makes them, in order.
	holidays []int
}

// span is a time of the day in seconds, start ≤ t < end.
type span struct{ start, end int }

// Zone is the zone's name.
func (w *WorkHours) Zone() string { return w.zone.String() }

// Collects reports whether anything is collected at an instant. Nil is always.
func (w *WorkHours) Collects(t time.Time) bool {
	if w == nil {
		return true
	}
	t = t.In(w.zone)
	second := secondOfDay(t)
	for _, s := range w.today(t) {
		if s.start <= second && second < s.end {
			return true
		}
	}
	return false
}

// Next returns the first instant after t at which Collects changes, or the zero time if it
// does not within 400 days.
func (w *WorkHours) Next(t time.Time) time.Time { return Hours{w}.Next(t) }

// today returns the spans of the local day of t, which is in the zone.
func (w *WorkHours) today(t time.Time) []span {
	if _, holiday := slices.BinarySearch(w.holidays, date(t.Date())); holiday {
		return nil
	}
	return w.week[t.Weekday()]
}

// candidate returns the next instant after t at which Collects may change: a border of a
// span, a midnight, or a change of the zone's offset. Between two of these a clock on the
// wall shows no other border, since its offset stays the same.
func (w *WorkHours) candidate(t time.Time) time.Time {
	t = t.In(w.zone)
	second, border := secondOfDay(t), daySeconds
	for _, s := range w.today(t) {
		for _, b := range []int{s.start, s.end} {
			if b > second && b < border {
				border = b
			}
		}
	}
	next := time.Unix(t.Unix()+int64(border-second), 0)
	if _, changes := t.ZoneBounds(); !changes.IsZero() && changes.After(t) && changes.Before(next) {
		return changes
	}
	return next
}

// Hours are the instants that are inside all of several work hours; none of them is
// always.
type Hours []*WorkHours

// Collects reports whether anything is collected at an instant.
func (h Hours) Collects(t time.Time) bool {
	for _, w := range h {
		if !w.Collects(t) {
			return false
		}
	}
	return true
}

// Next returns the first instant after t at which Collects changes, or the zero time if it
// does not within 400 days.
func (h Hours) Next(t time.Time) time.Time {
	now, at := h.Collects(t), t
	for at.Sub(t) <= horizon {
		at = h.candidate(at)
		if at.IsZero() {
			return time.Time{}
		}
		if h.Collects(at) != now {
			return at.UTC()
		}
	}
	return time.Time{}
}

// candidate returns the first of the candidates, or the zero time if there is none.
func (h Hours) candidate(t time.Time) time.Time {
	var first time.Time
	for _, w := range h {
		if w == nil {
			continue
		}
		if c := w.candidate(t); first.IsZero() || c.Before(first) {
			first = c
		}
	}
	return first
}

func secondOfDay(t time.Time) int {
	hour, minute, second := t.Clock()
	return hour*3600 + minute*60 + second
}

// date is a day as one number that sorts as days do.
func date(year int, month time.Month, day int) int { return year*10_000 + int(month)*100 + day }
