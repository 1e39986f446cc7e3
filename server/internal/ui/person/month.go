package person

import (
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
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
	list, err := p.Reports.Activity(v.Context(), s.scope, report.ActivityQuestion{
		Days: m.days, By: report.ByDay, Subject: report.Subject{Per: report.PerPerson, Person: s.id},
	})
	if err != nil {
		return m, err
	}
	week := make([]date, draw.Weekday(time.Date(m.year, m.month, 1, 0, 0, 0, 0, time.UTC)), daysAWeek)
	for i := range week {
		week[i].Absent = true
	}
	sum := 0.0
	for i := range list.Rows {
		row := &list.Rows[i]
		sum += row.ActiveSeconds
		if week = append(week, m.date(v, row)); len(week) == daysAWeek {
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

func (m *month) date(v *frame.Visit, row *api.ActivityRow) date {
	d := date{Day: strings.TrimPrefix(row.PeriodStart[len(isoMonth)+1:], "0"), Link: "?date=" + row.PeriodStart, Chosen: row.PeriodStart == m.chosen}
	if row.ActiveSeconds > 0 {
		d.Active = v.Words.Length(row.ActiveSeconds)
		d.Height = max(1, min(barHeight, int(barHeight*row.ActiveSeconds/fullDay)))
	}
	d.Top = barHeight - d.Height
	if row.FirstActivity != nil && row.LastActivity != nil {
		d.Span = v.At(*row.FirstActivity) + "–" + v.At(*row.LastActivity)
	}
	return d
}
