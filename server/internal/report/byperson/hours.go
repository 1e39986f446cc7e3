package byperson

import (
	"context"

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

// EachHours calls do with the times of all people that are asked for, whatever the page, some
// at once; with nobody where they have more days than most: then all is false. It notes those
// who are not among shown where they are few, since a sum less what is shown is theirs.
func (r *Reports) EachHours(ctx context.Context, scope directory.Scope, q HoursQuestion, most int, shown []PersonHours, do func([]PersonHours) error) (all bool, err error) {
	days := q.Days.Days()
	n, err := r.reader.CountPeople(ctx, q.filter(scope, report.PeoplePage{Limit: most/days + 1}))
	if err != nil || n > most/days {
		return false, err
	}
	on := map[int64]bool{}
	for i := range shown {
		on[shown[i].ID] = true
	}
	var others access.Handful
	page := report.PeoplePage{Limit: report.PeopleAtOnce(days)}
	for more := true; more; {
		var found []query.PersonSums
		if found, more, err = r.reader.SumPeople(ctx, q.filter(scope, page), report.Bounds(q.Periods), false); err != nil {
			return false, report.TooLong(err)
		}
		list := make([]PersonHours, len(found))
		for i := range found {
			p := &found[i]
			if list[i] = (PersonHours{p.Person, p.Sums}); !on[p.ID] {
				others.Add(p.Keys()...)
			}
			page.After = p.ID
		}
		if err := do(list); err != nil {
			return false, err
		}
	}
	others.See(ctx)
	return true, nil
}
