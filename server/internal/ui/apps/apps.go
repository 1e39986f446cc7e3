// Package apps is the page of what people use: by category, and the applications of each.
package apps

import (
	"cmp"
	_ "embed" // for the page's template
	"net/url"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
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

// Parts are what the page is made from.
type Parts struct{ Reports *report.Reports }

// view is what apps.html shows.
type view struct {
	From, To, Zone, Group, Person string
	Estimated                     bool
	Groups                        []string
	Categories                    []*category
	Stack                         *stack
	// App is the application whose users are listed; MorePeople means that there are others.
	App        string
	Users      []user
	MorePeople bool
	// Sorting means that the visitor may put applications into categories.
	Sorting bool
	// order are the names of all categories, styles how each is drawn.
	order  []string
	styles map[string]string
}

// category is one, or what is in none, which comes first.
type category struct {
	Name, Length, Open string
	None               bool
	// Share is its part of all time with somebody there, in percent; Colour that of its bars.
	Share   int
	Colour  string
	Apps    []app
	seconds float64
	open    float64
}

type app struct {
	Name, Length, Open string
	// Share and OpenShare are parts of the category's longest, in percent; Link lists who
	// used it.
	Share, OpenShare int
	Link             string
	seconds          float64
	open             float64
}

// Page returns the page.
func Page(p Parts) frame.Page {
	return frame.Page{Name: "apps", HTML: html, Make: p.show}
}

func (p Parts) show(v *frame.Visit) (any, error) {
	q := v.Query
	from, to := v.Range(usualDays, 0)
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
	r, err := p.Reports.Apps(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	s := &view{
		From: r.From, To: r.To, Zone: r.TZ, Group: q.Get("group"), Person: q.Get("person"), Sorting: v.Caller.Role == directory.RoleAdmin, styles: map[string]string{},
	}
	categories, err := p.Reports.Categories(v.Context())
	if err != nil {
		return nil, err
	}
	palette := lane.NewPalette(categories.Categories)
	for i := range categories.Categories {
		name := categories.Categories[i].Name
		s.styles[name] = palette.Of(i)
		s.order = append(s.order, name)
	}
	s.add(v, r.Rows)
	if err := p.stack(v, s, ask); err != nil {
		return nil, err
	}
	if err := p.users(v, s, ask); err != nil {
		return nil, err
	}
	s.Groups, err = v.GroupNames(p.Reports)
	return s, err
}

// colour is the style of a category.
func (s *view) colour(name string) string {
	if name == "" {
		return lane.None
	}
	return cmp.Or(s.styles[name], lane.More)
}

// link lists who used an application.
func (s *view) link(app string) string {
	if app == "" || s.Person != "" {
		return ""
	}
	q := url.Values{"app": {app}, "from": {s.From}, "to": {s.To}}
	if s.Group != "" {
		q.Set("group", s.Group)
	}
	return "apps?" + q.Encode() + "#people"
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
		c.Colour = s.colour(c.Name)
		c.finish(v, all)
		for i := range c.Apps {
			c.Apps[i].Link = s.link(c.Apps[i].Name)
		}
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
		longest = max(longest, c.Apps[i].seconds+c.Apps[i].open)
	}
	for i := range c.Apps {
		a := &c.Apps[i]
		a.Length, a.Open, a.Share, a.OpenShare = v.Words.Length(a.seconds), open(v, a.open), int(percent*a.seconds/longest), int(percent*a.open/longest)
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
