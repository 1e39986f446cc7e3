// Package hours is the sheet of people's hours: a row a person, a column a day, week or month;
// and months that are closed.
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
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/report/planned"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/week"
)

//go:embed hours.html
var html string

const (
	// pagePeople are on a page, at most: of a year there are fewer.
	pagePeople = 100
	daysAWeek  = 7
	// quarterWeeks are the columns of a sheet by week.
	quarterWeeks = 13
	isoMonth     = "2006-01"
)

// Spans that a sheet may be of.
const (
	spanWeek    = "week"
	spanMonth   = "month"
	spanQuarter = "quarter"
	spanYear    = "year"
)

// Parts are what the page is made from.
type Parts struct {
	People   *byperson.Reports
	Reports  *report.Reports
	Policies *policies.Policies
}

// view is what hours.html shows.
type view struct {
	Title, Date, Zone, Group string
	Span                     string
	Before, After, Next      string
	CSV, XLSX                string
	Groups                   []string
	Columns                  []column
	People                   []person
	// Planned means that it is known of somebody what was planned.
	Planned bool
	// Feet are the sums below: of the page, and of all people where there are others.
	Feet []foot
	// SumAll has all people added up, where that takes a while; Large means that they are too
	// many even then.
	SumAll string
	Large  bool

	// Month is the one that is shown, if one is; Closable means that the visitor may close it.
	Month       string
	MonthName   string
	Closable    bool
	Closed      []closed
	Checked     *checked
	now         time.Time
	periods     []report.Period
	first, last time.Time
	by          report.Step
}

// column is a period. Frozen means that it is of a closed month.
type column struct {
	Name, Link      string
	Weekend, Frozen bool
}

// foot is what people amount to.
type foot struct {
	Of    string
	Cells []cell
	Sum   sums
}

type person struct {
	ID, Name string
	Partial  bool
	Cells    []cell
	Sum      sums
}

// sums are what a row amounts to; Planned and Difference are empty where what was planned is
// not known.
type sums struct{ Active, NoInput, Planned, Difference string }

type cell struct {
	Active, Span, NoInput string
	Weekend               bool
}

// Page returns the page.
func Page(p Parts) frame.Page {
	return frame.Page{Name: "hours", HTML: html, Make: p.show, Act: act}
}

func (p Parts) show(v *frame.Visit) (any, error) {
	q := v.Query
	date, err := report.ParseDay(cmp.Or(q.Get("date"), v.Now.In(v.Zone).Format(time.DateOnly)), v.Zone.String())
	if err != nil {
		return nil, err
	}
	s := &view{Date: date.Date, Zone: v.Zone.String(), Group: q.Get("group"), now: v.Now}
	s.choose(v, q.Get("span"))
	ask := byperson.HoursQuestion{}
	if ask.Days, err = report.ParseRange(s.first.Format(time.DateOnly), s.last.Format(time.DateOnly), s.Zone); err != nil {
		return nil, err
	}
	if s.periods, err = ask.Days.Periods(s.by); err != nil {
		return nil, err
	}
	ask.Periods = s.periods
	if ask.Who, err = byperson.ParseWho("", s.Group); err != nil {
		return nil, err
	}
	if ask.Page, err = report.ParsePeoplePage("", q.Get("cursor"), pagePeople); err != nil {
		return nil, err
	}
	ask.Page.Limit = pagePeople
	v.Look(looked.At{What: api.LookedActivity, From: ask.Days.Start, To: ask.Days.End}, true)
	list, next, err := p.People.Hours(v.Context(), v.Caller.Scope, ask)
	if err != nil {
		return nil, err
	}
	if err := s.closings(v); err != nil {
		return nil, err
	}
	s.columns(v)
	if next != "" {
		s.Next = s.link("cursor", next, "sum", q.Get("sum"))
	}
	if err := p.fill(v, s, ask, list); err != nil {
		return nil, err
	}
	s.files()
	s.Groups, err = v.GroupNames(p.Reports)
	return s, err
}

