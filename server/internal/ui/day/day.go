// Package day is the page of what people's day was like: a lane each.
package day

import (
	"cmp"
	_ "embed" // for the page's template
	"net/url"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

//go:embed day.html
var html string

// view is what day.html shows.
type view struct {
	Title, Date, Zone        string
	Before, After, Next, CSV string
	Group                    string
	Groups                   []string
	Ticks                    []lane.Tick
	Width                    int
	People                   []person
}

type person struct {
	ID, Name string
	lane.Lane
	Start, End, Active, NoInput string
	Partial                     bool
}

// Page returns the page.
func Page(people *byperson.Reports, reports *report.Reports) frame.Page {
	return frame.Page{Name: "day", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, people, reports) }}
}

func show(v *frame.Visit, people *byperson.Reports, reports *report.Reports) (any, error) {
	q := v.Query
	day, err := report.ParseDay(cmp.Or(q.Get("date"), v.Now.In(v.Zone).Format(time.DateOnly)), v.Zone.String())
	if err != nil {
		return nil, err
	}
	ask := byperson.DayQuestion{Day: day}
	if ask.Page, err = report.ParsePeoplePage("", q.Get("cursor"), byperson.MaxDayPeople); err != nil {
		return nil, err
	}
	if ask.Who, err = byperson.ParseWho("", q.Get("group")); err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedDay, From: day.Start, To: day.End}, true)
	list, next, err := people.Days(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	s := view{
		Title: v.Words.Date(day.Start.In(day.Zone)), Date: day.Date, Zone: day.Zone.String(), Group: string(ask.Group),
		Ticks: lane.Ticks(day.Start, day.End, day.Zone), Width: int(day.End.Sub(day.Start) / time.Minute),
		Before: link(q, "date", shift(day, -1)), After: link(q, "date", shift(day, 1)),
	}
	if next != "" {
		s.Next = link(q, "cursor", next)
	}
	for i := range list {
		d := lane.Draw(day.Start, day.End, list[i].Segments)
		s.People = append(s.People, person{
			ID: report.PersonID(list[i].ID).String(), Name: list[i].Name(), Lane: d, Start: v.At(d.First), End: v.At(d.Last),
			Active: v.Words.Length(d.Active), NoInput: v.Words.Length(d.NoInput), Partial: list[i].Partial,
		})
	}
	s.Groups, err = v.GroupNames(reports)
	return &s, err
}

// shift is the date some days later.
func shift(day report.Day, days int) string {
	t, _ := time.Parse(time.DateOnly, day.Date) // it was read from there
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// link is this page with something changed; another day or group begins with its first people.
func link(q url.Values, name, value string) string {
	changed := url.Values{name: {value}}
	for _, kept := range []string{"date", "group", "tz"} {
		if kept != name && q.Get(kept) != "" {
			changed.Set(kept, q.Get(kept))
		}
	}
	return "day?" + changed.Encode()
}
