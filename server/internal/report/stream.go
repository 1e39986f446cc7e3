package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// pageTimeout bounds getting one page of a list that is streamed; the whole list
// may take as long as its reader reads.
const pageTimeout = 10 * time.Second

// EachMachine returns all machines that are asked for, from the page's beginning on,
// page by page, each as it is at that moment. The first error ends it.
func (r *Reports) EachMachine(ctx context.Context, scope directory.Scope, q MachinesQuestion) iter.Seq2[api.Machine, error] {
	return Pages(ctx, pageTimeout, q.Page.After, func(ctx context.Context, after string) ([]api.Machine, string, error) {
		q.Page = Page{Limit: machinesMax, After: after}
		return r.machines(ctx, scope, q)
	})
}

// EachEvent returns a machine's events as EachMachine returns machines.
func (r *Reports) EachEvent(ctx context.Context, scope directory.Scope, q EventsQuestion) iter.Seq2[api.Event, error] {
	return Pages(ctx, pageTimeout, q.Start, func(ctx context.Context, start time.Time) ([]api.Event, time.Time, error) {
		page, err := r.reader.Events(ctx, scope, string(q.MachineID), start, q.End, eventsMax)
		if err != nil || !page.More {
			return page.Events, time.Time{}, err
		}
		return page.Events, page.Events[len(page.Events)-1].Timestamp.Add(time.Microsecond), nil
	})
}

// ErrTooLong is returned for a report that could not be made in its time.
var ErrTooLong = errors.New("the report takes too long")

// TooLong adds ErrTooLong to an error that is one of time.
func TooLong(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTooLong, err)
	}
	return err
}

// Pages goes through a list from a place to its end; page returns the rows of one
// page, in at most timeout, and the place of the next, the zero value at the end.
func Pages[T any, P comparable](ctx context.Context, timeout time.Duration, from P, page func(context.Context, P) ([]T, P, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var end P
		for at := from; ; {
			rows, next, err := func() ([]T, P, error) {
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
			if at = next; at == end {
				return
			}
		}
	}
}
