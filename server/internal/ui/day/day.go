// Package day is the page of what people's day was like: a lane each.
package day

import (
	"cmp"
	_ "embed" // for the page's template
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/report/planned"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

//go:embed day.html
var html string

// Parts are what the page is made from.
type Parts struct {
	People   *byperson.Reports
	Reports  *report.Reports
	Policies *policies.Policies
}

// view is what day.html shows.
type view struct {
	Title, Date, Zone        string
	Before, After, Next, CSV string
	Group                    string
	Groups                   []string
	Ticks                    []lane.Tick
	Width                    int
	// Start is when the day begins, in seconds since 1970.
	Start  int64
	People []person
	// Columns are those that the lanes can be sorted by. SortedHere means that only those of
	// this page are.
	Columns    map[string]column
	Sort       string
	SortedHere bool
	// Planned means that somebody's work hours by policy are drawn.
	Planned bool
}

// column is one of the table: Link sorts by it, Sorted is how it is sorted, as ARIA has it.
type column struct{ Link, Sorted string }

type person struct {
	ID, Name string
	lane.Lane
	// Ground is where work hours by policy are.
	Ground                      string
	Start, End, Active, NoInput string
	Partial                     bool
}

// Page returns the page.
func Page(p Parts) frame.Page {
	return frame.Page{Name: "day", HTML: html, Make: p.show}
}

func (p Parts) show(v *frame.Visit) (any, error) {
	q := v.Query
	day, err := report.ParseDay(cmp.Or(q.Get("date"), v.Now.In(v.Zone).Format(time.DateOnly)), v.Zone.String())
	if err != nil {
		return nil, err
	}
	ask := byperson.DayQuestion{Day: day}
	if ask.Who, err = byperson.ParseWho("", q.Get("group")); err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedDay, From: day.Start, To: day.End}, true)
	s := view{
		Title: v.Words.Date(day.Start.In(day.Zone)), Date: day.Date, Zone: day.Zone.String(), Group: string(ask.Group), Start: day.Start.Unix(),
		Ticks: lane.Ticks(day.Start, day.End, day.Zone), Width: int(day.End.Sub(day.Start) / time.Minute),
		Before: link(q, "date", shift(day, -1)), After: link(q, "date", shift(day, 1)),
	}
	list, err := p.list(v, &s, ask)
	if err != nil {
		return nil, err
	}
	s.Sort = q.Get("sort")
	s.columns(q)
	plans, err := planned.Of(v.Context(), p.Policies, accountsOf(list))
	if err != nil {
		return nil, err
	}
	for i := range list {
		one := &list[i]
		spans, known := plans.Spans(idsOf(&one.PersonDay), day.Start, day.End)
		s.Planned = s.Planned || known && len(spans) > 0
		d := &one.lane
		s.People = append(s.People, person{
			ID: report.PersonID(one.ID).String(), Name: one.Name(), Lane: *d, Ground: ground(day, spans), Start: v.At(d.First), End: v.At(d.Last),
			Active: v.Words.Length(d.Active), NoInput: v.Words.Length(d.NoInput), Partial: one.Partial,
		})
	}
	s.Groups, err = v.GroupNames(p.Reports)
	return &s, err
}

// drawn is somebody's day with its lane.
type drawn struct {
	byperson.PersonDay
	lane lane.Lane
}

