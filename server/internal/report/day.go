package report

import (
	"fmt"
	"strings"
	"time"

	// The server must know every zone, whatever the machine has installed.
	_ "time/tzdata"
)

// dateForm is the contract's form of a date.
const dateForm = "2006-01-02"

// The days that can be asked for: those that an event can have.
const (
	firstYear = 1999
	lastYear  = 2199
)

// maxZoneBytes bounds a zone's name; the longest known has 30.
const maxZoneBytes = 64

// Day is one calendar day in one time zone.
type Day struct {
	Date string
	Zone *time.Location
	// Start and End are its first instant and the next day's.
	Start, End time.Time
}

// ParseDay reads a date as 2024-01-15 and an IANA zone name; empty means UTC.
func ParseDay(date, zone string) (Day, error) {
	t, err := parseDate("date", date)
	if err != nil {
		return Day{}, err
	}
	loc, err := loadZone(zone)
	if err != nil {
		return Day{}, err
	}
	next := t.AddDate(0, 0, 1)
	return Day{Date: date, Zone: loc, Start: dayStart(t, loc), End: dayStart(next, loc)}, nil
}

// parseDate returns a date's midnight in UTC.
func parseDate(name, text string) (time.Time, error) {
	t, err := time.Parse(dateForm, text)
	if err != nil {
		return t, InvalidError(name + ": want a date such as 2024-01-15")
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return t, InvalidError(fmt.Sprintf("%s: want a year from %d to %d", name, firstYear, lastYear))
	}
	return t, nil
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	bad := InvalidError("tz: want an IANA time zone such as Europe/Moscow")
	if len(name) > maxZoneBytes || ownZone(name) {
		return nil, bad
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, bad
	}
	return loc, nil
}

// ownZone reports whether a name may stand for the server's own zone, which is
// nobody's business: Go's, and files that systems keep among the zones.
func ownZone(name string) bool {
	last := name[strings.LastIndexByte(name, '/')+1:]
	return strings.EqualFold(last, "local") || strings.EqualFold(last, "localtime") || strings.EqualFold(last, "posixrules")
}

// dayStart is the first instant of a date in a zone. Where clocks skip midnight,
// or the whole date, it is the instant at which they do; where they pass
// midnight twice, the first time.
func dayStart(date time.Time, loc *time.Location) time.Time {
	y, m, d := date.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	from, to := t.ZoneBounds()
	if shown := wall(t); shown.After(date) {
		// Skipped, and time.Date counted by the clock before the gap.
		return from
	} else if shown.Before(date) {
		return to
	}
	if from.IsZero() {
		return t
	}
	before := offset(from.Add(-time.Second))
	if earlier := t.Add(offset(t) - before); earlier.Before(from) {
		return earlier
	}
	return t
}

// wall is what the local clock shows, as if it were UTC.
func wall(t time.Time) time.Time { return t.Add(offset(t)).UTC() }

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// Hours are the instants at which the local clock begins an hour, and the
// day's end: 24, 23 or 25 hours and one more.
func (d Day) Hours() []time.Time { return hours(d.Start, d.End, d.Zone) }

func hours(from, to time.Time, zone *time.Location) []time.Time {
	var list []time.Time
	for t := from; t.Before(to); {
		list = append(list, t)
		local := t.In(zone)
		rest := time.Hour - time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second
		t = t.Add(rest)
	}
	return append(list, to)
}
