// Package hours is the sheet of people's hours: a row a person, a column a day.
package hours

import (
	"cmp"
	_ "embed" // for the page's template
	"net/url"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed hours.html
var html string

const (
	// pagePeople are on a page.
	pagePeople = 100
	daysAWeek  = 7
)

// view is what hours.html shows.
type view struct {
	Title, Date, Zone, Group string
	Span                     string
	Before, After, Next      string
	CSV, XLSX                string
	Groups                   []string
	Days                     []column
	People                   []person
	Sum                      string
}

type column struct {
	Weekday, Day, Link string
	Weekend            bool
	Sum                string
	seconds            float64
}

type person struct {
	ID, Name string
	Partial  bool
	Days     []cell
	Active   string
	NoInput  string
}

type cell struct {
	Active, Span string
	Weekend      bool
}

// Page returns the page.
func Page(reports *report.Reports) frame.Page {
	return frame.Page{Name: "hours", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, reports) }}
}

func show(v *frame.Visit, reports *report.Reports) (any, error) {
	q := v.Query
	date, err := report.ParseDay(cmp.Or(q.Get("date"), v.Now.In(v.Zone).Format(time.DateOnly)), v.Zone.String())
	if err != nil {
		return nil, err
	}
	span := "week"
	if q.Get("span") == "month" {
		span = "month"
	}
	first, last, before, after := bounds(date.Date, span)
	s := &view{Date: date.Date, Zone: v.Zone.String(), Group: q.Get("group"), Span: span}
	s.Before, s.After = s.link("date", before), s.link("date", after)
	s.Title = v.Words.Date(first) + " – " + v.Words.Date(last)
	ask := report.ActivityQuestion{By: report.ByDay}
	if ask.Days, err = report.ParseRange(first.Format(time.DateOnly), last.Format(time.DateOnly), s.Zone); err != nil {
		return nil, err
	}
	if ask.Subject, err = report.ParseSubject(string(report.PerPerson), "", "", s.Group, strconv.Itoa(pagePeople), q.Get("cursor")); err != nil {
		return nil, err
	}
	hours := ask.Days.Hours()
	v.Look(looked.At{What: api.LookedActivity, From: hours[0], To: hours[len(hours)-1]}, true)
	list, err := reports.Activity(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	names, err := named(v, reports, ask.Subject)
	if err != nil {
		return nil, err
	}
	s.rows(v, first, last, list.Rows, names)
	if list.NextCursor != "" {
		s.Next = s.link("cursor", list.NextCursor)
	}
	s.files(first, last)
	s.Groups, err = v.GroupNames(reports)
	return s, err
}

// named returns what the people of a page are called.
func named(v *frame.Visit, reports *report.Reports, s report.Subject) (map[string]string, error) {
	after, _ := strconv.ParseInt(s.Page.After, 10, 64) // what was read as a cursor is a number
	list, err := reports.People(v.Context(), v.Caller.Scope, report.PeopleQuestion{Group: s.Group, Page: report.PeoplePage{Limit: pagePeople, After: after}})
	names := make(map[string]string, len(list.People))
	for i := range list.People {
		names[list.People[i].ID] = report.NameOf(&list.People[i])
	}
	return names, err
}

// bounds are the first and the last day of the week or month of a date, and a date in the
// one before and after.
func bounds(date, span string) (first, last time.Time, before, after string) {
	t, _ := time.Parse(time.DateOnly, date) // it was read from there
	first = t.AddDate(0, 0, -(int(t.Weekday())+daysAWeek-1)%daysAWeek)
	last = first.AddDate(0, 0, daysAWeek-1)
	if span == "month" {
		first = t.AddDate(0, 0, 1-t.Day())
		last = first.AddDate(0, 1, -1)
	}
	return first, last, first.AddDate(0, 0, -1).Format(time.DateOnly), last.AddDate(0, 0, 1).Format(time.DateOnly)
}

// rows makes the sheet; the rows of one person follow each other, a day after the other.
func (s *view) rows(v *frame.Visit, first, last time.Time, list []api.ActivityRow, names map[string]string) {
	for t := first; !t.After(last); t = t.AddDate(0, 0, 1) {
		s.Days = append(s.Days, column{
			Weekday: v.Words.Weekdays()[(int(t.Weekday())+daysAWeek-1)%daysAWeek], Day: strconv.Itoa(t.Day()),
			Link: "day?" + url.Values{"date": {t.Format(time.DateOnly)}, "group": {s.Group}}.Encode(), Weekend: t.Weekday() == time.Saturday || t.Weekday() == time.Sunday,
		})
	}
	all := 0.0
	for len(list) >= len(s.Days) {
		p := person{ID: list[0].Person, Name: cmp.Or(names[list[0].Person], list[0].PersonLabel, list[0].Person), Partial: list[0].Partial}
		active, idle := 0.0, 0.0
		for i := range s.Days {
			row := &list[i]
			c := cell{Weekend: s.Days[i].Weekend}
			if row.ActiveSeconds > 0 {
				c.Active = v.Words.Short(row.ActiveSeconds)
			}
			if row.FirstActivity != nil && row.LastActivity != nil {
				c.Span = v.At(*row.FirstActivity) + "–" + v.At(*row.LastActivity)
			}
			active, idle = active+row.ActiveSeconds, idle+row.IdleSeconds
			s.Days[i].seconds += row.ActiveSeconds
			p.Days = append(p.Days, c)
		}
		p.Active, p.NoInput = v.Words.Length(active), v.Words.Length(idle)
		all += active
		s.People, list = append(s.People, p), list[len(s.Days):]
	}
	for i := range s.Days {
		s.Days[i].Sum = v.Words.Short(s.Days[i].seconds)
	}
	s.Sum = v.Words.Length(all)
}

// link is this page with something changed; other days or groups begin with their first people.
func (s *view) link(name, value string) string {
	changed := url.Values{"date": {s.Date}, "span": {s.Span}}
	if s.Group != "" {
		changed.Set("group", s.Group)
	}
	changed.Set(name, value)
	return "hours?" + changed.Encode()
}

// files are the same figures for a spreadsheet, of all people.
func (s *view) files(first, last time.Time) {
	q := url.Values{"per": {"person"}, "by": {"day"}, "from": {first.Format(time.DateOnly)}, "to": {last.Format(time.DateOnly)}, "tz": {s.Zone}}
	if s.Group != "" {
		q.Set("group", s.Group)
	}
	q.Set("format", "csv")
	s.CSV = "api/reports/activity?" + q.Encode()
	q.Set("format", "xlsx")
	s.XLSX = "api/reports/activity?" + q.Encode()
}
