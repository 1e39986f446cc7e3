// Package person has the pages of one person: their day and month as others see them, and
// the same of oneself.
package person

import (
	"cmp"
	"context"
	_ "embed" // for the page's template
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/panics"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

//go:embed person.html
var html string

//go:embed day.html
var dayHTML string

//go:embed own.html
var ownHTML string

// looksShown is how many looks a page has, the newest.
const looksShown = "30"

// Parts are what the pages are made from.
type Parts struct {
	Reports *report.Reports
	People  *byperson.Reports
	Looked  *looked.List
	// Access is where it is written who looks.
	Access *access.Log
	Self   *selfapi.API
	Notes  *noteapi.API
}

// Pages returns them: somebody's, and one's own.
func Pages(p Parts) []frame.Page {
	return []frame.Page{
		{Name: "people/", HTML: html + dayHTML + ownHTML, Hidden: true, Make: p.others, Act: actOthers},
		{Name: "me", HTML: html + dayHTML + ownHTML, Make: p.own, Act: actOwn},
	}
}

// view is what person.html shows.
type view struct {
	// Own means that somebody sees themselves, Nobody that no account is known to be theirs.
	Own, Nobody bool
	Name        string
	Accounts    []api.Account
	Partial     bool
	// Estimated means that not all of it is known by the minute, Cut that there are more
	// records than are drawn.
	Estimated, Cut                   bool
	Title, Date, Zone, Before, After string
	DayStart                         int64 // in seconds since 1970
	Ticks                            []lane.Tick
	Lane                             lane.Lane
	Start, End                       string
	Figures                          []figure
	Apps                             []app

	// What single records are drawn as: lanes of applications and categories, charts, and
	// percentages of the hosts.
	Strips     []strip
	Categories []named
	Legend     []mark
	Runs       []run
	Charts     []chart
	Repeated   string
	Synthetic  bool
	CPU, RAM   string
	Hours      []hour
	timeline   []api.Hour
	Span       span

	WeekHours []string
	Week      []weekday
	Month     month

	Notes []note
	Draft draft
	// Answers means that the visitor may answer notes.
	Answers      bool
	ShowPictures bool
	PicturesLink string
	Pictures     []picture
	// Rules are what is collected of oneself now, RulesPartly where there are more hosts.
	Rules       []collection
	RulesPartly bool
	Receipts    []receipt
	// Looks are who looked, where the visitor may know; ShowLooks is set where they may.
	Looks     []look
	ShowLooks bool
}

// named is a path that a pointer finds a name at.
type named struct {
	lane.Path
	Name string
}

// mark is a colour that a legend explains.
type mark struct{ Colour, Name string }

type figure struct{ Name, Value string }

type app struct {
	Name, Length string
	// Share is its part of the longest, in percent.
	Share int
}

type look struct{ When, Who, What string }

// subject is whose page it is, and what of them the visitor may see.
type subject struct {
	id    report.PersonID
	scope directory.Scope
	own   bool
}

func (p Parts) others(v *frame.Visit) (any, error) {
	id, err := report.ParsePersonID(v.ID)
	if err != nil {
		return nil, err
	}
	return p.show(v, subject{id: id, scope: v.Caller.Scope})
}

func (p Parts) own(v *frame.Visit) (any, error) {
	mine, err := p.Self.OwnOf(auth.As(v.Context(), v.Caller))
	var refusal *problem.Error
	if err = selfapi.AsProblem(err); errors.As(err, &refusal) && refusal.Code == api.CodeNotFound {
		return &view{Own: true, Nobody: true}, nil
	}
	if err != nil {
		return nil, err
	}
	page, err := p.show(v, subject{id: report.PersonID(mine.Person), scope: directory.OfMachines(mine.Accounts), own: true})
	if errors.Is(err, people.ErrNone) { // the accounts of the person have been joined to another's
		return &view{Own: true, Nobody: true}, nil
	}
	return page, err
}

// dayOf is the day that the address or a form is about.
func dayOf(v *frame.Visit) (report.Day, error) {
	return report.ParseDay(cmp.Or(v.Query.Get("date"), v.Now.In(v.Zone).Format(time.DateOnly)), v.Zone.String())
}

func (p Parts) show(v *frame.Visit, s subject) (any, error) {
	day, err := dayOf(v)
	if err != nil {
		return nil, err
	}
	m, err := monthOf(day)
	if err != nil {
		return nil, err
	}
	chosen, err := parseSpan(v.Query, day)
	if err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedDay, From: m.start, To: m.end}, false)
	who, err := p.Reports.Person(v.Context(), s.scope, s.id)
	if err != nil {
		return nil, err
	}
	shift := func(days int) string {
		return "?date=" + day.Start.In(day.Zone).AddDate(0, 0, days).Format(time.DateOnly)
	}
	page := &view{
		Own: s.own, Name: report.NameOf(&who), Accounts: who.Accounts, Partial: who.Partial, Span: chosen,
		Title: v.Words.Date(day.Start.In(day.Zone)), Date: day.Date, Zone: day.Zone.String(), Before: shift(-1), After: shift(1),
		Ticks: lane.Ticks(day.Start, day.End, day.Zone), DayStart: day.Start.Unix(),
	}
	if page.Month, err = p.month(v, s, m); err != nil {
		return nil, err
	}
	return page, p.read(v, s, day, page)
}

