package report

import (
	"fmt"
	"time"
)

const (
	// maxRangeDays bounds a report: for longer roll-ups are not kept, unless
	// the server is set to keep them for ever.
	maxRangeDays = 1100
	// maxPeriods bounds the rows of one machine: a year of days and a month more.
	maxPeriods = 400
	// hoursADay is that of days in UTC, as which dates are counted.
	hoursADay = 24
)

// Step is the length of a report's periods.
type Step string

// The lengths that periods may have; weeks are ISO 8601's and begin on Mondays.
const (
	ByDay   Step = "day"
	ByWeek  Step = "week"
	ByMonth Step = "month"
)

// Range is a run of local dates, the last included.
type Range struct {
	// From and To are the first and the last date, as midnights in UTC.
	From, To time.Time
	Zone     *time.Location
	// Start and End are the first instant of the first date and the first after
	// the last.
	Start, End time.Time
}

// Period is one day, week or month of a range, or the part of it that lies within.
type Period struct {
	// First and Last are its local dates, both included.
	First, Last string
	Start, End  time.Time
}

// ParseRange reads two dates as 2024-01-15 and an IANA zone name; empty means UTC.
func ParseRange(from, to, zone string) (Range, error) {
	var r Range
	var err error
	if r.From, err = parseDate("from", from); err != nil {
		return r, err
	}
	if r.To, err = parseDate("to", to); err != nil {
		return r, err
	}
	if r.Zone, err = loadZone(zone); err != nil {
		return r, err
	}
	if r.To.Before(r.From) {
		return r, InvalidError("to is before from; to is the last day that counts")
	}
	if r.To.After(r.From.AddDate(0, 0, maxRangeDays-1)) {
		return r, InvalidError(fmt.Sprintf("from and to: want at most %d days; ask in parts", maxRangeDays))
	}
	r.Start, r.End = dayStart(r.From, r.Zone), dayStart(r.To.AddDate(0, 0, 1), r.Zone)
	return r, nil
}

// Hours are the instants at which the local clock begins an hour, and the range's end.
func (r Range) Hours() []time.Time { return hours(r.Start, r.End, r.Zone) }

// First is the first date as the contract writes it.
func (r Range) First() string { return r.From.Format(dateForm) }

// Last is the last date; it counts.
func (r Range) Last() string { return r.To.Format(dateForm) }

// Days is how many dates it has.
func (r Range) Days() int { return int(r.To.Sub(r.From).Hours()/hoursADay) + 1 }

// Periods cuts a range into days, weeks or months. They follow
// each other without a gap. The first and last are cut off where the range is. A
// date that a zone left out (Samoa's 2011-12-30) is no period.
func (r Range) Periods(by Step) ([]Period, error) {
	next := by.stepper()
	var list []Period
	for first, start := r.From, r.Start; !first.After(r.To); {
		after := next(first)
		end := r.End
		if after.After(r.To) {
			after = r.To.AddDate(0, 0, 1)
		} else {
			end = dayStart(after, r.Zone)
		}
		if end.After(start) {
			list = append(list, Period{
				First: first.Format(dateForm), Last: after.AddDate(0, 0, -1).Format(dateForm), Start: start, End: end,
			})
		}
		if len(list) > maxPeriods {
			return nil, InvalidError(fmt.Sprintf("by=%s gives more than %d periods; ask for fewer days or longer periods", by, maxPeriods))
		}
		first, start = after, end
	}
	return list, nil
}

// stepper returns the function that leads from a date to the beginning of the next
// period.
func (s Step) stepper() func(time.Time) time.Time {
	switch s {
	case ByWeek:
		return func(t time.Time) time.Time { return t.AddDate(0, 0, 7-(int(t.Weekday())+6)%7) }
	case ByMonth:
		return func(t time.Time) time.Time { return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC) }
	default:
		return func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	}
}

// Bounds are the instants at which periods begin, and the last one's end; nil
// where there are none.
func Bounds(periods []Period) []time.Time {
	if len(periods) == 0 {
		return nil
	}
	list := make([]time.Time, 0, len(periods)+1)
	for _, p := range periods {
		list = append(list, p.Start)
	}
	return append(list, periods[len(periods)-1].End)
}
