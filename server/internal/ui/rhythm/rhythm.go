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
	s.Groups, err = v.GroupNames(reports)
	return s, err
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