// read reads the day. Single records are about half of the work, and are read beside the rest.
func (p Parts) read(v *frame.Visit, s subject, day report.Day, page *view) error {
	var of records
	ctx, end := context.WithCancel(v.Context())
	defer end()
	var beside errgroup.Group
	beside.Go(panics.AsError(func() (err error) {
		of, err = p.records(ctx, s, day)
		return err
	}))
	for _, read := range []func(*frame.Visit, subject, report.Day, *view) error{p.day, p.week, p.titles, p.notes, p.pictures, p.looks, p.collected} {
		if err := read(v, s, day, page); err != nil {
			end()
			_ = beside.Wait() // it was ended
			return err
		}
	}
	if err := beside.Wait(); err != nil {
		return err
	}
	page.drawn(v, day, of)
	return nil
}

// day reads the lane, the sums and the applications of the day.
func (p Parts) day(v *frame.Visit, s subject, day report.Day, page *view) error {
	whole, err := p.People.WholeDay(v.Context(), s.scope, byperson.PersonDayQuestion{Person: s.id, Day: day})
	if err != nil {
		return err
	}
	sums := &whole.Summary
	page.timeline = whole.Hours
	var d lane.Drawer
	l := d.Draw(day.Start, day.End, whole.Segments)
	page.Lane, page.Start, page.End, page.Estimated = l, v.At(l.First), v.At(l.Last), sums.Estimated
	w := v.Words
	page.Figures = []figure{
		{w.T("state.active"), w.Length(l.Active)},
		{w.T("state.no_input"), w.Length(l.NoInput)},
		{w.T("state.locked"), w.Length(l.Locked)},
		{w.T("state.disconnected"), w.Length(l.Disconnected)},
		{w.T("state.not_collected"), w.Length(l.NotCollected)},
		{w.T("person.keys"), w.Number(int(sums.KeyCount))},
		{w.T("person.clicks"), w.Number(int(sums.MouseClicks))},
		{w.T("person.scrolls"), w.Number(int(sums.ScrollCount))},
	}
	const percent = 100
	for _, a := range sums.TopApps {
		page.Apps = append(page.Apps, app{a.App, w.Length(a.Seconds), int(percent * a.Seconds / max(1, sums.TopApps[0].Seconds))})
	}
	return nil
}

// looks reads who looked, for the person and for who oversees.
func (p Parts) looks(v *frame.Visit, s subject, _ report.Day, page *view) error {
	if page.ShowLooks = s.own || v.Caller.Role == directory.RoleAdmin; !page.ShowLooks {
		return nil
	}
	q, err := looked.ParsePersonQuestion(s.id.String(), looksShown, "")
	if err != nil {
		return err
	}
	q.Within = s.scope
	ctx, answer := looked.Begin(v.Context(), p.Access, looked.At{What: api.LookedAccess})
	list, err := p.Looked.PersonAccess(ctx, s.scope, q)
	if err == nil {
		err = answer.Keep(ctx)
	}
	if err != nil {
		return err
	}
	for i := range list.Access {
		a := &list.Access[i]
		page.Looks = append(page.Looks, look{v.Words.Moment(a.LastAt.In(v.Zone), v.Now.In(v.Zone)), reader(v, a), v.Words.Or("looked."+a.What, a.What)})
	}
	return nil
}

func reader(v *frame.Visit, a *api.Access) string {
	kind := v.Words.Or("reader."+a.ReaderKind, a.ReaderKind)
	if n := cmp.Or(a.ReaderName, a.ReaderID); n != "" {
		return n + " (" + kind + ")"
	}
	return kind
}
