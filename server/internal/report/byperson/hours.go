package byperson

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/panics"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
)

// Days of people that EachHours may add up: in a page that somebody waits for, 1,000 people's
// month, which takes some 200 ms; and where they asked for it, their year.
const (
	TotalDays     = 40_000
	MostTotalDays = 400_000
)

// HoursQuestion asks what people did in each period of a range.
type HoursQuestion struct {
	Days    report.Range
	Periods []report.Period
	Who
	Page report.PeoplePage
}

// PersonHours is when and for how long somebody was there in each period.
type PersonHours struct {
	people.Person
	Sums []query.Sums
}

// Name is what a person is called: by their label, or by the first of their accounts.
func (p *PersonHours) Name() string { return nameOf(&p.Person) }

// Hours returns a page of people's hours, and the cursor of the next page.
func (r *Reports) Hours(ctx context.Context, scope directory.Scope, q HoursQuestion) (list []PersonHours, next string, err error) {
	page := report.PeoplePage{After: q.Page.After, Limit: min(q.Page.Limit, report.PeopleAtOnce(q.Days.Days()))}
	found, more, err := r.reader.SumPeople(ctx, q.filter(scope, page), report.Bounds(q.Periods), false)
	if err != nil {
		return nil, "", report.TooLong(err)
	}
	for i := range found {
		p := &found[i]
		access.See(ctx, p.Keys()...)
		list = append(list, PersonHours{p.Person, p.Sums})
		if more {
			next = report.PeopleCursor(p.ID)
		}
	}
	return list, next, nil
}

// sumsAtOnce is how many parts of all people are summed up at once: PostgreSQL and this program
// have a processor each then.
const sumsAtOnce = 2

// EachHours calls do with the times of all people that are asked for, whatever the page, some
// at once and in any order; with nobody where they have more days than most: then all is false.
// It notes those who are not among shown where they are few, since a sum less what is shown is
// theirs.
func (r *Reports) EachHours(ctx context.Context, scope directory.Scope, q HoursQuestion, most int, shown []PersonHours, do func([]PersonHours) error) (all bool, err error) {
	days := q.Days.Days()
	ids, err := r.reader.PeopleIDs(ctx, q.filter(scope, report.PeoplePage{Limit: most/days + 1}))
	if err != nil || len(ids) > most/days {
		return false, err
	}
	on := map[int64]bool{}
	for i := range shown {
		on[shown[i].ID] = true
	}
	var mu sync.Mutex // guards others and do
	var others access.Handful
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sumsAtOnce)
	for part := range slices.Chunk(ids, evenly(len(ids), report.PeopleAtOnce(days))) {
		group.Go(panics.AsError(func() error {
			list, err := r.hoursOf(within, scope, q, part)
			mu.Lock()
			defer mu.Unlock()
			for i := range list {
				if !on[list[i].ID] {
					others.Add(list[i].Keys()...)
				}
			}
			if err == nil {
				err = do(list)
			}
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	others.See(ctx)
	return true, nil
}

// evenly is how many of so many are a part, at most, so that sumsAtOnce take as long.
func evenly(n, most int) int {
	parts := sumsAtOnce * (n/(sumsAtOnce*most) + 1)
	return n/parts + 1
}

// hoursOf returns the times of people whose ids are given, in order.
func (r *Reports) hoursOf(ctx context.Context, scope directory.Scope, q HoursQuestion, ids []int64) ([]PersonHours, error) {
	page := report.PeoplePage{After: ids[0] - 1, Limit: len(ids)}
	found, _, err := r.reader.SumPeople(ctx, q.filter(scope, page), report.Bounds(q.Periods), false)
	if err != nil {
		return nil, report.TooLong(err)
	}
	list := make([]PersonHours, 0, len(found))
	for i := range found {
		if found[i].ID <= ids[len(ids)-1] { // others are in another part, where somebody went meanwhile
			list = append(list, PersonHours{found[i].Person, found[i].Sums})
		}
	}
	return list, nil
}
