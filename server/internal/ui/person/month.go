package person

import (
	"strings"
	"time"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/ui/frame"
	draw "activity-tracker.example/server/internal/ui/week"
)

// month is the calendar around a day.
type month struct {
	Title, Before, After string
	Weekdays             []string
	Weeks                [][]date
	Sum                  string

	start, end time.Time
	days       report.Range
	chosen     string
	year       int
	month      time.Month
}

// date is a day of the calendar; an empty one is of another month.
type date struct {
	Day, Link, Active, Span string
	// Height is the bar's, of barHeight.
	Height, Top    int
	Chosen, Absent bool
}

const (
	barHeight = 24
	daysAWeek = 7
	fullDay   = 9 * 3600 // seconds that fill a bar
	isoMonth  = "2006-01"
)

// monthOf is the month of a day.
func monthOf(day report.Day) (month, error) {
	t := day.Start.In(day.Zone)
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1)
	m := month{chosen: day.Date, year: t.Year(), month: t.Month()}
	var err error
	if m.days, err = report.ParseRange(first.Format(time.DateOnly), last.Format(time.DateOnly), day.Zone.String()); err != nil {
		return m, err
	}
	hours := m.days.Hours()
	m.start, m.end = hours[0], hours[len(hours)-1]
	m.Before, m.After = "?date="+first.AddDate(0, -1, 0).Format(time.DateOnly), "?date="+first.AddDate(0, 1, 0).Format(time.DateOnly)
	return m, nil
}

// month reads the days of the calendar.
func (p Parts) month(v *frame.Visit, s subject, m month) (month, error) {
	m.Title, m.Weekdays = v.Words.Month(m.month, m.year), v.Words.Weekdays()
	periods, err := m.days.Periods(report.ByDay)
	if err != nil {
		return m, err
	}
	list, _, err := p.People.Hours(v.Context(), s.scope, byperson.HoursQuestion{
		Days: m.days, Periods: periods, Who: byperson.Who{Person: s.id}, Page: report.PeoplePage{Limit: 1},
	})
	if err != nil {
		return m, err
	}
	if len(list) == 0 {
		return m, people.ErrNone
	}
	week := make([]date, draw.Weekday(time.Date(m.year, m.month, 1, 0, 0, 0, 0, time.UTC)), daysAWeek)
	for i := range week {
		week[i].Absent = true
	}
	sum := 0.0
	for i := range periods {
		of := &list[0].Sums[i]
		sum += of.ActiveSeconds
		if week = append(week, m.date(v, periods[i].First, of)); len(week) == daysAWeek {
			m.Weeks, week = append(m.Weeks, week), nil
		}
	}
	for len(week) > 0 && len(week) < daysAWeek {
		week = append(week, date{Absent: true})
	}
	if len(week) > 0 {
		m.Weeks = append(m.Weeks, week)
	}
	m.Sum = v.Words.Length(sum)
	return m, nil
}

func (m *month) date(v *frame.Visit, day string, of *query.Sums) date {
	d := date{Day: strings.TrimPrefix(day[len(isoMonth)+1:], "0"), Link: "?date=" + day, Chosen: day == m.chosen}
	if of.ActiveSeconds > 0 {
		d.Active = v.Words.Length(of.ActiveSeconds)
		d.Height = max(1, min(barHeight, int(barHeight*of.ActiveSeconds/fullDay)))
	}
	d.Top = barHeight - d.Height
	if of.First != nil && of.Last != nil {
		d.Span = v.At(*of.First) + "–" + v.At(*of.Last)
	}
	return d
}
