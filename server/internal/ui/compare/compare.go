// Package compare is the page of groups side by side: the middle person and the spread, never
// names.
package compare

import (
	_ "embed" // for the page's template
	"math"
	"slices"
	"strconv"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/week"
)

//go:embed compare.html
var html string

const (
	// usualDays is how far back the page looks: four weeks.
	usualDays     = 28
	secondsAnHour = 3600
	// leastScale is up to how many hours the scale goes at least.
	leastScale = 8
)

// view is what compare.html shows.
type view struct {
	From, To, Zone string
	// Chosen are the fields for groups: as many as can be compared.
	Chosen []string
	Names  []string
	Few    int // people below which nothing is shown
	Groups []group
	Hours  []string
	Ticks  []tick
}

type group struct {
	Name   string
	People int
	Few    bool
	// The quartiles in words, and where they are on the scale, in percent.
	Lower, Middle, Upper string
	X, W, M              string
	Days                 []week.Day
}

// tick is an hour on the scale.
type tick struct{ X, Text string }

// Page returns the page.
func Page(people *byperson.Reports, reports *report.Reports) frame.Page {
	return frame.Page{Name: "compare", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, people, reports) }}
}

func show(v *frame.Visit, people *byperson.Reports, reports *report.Reports) (any, error) {
	from, to := v.Range(usualDays, 1)
	chosen := slices.DeleteFunc(slices.Clone(v.Query["group"]), func(name string) bool { return name == "" })
	ask, err := byperson.ParseCompare(from, to, v.Zone.String(), chosen)
	if err != nil {
		return nil, err
	}
	s := &view{From: ask.Days.First(), To: ask.Days.Last(), Zone: v.Zone.String(), Few: access.Anonymous, Chosen: make([]string, byperson.MaxGroups)}
	for i, name := range ask.Groups {
		s.Chosen[i] = string(name)
	}
	if s.Names, err = v.GroupNames(reports); err != nil {
		return nil, err
	}
	if len(ask.Groups) == 0 {
		return s, nil
	}
	v.Look(looked.At{What: api.LookedRhythm, From: ask.Days.Start, To: ask.Days.End}, true)
	list, err := people.Compare(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	s.Hours = week.Hours()
	s.groups(v, list)
	return s, nil
}

// groups draws all of them on one scale.
func (s *view) groups(v *frame.Visit, list []byperson.GroupFigures) {
	most := float64(leastScale)
	for i := range list {
		most = max(most, math.Ceil(list[i].Upper/secondsAnHour))
	}
	at := func(seconds float64) string { return percent(seconds / secondsAnHour / most) }
	const each = 2 // hours between ticks
	for h := 0; h <= int(most); h += each {
		s.Ticks = append(s.Ticks, tick{at(float64(h) * secondsAnHour), strconv.Itoa(h)})
	}
	for i := range list {
		f := &list[i]
		g := group{Name: f.Group, People: f.People, Few: f.Few}
		if !f.Few {
			g.Lower, g.Middle, g.Upper = v.Words.Length(f.Lower), v.Words.Length(f.Middle), v.Words.Length(f.Upper)
			g.X, g.W, g.M = at(f.Lower), at(f.Upper-f.Lower), at(f.Middle)
			g.Days = week.Days(v.Words, f.Hours, f.People)
		}
		s.Groups = append(s.Groups, g)
	}
}

func percent(part float64) string { return strconv.FormatFloat(100*part, 'f', 2, 64) + "%" }