// fill makes the rows of a page, and the sums below them: of the page, and of all people.
// These are added up at once where that takes no time to speak of, and otherwise where it is
// asked for.
func (p Parts) fill(v *frame.Visit, s *view, ask byperson.HoursQuestion, list []byperson.PersonHours) error {
	plans, err := p.plans(v, list)
	if err != nil {
		return err
	}
	page := s.newFooting()
	page.add(list, plans)
	s.rows(v, list, plans)
	if ask.Page.After == 0 && s.Next == "" {
		s.foot(v, v.Words.N("hours.sumall", page.people), page)
		return nil
	}
	s.foot(v, v.Words.T("hours.sum"), page)
	most, asked := byperson.TotalDays, v.Query.Has("sum")
	if asked {
		most = byperson.MostTotalDays
	}
	everybody := s.newFooting()
	all, err := p.People.EachHours(v.Context(), v.Caller.Scope, ask, most, list, func(some []byperson.PersonHours) error {
		plans, err := p.plans(v, some)
		if err == nil {
			everybody.add(some, plans)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case all:
		s.foot(v, v.Words.N("hours.sumall", everybody.people), everybody)
	case asked:
		s.Large = true
	default:
		s.SumAll = s.link("sum", "all", "cursor", v.Query.Get("cursor"))
	}
	return nil
}

func (p Parts) plans(v *frame.Visit, list []byperson.PersonHours) (*planned.Plans, error) {
	var accounts []string
	for i := range list {
		accounts = append(accounts, idsOf(&list[i])...)
	}
	return planned.Of(v.Context(), p.Policies, accounts)
}

func idsOf(p *byperson.PersonHours) []string {
	ids := make([]string, len(p.Accounts))
	for i := range p.Accounts {
		ids[i] = p.Accounts[i].MachineID
	}
	return ids
}

// choose finds the span around a date: its days, its columns, and what comes before and after.
func (s *view) choose(v *frame.Visit, span string) {
	t, _ := time.Parse(time.DateOnly, s.Date) // it was read from there
	monday := week.Monday(t)
	s.Span, s.by = span, report.ByDay
	switch span {
	case spanMonth:
		s.first = t.AddDate(0, 0, 1-t.Day())
		s.last = s.first.AddDate(0, 1, -1)
		s.Title, s.Month = v.Words.Month(t.Month(), t.Year()), t.Format(isoMonth)
		s.MonthName = s.Title
	case spanQuarter:
		s.by = report.ByWeek
		s.first, s.last = monday.AddDate(0, 0, -(quarterWeeks-1)*daysAWeek), monday.AddDate(0, 0, daysAWeek-1)
	case spanYear:
		s.by = report.ByMonth
		s.first = time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
		s.last = s.first.AddDate(1, 0, -1)
		s.Title = strconv.Itoa(t.Year())
	default:
		s.Span = spanWeek
		s.first, s.last = monday, monday.AddDate(0, 0, daysAWeek-1)
	}
	s.Title = cmp.Or(s.Title, v.Words.Date(s.first)+" – "+v.Words.Date(s.last))
	after := s.last.AddDate(0, 0, 1)
	if span == spanQuarter { // its last week is that of the date
		after = s.last.AddDate(0, 0, (quarterWeeks-1)*daysAWeek)
	}
	s.Before, s.After = s.link("date", s.first.AddDate(0, 0, -1).Format(time.DateOnly)), s.link("date", after.Format(time.DateOnly))
}

// columns names the periods, and leads to what each is made of.
func (s *view) columns(v *frame.Visit) {
	for i := range s.periods {
		p := &s.periods[i]
		first, _ := time.Parse(time.DateOnly, p.First) // a report has it so
		c := column{Frozen: s.frozen(p)}
		switch s.by {
		case report.ByWeek:
			_, number := first.ISOWeek()
			c.Name, c.Link = v.Words.T("hours.weekof", strconv.Itoa(number)), s.link("date", p.First, "span", spanWeek)
		case report.ByMonth:
			c.Name, c.Link = v.Words.ShortMonth(first.Month()), s.link("date", p.First, "span", spanMonth)
		default:
			c.Name = v.Words.Weekdays()[week.Weekday(first)] + " " + strconv.Itoa(first.Day())
			c.Link = "day?" + url.Values{"date": {p.First}, "group": {s.Group}}.Encode()
			c.Weekend = first.Weekday() == time.Saturday || first.Weekday() == time.Sunday
		}
		s.Columns = append(s.Columns, c)
	}
}

// rows makes the sheet.
func (s *view) rows(v *frame.Visit, list []byperson.PersonHours, plans *planned.Plans) {
	for i := range list {
		one := &list[i]
		p := person{ID: report.PersonID(one.ID).String(), Name: one.Name(), Partial: one.Partial}
		for j := range s.Columns {
			p.Cells = append(p.Cells, s.cell(v, &one.Sums[j], s.Columns[j].Weekend))
		}
		of := s.totalOf(one, plans)
		s.Planned = s.Planned || of.known
		p.Sum = of.sums(v)
		s.People = append(s.People, p)
	}
}

// footing adds people up.
type footing struct {
	sheet   *view
	people  int
	columns []float64
	total
}

func (s *view) newFooting() *footing {
	return &footing{sheet: s, columns: make([]float64, len(s.Columns))}
}

func (f *footing) add(list []byperson.PersonHours, plans *planned.Plans) {
	for i := range list {
		one := f.sheet.totalOf(&list[i], plans)
		f.total.add(&one)
		for j := range f.columns {
			f.columns[j] += list[i].Sums[j].ActiveSeconds
		}
	}
	f.people += len(list)
}

// foot adds a row of what people amount to.
func (s *view) foot(v *frame.Visit, of string, sum *footing) {
	f := foot{Of: of}
	for i, seconds := range sum.columns {
		f.Cells = append(f.Cells, cell{Active: v.Words.Short(seconds), Weekend: s.Columns[i].Weekend})
	}
	sum.known = s.Planned && sum.unknown == 0
	f.Sum = sum.sums(v)
	s.Feet = append(s.Feet, f)
}

// totalOf adds up somebody's periods.
func (s *view) totalOf(p *byperson.PersonHours, plans *planned.Plans) total {
	of, accounts := total{known: true}, idsOf(p)
	for i := range s.Columns {
		of.active, of.noInput = of.active+p.Sums[i].ActiveSeconds, of.noInput+p.Sums[i].IdleSeconds
		s.plan(&of, plans, accounts, &s.periods[i])
	}
	return of
}

func (s *view) cell(v *frame.Visit, sums *query.Sums, weekend bool) cell {
	c := cell{Weekend: weekend}
	if sums.ActiveSeconds > 0 {
		c.Active = v.Words.Short(sums.ActiveSeconds)
	}
	if sums.IdleSeconds > 0 {
		c.NoInput = v.Words.Short(sums.IdleSeconds)
	}
	if s.by == report.ByDay && sums.First != nil && sums.Last != nil {
		c.Span = v.At(*sums.First) + "–" + v.At(*sums.Last)
	}
	return c
}

// plan adds what was planned of a period, up to now.
func (s *view) plan(of *total, plans *planned.Plans, accounts []string, p *report.Period) {
	end := p.End
	if s.now.Before(end) {
		end = s.now
	}
	if !of.known || !end.After(p.Start) {
		return
	}
	length, known := plans.Length(accounts, p.Start, end)
	of.known, of.planned = known, of.planned+length.Seconds()
}

// total adds up seconds.
type total struct {
	active, noInput, planned float64
	// known means that what was planned is known; unknown counts those of whom it is not.
	known   bool
	unknown int
}

func (t *total) add(o *total) {
	t.active, t.noInput, t.planned = t.active+o.active, t.noInput+o.noInput, t.planned+o.planned
	if !o.known {
		t.unknown++
	}
}

func (t *total) sums(v *frame.Visit) sums {
	s := sums{Active: v.Words.Short(t.active), NoInput: v.Words.Short(t.noInput)}
	if !t.known {
		return s
	}
	s.Planned = v.Words.Short(t.planned)
	switch d := t.active - t.planned; {
	case d < 0:
		s.Difference = "−" + v.Words.Short(-d)
	default:
		s.Difference = v.Words.Short(d)
	}
	return s
}

// link is this page with something changed; other days or groups begin with their first people.
func (s *view) link(changes ...string) string {
	changed := url.Values{"date": {s.Date}, "span": {s.Span}}
	if s.Group != "" {
		changed.Set("group", s.Group)
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] != "" || changed.Has(changes[i]) {
			changed.Set(changes[i], changes[i+1])
		}
	}
	return "hours?" + changed.Encode()
}

// files are the same figures for a spreadsheet, of all people.
func (s *view) files() {
	q := url.Values{"per": {"person"}, "by": {string(s.by)}, "from": {s.first.Format(time.DateOnly)}, "to": {s.last.Format(time.DateOnly)}, "tz": {s.Zone}}
	if s.Group != "" {
		q.Set("group", s.Group)
	}
	q.Set("format", "csv")
	s.CSV = "api/reports/activity?" + q.Encode()
	q.Set("format", "xlsx")
	s.XLSX = "api/reports/activity?" + q.Encode()
}
