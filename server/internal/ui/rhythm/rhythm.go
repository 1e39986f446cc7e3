// Package rhythm is the page of the hours of the week in which people are active.
package rhythm

import (
	_ "embed" // for the page's template
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/ui/frame"
	draw "activity-tracker.example/server/internal/ui/week"
)

//go:embed rhythm.html
var html string

const (
	// usualDays is how far back the page looks: four weeks.
	usualDays = 28
	hoursADay = 24
)

// view is what rhythm.html shows.
type view struct {
	From, To, Zone, Group, Person string
	People                        int
	Partial                       bool
	Groups                        []string
	Hours                         []string
	Days                          []draw.Day
	Weeks                         []week
	// Nothing means that nobody did anything in this time.
	Nothing bool
}

// week is a part of the trend: the active time of one person, in the mean of all.
type week struct {
	Name, Length, Active string
	// Share is its part of the longest, in percent.
	Share int
	Days  int
}

// Page returns the page.
func Page(people *byperson.Reports, reports *report.Reports) frame.Page {
	return frame.Page{Name: "rhythm", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, people, reports) }}
}

func show(v *frame.Visit, people *byperson.Reports, reports *report.Reports) (any, error) {
	q := v.Query
	from, to := v.Range(usualDays, 1)
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
	s := &view{
		From: r.From, To: r.To, Zone: r.TZ, Group: r.Group, Person: r.Person, People: int(r.People), Partial: r.Partial,
		Hours: draw.Hours(), Days: draw.Days(v.Words, r.Hours, int(r.People)),
	}
	s.Nothing = !slices.ContainsFunc(r.Hours, func(h api.RhythmHour) bool { return h.ActiveSeconds > 0 || h.IdleSeconds > 0 })
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
