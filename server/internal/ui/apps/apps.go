// Package apps is the page of what people use: by category, and the applications of each.
package apps

import (
	"cmp"
	_ "embed" // for the page's template
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed apps.html
var html string

const (
	// usualDays is how far back the page looks: a week.
	usualDays = 7
	// maxApps is how many applications a category lists; the rest is one line.
	maxApps = 15
	percent = 100
)

// view is what apps.html shows.
type view struct {
	From, To, Zone, Group, Person string
	Estimated                     bool
	Groups                        []string
	Categories                    []*category
}

// category is one, or what is in none, which comes first.
type category struct {
	Name, Length, Open string
	None               bool
	// Share is its part of all time with somebody there, in percent.
	Share   int
	Apps    []app
	seconds float64
	open    float64
}

type app struct {
	Name, Length, Open string
	// Share is its part of the category's longest, in percent.
	Share   int
	seconds float64
	open    float64
}

// Page returns the page.
func Page(reports *report.Reports) frame.Page {
	return frame.Page{Name: "apps", HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, reports) }}
}

func show(v *frame.Visit, reports *report.Reports) (any, error) {
	q, today := v.Query, v.Now.In(v.Zone)
	from := cmp.Or(q.Get("from"), today.AddDate(0, 0, -usualDays).Format(time.DateOnly))
	to := cmp.Or(q.Get("to"), today.Format(time.DateOnly))
	ask := report.AppsQuestion{By: report.ByApp}
	var err error
	if ask.Days, err = report.ParseRange(from, to, v.Zone.String()); err != nil {
		return nil, err
	}
	per := report.PerAll
	switch {
	case q.Get("person") != "":
		per = report.PerPerson
	case q.Get("group") != "":
		per = report.PerGroup
	}
	if ask.Subject, err = report.ParseSubject(string(per), "", q.Get("person"), q.Get("group"), "", ""); err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedApps, From: ask.Days.Start, To: ask.Days.End}, per != report.PerPerson)
	r, err := reports.Apps(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	s := &view{From: r.From, To: r.To, Zone: r.TZ, Group: q.Get("group"), Person: q.Get("person")}
	s.add(v, r.Rows)
	s.Groups, err = v.GroupNames(reports)
	return s, err
}

// add sorts the rows into categories: what is in none first, then the longest.
func (s *view) add(v *frame.Visit, rows []api.AppRow) {
	byName := map[string]*category{}
	all := 0.0
	for i := range rows {
		row := &rows[i]
		c := byName[row.Category]
		if c == nil {
			c = &category{Name: row.Category, None: row.Category == ""}
			byName[row.Category] = c
			s.Categories = append(s.Categories, c)
		}
		s.Estimated = s.Estimated || row.Estimated
		c.seconds, c.open, all = c.seconds+row.Seconds, c.open+row.OpenSeconds, all+row.Seconds
		c.Apps = append(c.Apps, app{Name: row.App, seconds: row.Seconds, open: row.OpenSeconds})
	}
	slices.SortFunc(s.Categories, func(a, b *category) int {
		if a.None != b.None {
			return map[bool]int{true: -1, false: 1}[a.None]
		}
		return cmp.Or(cmp.Compare(b.seconds, a.seconds), strings.Compare(a.Name, b.Name))
	})
	for _, c := range s.Categories {
		c.finish(v, all)
	}
}

func (c *category) finish(v *frame.Visit, all float64) {
	slices.SortFunc(c.Apps, func(a, b app) int {
		return cmp.Or(cmp.Compare(b.seconds, a.seconds), cmp.Compare(b.open, a.open), strings.Compare(a.Name, b.Name))
	})
	if len(c.Apps) > maxApps {
		rest := app{}
		for _, a := range c.Apps[maxApps:] {
			rest.seconds, rest.open = rest.seconds+a.seconds, rest.open+a.open
		}
		c.Apps = append(c.Apps[:maxApps:maxApps], rest)
	}
	longest := 1.0
	for i := range c.Apps {
		longest = max(longest, c.Apps[i].seconds)
	}
	for i := range c.Apps {
		a := &c.Apps[i]
		a.Length, a.Open, a.Share = v.Words.Length(a.seconds), open(v, a.open), int(percent*a.seconds/longest)
	}
	c.Length, c.Open, c.Share = v.Words.Length(c.seconds), open(v, c.open), int(percent*c.seconds/max(1, all)+0.5)
}

// open writes for how long something was open with nobody there; nothing for under a minute.
func open(v *frame.Visit, seconds float64) string {
	const minute = 60
	if seconds < minute {
		return ""
	}
	return v.Words.Length(seconds)
}
