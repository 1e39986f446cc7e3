package report

import (
	"context"
	"iter"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
)

// pageTimeout bounds getting one page of a list that is streamed; the whole list
// may take as long as its reader reads.
const pageTimeout = 10 * time.Second

// EachMachine gives all machines in scope from q's cursor on, page by page, each page as it
// is at that moment; q's limit is not used. The first error ends it.
func (r *Reports) EachMachine(ctx context.Context, scope store.Scope, q MachinesQuestion) iter.Seq2[api.Machine, error] {
	q.Limit = strconv.Itoa(machinesMax)
	return pages(ctx, pageTimeout, q.Cursor, func(ctx context.Context, cursor string) ([]api.Machine, string, error) {
		q.Cursor = cursor
		list, err := r.Machines(ctx, scope, q)
		return list.Machines, list.NextCursor, err
	})
}

// EachEvent gives a machine's events as EachMachine gives machines.
func (r *Reports) EachEvent(ctx context.Context, scope store.Scope, q EventsQuestion) iter.Seq2[api.Event, error] {
	q.Limit = strconv.Itoa(eventsMax)
	return pages(ctx, pageTimeout, q.Cursor, func(ctx context.Context, cursor string) ([]api.Event, string, error) {
		q.Cursor = cursor
		list, err := r.Events(ctx, scope, q)
		return list.Events, list.NextCursor, err
	})
}

// pages goes through a list from cursor to its end; page gives the rows of one
// page, in at most timeout, and the cursor of the next, empty at the end.
func pages[T any](ctx context.Context, timeout time.Duration, cursor string, page func(context.Context, string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := cursor; ; {
			rows, next, err := func() ([]T, string, error) {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				return page(ctx, at)
			}()
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if at = next; at == "" {
				return
			}
		}
	}
}
