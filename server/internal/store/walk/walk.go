// Package walk reads a machine's events one after the other, those that are packed as well.
package walk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// eventsAtOnce is how many events a walk reads in one statement: some
	// 100 KB of usual ones, 2 MB of the largest.
	eventsAtOnce = 2000
	// hoursAtOnce is how many compacted hours a walk reads in one
	// statement: some 20 KB of usual ones, 20 MB of the largest.
	hoursAtOnce = 24
)

// ErrStop ends a walk early and without an error.
var ErrStop = errors.New("seen enough")

// Events calls each with a machine's events with from ≤ timestamp < to,
// oldest first, without their names and machine; at most limit of them where it
// is not zero, and until each returns ErrStop. It is the only way to a machine's
// events. They are read some at a time and none is open while each runs, which may
// so use tx; tx keeps the partitions of events, or holds the machine's lock. An event is there
// until each returns.
func Events(ctx context.Context, tx pgx.Tx, machine int32, from, to time.Time, limit int, each func(*api.Event, *codec.Refs) error) error {
	w := walker{tx: tx, machine: machine, from: from, to: to, left: limit, each: each}
	if limit == 0 {
		w.left = math.MaxInt
	}
	return w.walk(ctx)
}

// Readable is Events past rows that cannot be read; it returns how many there are.
func Readable(ctx context.Context, tx pgx.Tx, machine int32, from, to time.Time, each func(*api.Event, *codec.Refs) error) (unreadable int, err error) {
	w := walker{tx: tx, machine: machine, from: from, to: to, left: math.MaxInt, each: each, past: true}
	err = w.walk(ctx)
	return w.unreadable, err
}

func (w *walker) walk(ctx context.Context) error {
	from, to := w.from, w.to
	compacted, err := w.compactedBefore(ctx)
	if err != nil {
		return err
	}
	// The older ones are all in the one table, the newer ones in the other.
	if from.Before(compacted) {
		err = w.hours(ctx, earlier(to, compacted))
	}
	if err == nil && to.After(compacted) {
		err = w.events(ctx, later(from, compacted))
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// walker is a walk under way.
type walker struct {
	tx       pgx.Tx
	machine  int32
	from, to time.Time
	// last is the time of the last event. A late one may divide a packed hour between two
	// pages of it, of which the second begins with what was in the first.
	last time.Time
	// left is how many events more are wanted.
	left int
	each func(*api.Event, *codec.Refs) error
	// past means that rows which cannot be read are passed over; unreadable are those.
	past       bool
	unreadable int
}

// damaged returns an error of a row that cannot be read, or passes it over.
func (w *walker) damaged(what string, at time.Time, err error) error {
	if w.past && errors.Is(err, codec.ErrDamaged) {
		w.unreadable++
		return nil
	}
	return fmt.Errorf("%s of machine %d at %v: %w", what, w.machine, at, err)
}

// compactedBefore is until when the machine's events are compacted; the zero time
// where there is no such machine.
func (w *walker) compactedBefore(ctx context.Context) (at time.Time, err error) {
	err = w.tx.QueryRow(ctx, "SELECT compacted_before FROM machine WHERE id = $1", w.machine).Scan(&at)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return at, fmt.Errorf("looking until when a machine is compacted: %w", err)
	}
	return at, nil
}

func (w *walker) give(e *api.Event, r *codec.Refs) error {
	if w.left == 0 {
		return ErrStop
	}
	w.left--
	w.last = e.Timestamp
	return w.each(e, r)
}

// hours walks the compacted events of before a time: where a database is spread, those that
// are compacted meanwhile may be there already, and are read where they were.
func (w *walker) hours(ctx context.Context, to time.Time) error {
	// A row that begins before may reach into what is asked for.
	for from := codec.HourOf(w.from); w.left > 0; {
		n := min(hoursAtOnce, w.left)
		list, err := db.Collect[codec.Packed](ctx, w.tx, "asking for compacted events",
			"SELECT first_ts, body FROM event_hour WHERE machine = $1 AND first_ts >= $2 AND first_ts < $3 ORDER BY first_ts LIMIT $4",
			w.machine, from, to, n)
		if err != nil {
			return err
		}
		for i := range list {
			if err := w.hour(&list[i], to); err != nil {
				return err
			}
		}
		if len(list) < n {
			return nil
		}
		from = After(list[n-1].TS)
	}
	return nil
}

func (w *walker) hour(p *codec.Packed, to time.Time) error {
	events, of, err := codec.DecodeHour(p.TS, p.Body)
	if err != nil {
		return w.damaged("compacted events", p.TS, err)
	}
	for i := range events {
		if at := events[i].Timestamp; at.Before(w.from) || !at.Before(to) || !at.After(w.last) {
			continue
		}
		if err := w.give(&events[i], &of[i]); err != nil {
			return err
		}
	}
	return nil
}

// events walks the others.
func (w *walker) events(ctx context.Context, from time.Time) error {
	for w.left > 0 {
		n := min(eventsAtOnce, w.left)
		list, err := db.Collect[codec.Packed](ctx, w.tx, "asking for events",
			"SELECT ts, body FROM event WHERE machine = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT $4", w.machine, from, w.to, n)
		if err != nil {
			return err
		}
		var e api.Event // one for all: a day of them would take room for each
		var r codec.Refs
		for i := range list {
			if e, r, err = codec.DecodeEvent(list[i].TS, list[i].Body); err != nil {
				if err := w.damaged("event", list[i].TS, err); err != nil {
					return err
				}
				continue
			}
			if err := w.give(&e, &r); err != nil {
				return err
			}
		}
		if len(list) < n {
			return nil
		}
		from = After(list[n-1].TS)
	}
	return nil
}

// After returns the next instant that PostgreSQL can distinguish.
func After(t time.Time) time.Time { return t.Add(time.Microsecond) }