// list returns the people of a page, sorted if that is asked for.
func (p Parts) list(v *frame.Visit, s *view, ask byperson.DayQuestion) ([]drawn, error) {
	q := v.Query
	by := q.Get("sort")
	if by != "" {
		all, more, err := p.People.AllDays(v.Context(), v.Caller.Scope, ask)
		if err != nil {
			return nil, err
		}
		if !more {
			return s.sorted(v, ask.Day, all, by)
		}
		s.SortedHere = true
	}
	var err error
	if ask.Page, err = report.ParsePeoplePage("", q.Get("cursor"), byperson.MaxDayPeople); err != nil {
		return nil, err
	}
	days, next, err := p.People.Days(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	if next != "" {
		s.Next = link(q, "cursor", next)
	}
	list := draw(ask.Day, days)
	sort(list, by)
	return list, nil
}

// sorted returns a page of all that were sorted; whoever is on it was looked at.
func (s *view) sorted(v *frame.Visit, day report.Day, all []byperson.PersonDay, by string) ([]drawn, error) {
	list := draw(day, all)
	sort(list, by)
	page, err := strconv.Atoi(cmp.Or(v.Query.Get("page"), "1"))
	if err != nil || page < 1 || page > len(list)/byperson.MaxDayPeople+1 {
		return nil, problem.BadRequest("page: want a number of a page that there is")
	}
	list = list[(page-1)*byperson.MaxDayPeople:]
	if len(list) > byperson.MaxDayPeople {
		list = list[:byperson.MaxDayPeople]
		s.Next = link(v.Query, "page", strconv.Itoa(page+1))
	}
	for i := range list {
		access.See(v.Context(), list[i].Keys()...)
	}
	return list, nil
}

func draw(day report.Day, days []byperson.PersonDay) []drawn {
	var d lane.Drawer
	list := make([]drawn, len(days))
	for i := range days {
		list[i] = drawn{days[i], d.Draw(day.Start, day.End, days[i].Segments())}
	}
	return list
}

// sort sorts by a column, by the largest first where a minus is before it. Who has nothing
// there comes last.
func sort(list []drawn, by string) {
	column, down := strings.CutPrefix(by, "-")
	name := func(d *drawn) string { return strings.ToLower(d.Name()) }
	value := map[string]func(*drawn) float64{
		"start": func(d *drawn) float64 { return float64(d.lane.First.Unix()) }, "end": func(d *drawn) float64 { return float64(d.lane.Last.Unix()) },
		"active": func(d *drawn) float64 { return d.lane.Active }, "noinput": func(d *drawn) float64 { return d.lane.NoInput },
	}[column]
	if value == nil && column != "name" {
		return
	}
	slices.SortStableFunc(list, func(a, b drawn) int {
		order := cmp.Compare(name(&a), name(&b))
		if value != nil {
			none := func(d *drawn) int { return map[bool]int{true: 1}[d.lane.First.IsZero() && value(d) <= 0] }
			if absent := cmp.Compare(none(&a), none(&b)); absent != 0 {
				return absent
			}
			order = cmp.Compare(value(&a), value(&b))
		}
		if down {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(name(&a), name(&b)), cmp.Compare(a.ID, b.ID))
	})
}

// columns lead to the page sorted otherwise; a column that it is sorted by to the other way round.
func (s *view) columns(q url.Values) {
	s.Columns = map[string]column{}
	for _, name := range []string{"name", "start", "end", "active", "noinput"} {
		c := column{Link: link(q, "sort", name)}
		switch q.Get("sort") {
		case name:
			c = column{link(q, "sort", "-"+name), "ascending"}
		case "-" + name:
			c.Sorted = "descending"
		}
		s.Columns[name] = c
	}
}

// ground draws work hours.
func ground(day report.Day, spans []planned.Span) string {
	var b strings.Builder
	for _, span := range spans {
		from, to := int(span.Start.Sub(day.Start)/time.Minute), int(span.End.Sub(day.Start)/time.Minute)
		fmt.Fprintf(&b, "M%d 0h%dv24h-%dz", from, to-from, to-from)
	}
	return b.String()
}

func accountsOf(list []drawn) (machineIDs []string) {
	for i := range list {
		machineIDs = append(machineIDs, idsOf(&list[i].PersonDay)...)
	}
	return machineIDs
}

func idsOf(p *byperson.PersonDay) []string {
	ids := make([]string, len(p.Accounts))
	for i := range p.Accounts {
		ids[i] = p.Accounts[i].MachineID
	}
	return ids
}

// shift is the date some days later.
func shift(day report.Day, days int) string {
	t, _ := time.Parse(time.DateOnly, day.Date) // it was read from there
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// link is this page with something changed; another day, group or order begins with its first people.
func link(q url.Values, name, value string) string {
	changed := url.Values{name: {value}}
	for _, kept := range []string{"date", "group", "tz", "sort"} {
		if kept != name && q.Get(kept) != "" {
			changed.Set(kept, q.Get(kept))
		}
	}
	return "day?" + changed.Encode()
}
