package query

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/walk"
)

// PersonPlace is a place among the events of a person, in the order of their times and
// then of machine_ids.
type PersonPlace struct {
	At time.Time
	// After is the machine_id of the last event at that time that came before; empty:
	// none did.
	After string
}

// PersonPage is a run of the events of a person.
type PersonPage struct {
	Page
	Partial bool
}

// accountEvents bounds from below how many events of each account a page reads.
const accountEvents = 50

// PersonEvents returns the events of a person's accounts in scope from a place on and
// before a time, at most limit. There may be fewer although there are more.
func (r *Reader) PersonEvents(ctx context.Context, scope directory.Scope, person int64, from PersonPlace, to time.Time, limit int) (PersonPage, error) {
	var page PersonPage
	err := r.db.Report(ctx, "reading a person's events", func(tx pgx.Tx) error {
		page = PersonPage{Page: Page{Events: []api.Event{}}}
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil || len(p.Accounts) == 0 {
			return err
		}
		page.Partial = p.Partial
		each := min(limit, max(accountEvents, limit/len(p.Accounts)))
		lists := make([]Page, len(p.Accounts))
		for i, m := range p.Accounts {
			start := from.At
			if m.MachineID <= from.After {
				start = walk.After(start)
			}
			if lists[i], err = eventsOf(ctx, tx, m, start, to, each); err != nil {
				return err
			}
		}
		page.Page = merge(lists, limit)
		return nil
	}, db.KeepEvents)
	return page, err
}

// merge joins pages of several accounts, as far as all of them reach.
func merge(lists []Page, limit int) Page {
	if len(lists) == 1 {
		return lists[0]
	}
	page := Page{Events: []api.Event{}}
	for {
		first := -1
		for i := range lists {
			if len(lists[i].Events) == 0 {
				if lists[i].More {
					page.More = true
					return page
				}
				continue
			}
			if first < 0 || byPlace(&lists[i].Events[0], &lists[first].Events[0]) < 0 {
				first = i
			}
		}
		if first < 0 {
			return page
		}
		if len(page.Events) == limit {
			page.More = true
			return page
		}
		page.Events = append(page.Events, lists[first].Events[0])
		lists[first].Events = lists[first].Events[1:]
	}
}

func byPlace(a, b *api.Event) int {
	return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.MachineID, b.MachineID))
}
