package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
)

const (
	// walkEventsAtOnce is how many events a walk reads in one statement: some
	// 100 KB of usual ones, 2 MB of the largest.
	walkEventsAtOnce = 2000
	// streamEvents is how many events a stream reads in one transaction.
	streamEvents = 2000
)

// errStop ends a walk early and without an error.
var errStop = errors.New("seen enough")

// packed is an event as it is stored.
type packed struct {
	TS   time.Time
	Body []byte
}

// walkEvents calls each with a machine's events with from ≤ timestamp < to,
// oldest first, without their names and machine; at most limit of them where it
// is not zero. It is the only way to a machine's events. They are read some at a
// time and none is open while each runs, which may so use tx; tx should come from
// read, or hold the lock of the machine in scope.
func walkEvents(ctx context.Context, tx pgx.Tx, machine int32, from, to time.Time, limit int, each func(*api.Event, *refs) error) error {
	err := walkRows(ctx, tx, machine, from, to, limit, each)
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func walkRows(ctx context.Context, tx pgx.Tx, machine int32, from, to time.Time, limit int, each func(*api.Event, *refs) error) error {
	for seen := 0; limit == 0 || seen < limit; {
		n := walkEventsAtOnce
		if limit > 0 {
			n = min(n, limit-seen)
		}
		list, err := collect[packed](ctx, tx, "asking for events",
			"SELECT ts, body FROM event WHERE machine = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT $4", machine, from, to, n)
		if err != nil {
			return err
		}
		for i := range list {
			e, r, err := unpackEvent(list[i].TS, list[i].Body)
			if err != nil {
				return fmt.Errorf("event of machine %d at %v: %w", machine, list[i].TS, err)
			}
			if err := each(&e, &r); err != nil {
				return err
			}
		}
		if len(list) < n {
			return nil
		}
		seen += n
		from = after(list[n-1].TS)
	}
	return nil
}

// after is the next instant that PostgreSQL tells apart.
func after(t time.Time) time.Time { return t.Add(time.Microsecond) }

// EachEvent calls each with a machine's events with from ≤ timestamp < to, oldest
// first, however many there are: it holds some at a time and no transaction while
// each runs. What is written meanwhile may be among them or not; nothing comes
// twice. It returns each's first error, or ErrNotFound where there is no such
// machine in scope.
func (s *Store) EachEvent(ctx context.Context, scope Scope, machineID string, from, to time.Time, each func(*api.Event) error) error {
	for {
		page, err := s.Events(ctx, scope, machineID, from, to, streamEvents)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if err := each(&page.Events[i]); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		from = after(page.Events[len(page.Events)-1].Timestamp)
	}
}
