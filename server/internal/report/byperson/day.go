package byperson

import (
	"cmp"
	"context"
	"iter"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/people"
)

// MaxDayPeople bounds a page of people's days: more than anyone looks at together.
const MaxDayPeople = 50

const (
	// MaxSorted is how many people's days are read at most so that they can be sorted: 400 are
	// read in 60 to 100 ms on two busy cores.
	MaxSorted = 2000
	// sortedAtOnce is how many of them are read at once: their minutes take 5 MB.
	sortedAtOnce = 200
)

// DayQuestion asks for the segments of people's day.
type DayQuestion struct {
	Day report.Day
	Who
	Page report.PeoplePage
}

// Day returns the segments of a day of a page of people, up to now.
func (r *Reports) Day(ctx context.Context, scope directory.Scope, q DayQuestion) (api.DayReport, error) {
	reply := api.DayReport{Date: q.Day.Date, TZ: q.Day.Zone.String()}
	people, next, err := r.day(ctx, scope, q)
	reply.People, reply.NextCursor = people, report.PeopleCursor(next)
	return reply, err
}

// PersonDay is somebody's day, with what names them.
type PersonDay struct {
	people.Person
	Estimated bool
	minutes   *minutes.Grid
}

// Segments are those of the day, up to now.
func (p *PersonDay) Segments() iter.Seq[api.Segment] { return segments(p.minutes) }

// Name is what a person is called: by their label, or by the first of their accounts.
func (p *PersonDay) Name() string { return nameOf(&p.Person) }

func nameOf(p *people.Person) string {
	if p.Label != "" || len(p.Accounts) == 0 {
		return cmp.Or(p.Label, report.PersonID(p.ID).String())
	}
	a := &p.Accounts[0]
	return cmp.Or(a.UserLabel, a.Username, a.MachineID)
}

// Days returns a page of people's days, up to now, and the cursor of the next page.
func (r *Reports) Days(ctx context.Context, scope directory.Scope, q DayQuestion) ([]PersonDay, string, error) {
	days, next, err := r.days(ctx, scope, q)
	return days, report.PeopleCursor(next), err
}

// AllDays returns the days of all people that are asked for, up to now, so that they can be
// sorted; none where there are more than MaxSorted. Nothing notes that they were seen: whoever
// shows some of them does.
func (r *Reports) AllDays(ctx context.Context, scope directory.Scope, q DayQuestion) (all []PersonDay, more bool, err error) {
	page := report.PeoplePage{Limit: sortedAtOnce}
	for {
		list, others, err := r.reader.PeopleMinutes(ctx, q.filter(scope, page), q.Day.Start, until(q.Day, r.now()))
		if err != nil {
			return nil, false, err
		}
		for i := range list {
			all = append(all, PersonDay{list[i].Person, list[i].Estimated, list[i].Grid})
			page.After = list[i].ID
		}
		switch {
		case !others:
			return all, false, nil
		case len(all) >= MaxSorted:
			return nil, true, nil
		}
	}
}

// days returns a page, and after whom the next begins, if any.
func (r *Reports) days(ctx context.Context, scope directory.Scope, q DayQuestion) (days []PersonDay, next int64, err error) {
	q.Page.Limit = cmp.Or(q.Page.Limit, MaxDayPeople)
	list, more, err := r.reader.PeopleMinutes(ctx, q.filter(scope, q.Page), q.Day.Start, until(q.Day, r.now()))
	days = make([]PersonDay, len(list))
	for i := range list {
		p := &list[i]
		access.See(ctx, p.Keys()...)
		days[i] = PersonDay{p.Person, p.Estimated, p.Grid}
		if more {
			next = p.ID
		}
	}
	return days, next, err
}

// day returns a page, and after whom the next begins, if any.
func (r *Reports) day(ctx context.Context, scope directory.Scope, q DayQuestion) (page []api.PersonSegments, next int64, err error) {
	list, next, err := r.days(ctx, scope, q)
	page = make([]api.PersonSegments, 0, len(list))
	for i := range list {
		p := &list[i]
		page = append(page, api.PersonSegments{
			DayOf:    api.DayOf{Person: report.PersonID(p.ID).String(), Label: p.Label, Partial: p.Partial, Estimated: p.Estimated},
			Segments: listed(p.Segments()),
		})
	}
	return page, next, err
}

// EachSegment returns the segments of all people that are asked for, page by page. The first
// error ends it.
func (r *Reports) EachSegment(ctx context.Context, scope directory.Scope, q DayQuestion) iter.Seq2[api.DaySegment, error] {
	return report.Pages(ctx, report.ReportTimeout, q.Page.After, func(ctx context.Context, after int64) ([]api.DaySegment, int64, error) {
		q.Page = report.PeoplePage{Limit: MaxDayPeople, After: after}
		page, next, err := r.day(ctx, scope, q)
		return Rows(page), next, err
	})
}

// Rows returns people's days as a table has them.
func Rows(people []api.PersonSegments) []api.DaySegment {
	var rows []api.DaySegment
	for i := range people {
		for _, s := range people[i].Segments {
			rows = append(rows, api.DaySegment{DayOf: people[i].DayOf, Segment: s})
		}
	}
	return rows
}
