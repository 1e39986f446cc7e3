// Package rhythm is the page of the hours of the week in which people are active.
package rhythm

import (
	"cmp"
	_ "embed" // for the page's template
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed rhythm.html
var html string

const (
	// usualDays is how far back the page looks: four weeks.
	usualDays = 28
	// levels is in how many steps an hour is coloured, beside none.
	levels        = 9
	hoursADay     = 24
	minutesAnHour = 60
)

// view is what rhythm.html shows.
type view struct {
	From, To, Zone, Group, Person string
	People                        int
	Partial                       bool
	Groups                        []string
	Hours                         []string
	Days                          []day
	Weeks                         []week
}

// week is a part of the trend: the active time of one person, in the mean of all.
type week struct {
	Name, Length, Active string
	// Share is its part of the longest, in percent.
	Share int
	Days  int
}

type day struct {
	Name  string
	Cells []cell
}

// cell is an hour of the week: the active minutes of one person in one such hour, in the mean.
type cell struct {
	Minutes string
	Level   int
}

// Page returns the page.
func Page(people *byperson.Reports, reports *report.Reports) frame.Page {
	return frame.Page{Name: "rhythm", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, people, reports) }}
}

func show(v *frame.Visit, people *byperson.Reports, reports *report.Reports) (any, error) {
	q, today := v.Query, v.Now.In(v.Zone)
	from := cmp.Or(q.Get("from"), today.AddDate(0, 0, -usualDays).Format(time.DateOnly))
	to := cmp.Or(q.Get("to"), today.AddDate(0, 0, -1).Format(time.DateOnly))
	ask, err := byperson.ParseRhythm(from, to, v.Zone.String(), q.Get("person"), q.Get("group"))
	if err != nil {
		return nil, err
	}
	hours := ask.Days.Hours()
	v.Look(looked.At{What: api.LookedRhythm, From: hours[0], To: hours[len(hours)-1]}, ask.Person == 0)
	r, err := people.Rhythm(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	s := &view{From: r.From, To: r.To, Zone: r.TZ, Group: r.Group, Person: r.Person, People: int(r.People), Partial: r.Partial}
	for h := range hoursADay {
		s.Hours = append(s.Hours, strconv.Itoa(h))
	}
	for i, name := range v.Words.Weekdays() {
		d := day{Name: name}
		for h := range hoursADay {
			d.Cells = append(d.Cells, cellOf(v, &r.Hours[i*hoursADay+h], r.People))
		}
		s.Days = append(s.Days, d)
	}
	if err := s.trend(v, people, ask); err != nil {
		return nil, err
	}
	s.Groups, err = v.GroupNames(reports)
	return s, err
}

// trend reads the weeks of the range.
func (s *view) trend(v *frame.Visit, people *byperson.Reports, ask byperson.RhythmQuestion) error {
	weeks, err := people.Trend(v.Context(), v.Caller.Scope, ask)
	if err != nil || s.People == 0 {
		return err
	}
	const percent = 100
	longest := 1.0
	for i := range weeks {
		longest = max(longest, weeks[i].ActiveSeconds)
	}
	for i := range weeks {
		w := &weeks[i]
		first, _ := time.Parse(time.DateOnly, w.First) // a report has them so
		last, _ := time.Parse(time.DateOnly, w.Last)
		s.Weeks = append(s.Weeks, week{
			Name: v.Words.Date(first) + " – " + v.Words.Date(last), Length: v.Words.Length(w.ActiveSeconds / float64(s.People)), Active: v.Words.Number(w.Active),
			Share: int(percent * w.ActiveSeconds / longest), Days: int(last.Sub(first).Hours()/hoursADay) + 1,
		})
	}
	return nil
}

func cellOf(v *frame.Visit, h *api.RhythmHour, people int64) cell {
	of := float64(h.Times * people)
	if of == 0 || h.ActiveSeconds == 0 {
		return cell{}
	}
	minutes := h.ActiveSeconds / minutesAnHour / of
	c := cell{Minutes: v.Words.Number(int(minutes + 0.5)), Level: 1 + int(minutes/minutesAnHour*levels)}
	c.Level = min(c.Level, levels)
	return c
}
