package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Retention is for how long each kind of data is kept, by the time of the events;
// zero means for ever.
type Retention struct {
	Events, Titles, Rollups time.Duration
}

const (
	// partitionLock is the advisory lock under which partitions are made and
	// dropped, so that several servers don't collide. Any fixed number would do.
	partitionLock = 0x7472_6163_6b70
	// foreverBack is how far back partitions are made where data is kept for
	// ever; what is older shares the default one. It bounds how many
	// partitions a host with wrong timestamps can bring about.
	foreverBack = 3 * 365 * 24 * time.Hour
	// dailyFor is for how long back missing partitions of events are made for
	// days.
	dailyFor = 30 * 24 * time.Hour
	// partitionForm is the form of a partition's start in its name.
	partitionForm = "20060102"
	// checkViolation is PostgreSQL's code for rows of the default partition
	// that belong into the one to be made.
	checkViolation = "23514"
	// duplicateTable is its code for a table that is there already.
	duplicateTable = "42P07"
	// overlap is PostgreSQL's code for a partition that has a part of the time
	// already: a week that an earlier version made.
	overlap = "42P17"
	// attachPause is for how long no partition is made after one could not be
	// attached: a backup keeps its locks for hours.
	attachPause = time.Minute
)

// tier is a table that is partitioned by time.
type tier struct {
	table string
	// prefix begins the partitions' names; empty means the table's.
	prefix string
	// column is the time that it is partitioned by.
	column string
	// with is the partitions' storage parameters.
	with string
	// fullKeys says that rows come in each machine's order: then the pages of
	// their key can be filled to the end.
	fullKeys bool
	// start gives the start of the partition that a time lies in.
	start func(time.Time) time.Time
	// next gives the start of the partition after the one that starts there.
	next func(time.Time) time.Time
	keep func(Retention) time.Duration
}

// Events lie in days, each of which is dropped once it has been compacted: some
// 25 partitions, and without compaction 415, which plan in a few milliseconds.
// Weeks that an earlier version made stay until then.
func eventTier() tier {
	return tier{
		table: "event", column: "ts", fullKeys: true, start: dayOf, next: func(t time.Time) time.Time { return t.AddDate(0, 0, 1) },
		keep: func(r Retention) time.Duration { return r.Events },
	}
}

// Events that come long after their day lie in weeks, or a host that reports a
// year at once would wait for 400 partitions. A time that has one of either kind
// gets no other.
func oldEventTier() tier {
	t := eventTier()
	t.prefix, t.start, t.next = "event_week_", weekOf, nextWeek
	return t
}

// Compacted events lie in weeks: months would keep some for a month too long.
// 13 months are 57, of some 50 MB for 1,000 machines.
func hourTier() tier {
	return tier{
		table: "event_hour", column: "first_ts", fullKeys: true, start: weekOf, next: nextWeek,
		keep: func(r Retention) time.Duration { return r.Events },
	}
}

func titleTier() tier {
	return tier{
		table: "title", column: "month", start: monthOf, next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Titles },
	}
}

func rollupTier() tier {
	return tier{
		table: "rollup", column: "bucket", with: " WITH (fillfactor = 80)", start: monthOf, next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Rollups },
	}
}

func tiers() []tier {
	return []tier{eventTier(), hourTier(), titleTier(), rollupTier(), rollupDayTier()}
}

// weekOf is the Monday, in UTC.
func weekOf(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

func nextWeek(t time.Time) time.Time { return t.AddDate(0, 0, 7) }

func nextMonth(t time.Time) time.Time { return t.AddDate(0, 1, 0) }

func (t tier) partition(start time.Time) string {
	return cmp.Or(t.prefix, t.table+"_") + start.Format(partitionForm)
}

// oldest is from when on a tier's times have partitions of their own.
func (t tier) oldest(r Retention, now time.Time) time.Time {
	keep := t.keep(r)
	if keep == 0 {
		keep = foreverBack
	}
	return now.Add(-keep)
}

// ensurePartition makes the partition that a time lies in, unless that is too
// old for one: then it belongs to the default partition, as it does where rows of
// it came there when less was kept, or when the partition had just been dropped.
// Attaching waits for all readers of the default partition, and all others behind
// it: while a backup reads there, late events go to the default partition.
func (s *Store) ensurePartition(ctx context.Context, t tier, at time.Time) error {
	start := t.start(at)
	name := t.partition(start)
	if _, ok := s.partitions.get(name); ok || t.next(start).Before(t.oldest(s.keep, s.now())) ||
		time.Now().UnixNano() < s.attachAgain.Load() {
		return nil
	}
	err := s.write(ctx, "making partition "+name, func(tx pgx.Tx) error {
		if _, err := exec(ctx, tx, "waiting for other servers", "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		// to_regclass would answer from what this connection remembers, which may
		// be older than the wait for the lock.
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1
			AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($2)))`, name, t.table).Scan(&exists); err != nil || exists {
			return err
		}
		// Made aside and attached: PARTITION OF would wait for all readers of
		// the whole table. Names and times are ours.
		const form = "2006-01-02"
		if _, err := exec(ctx, tx, "setting the timeout", "SET LOCAL lock_timeout = "+milliseconds(dropWait)); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "creating", fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)%s", name, t.table, t.with)); err != nil {
			return err
		}
		if t.fullKeys {
			if _, err := exec(ctx, tx, "filling its key's pages", "ALTER INDEX "+name+"_pkey SET (fillfactor = 100)"); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, "attaching", fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')",
			t.table, name, start.Format(form), t.next(start).Format(form)))
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == lockNotAvailable {
		s.attachAgain.Store(time.Now().Add(attachPause).UnixNano())
		return nil
	}
	if errors.As(err, &pg) && slices.Contains([]string{checkViolation, overlap, duplicateTable}, pg.Code) {
		err = nil
	}
	if err == nil {
		s.partitions.put(name, struct{}{})
	}
	return err
}

// span is a partition of a table by time; its bounds are those that PostgreSQL
// knows.
type span struct {
	Name     string
	From, To time.Time
}

// spansOf lists a table's partitions but the default one, oldest first. The bounds
// are read once: of a partition that is dropped meanwhile pg_get_expr tells NULL,
// whatever it told before.
func spansOf(ctx context.Context, tx pgx.Tx, table string) ([]span, error) {
	return collect[span](ctx, tx, "listing partitions", `
		WITH p AS MATERIALIZED (SELECT c.relname::text AS name,
				regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''(.*)''\) TO \(''(.*)''\)$') AS bounds
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1))
		SELECT name, bounds[1]::timestamptz, bounds[2]::timestamptz FROM p WHERE bounds IS NOT NULL ORDER BY 2`, table)
}

// dayOf is the UTC day that a time lies in.
func dayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// keepFor is for how long a table's rows are kept; zero means for ever.
func (s *Store) keepFor(t tier) time.Duration { return t.keep(s.keep) }

// takesRows reports whether a partition is known to be there, so that rows can be
// written straight into it.
func (s *Store) takesRows(name string) bool {
	_, made := s.partitions.get(name)
	_, indirect := s.indirect.get(name)
	return made && !indirect
}

// refuseRows notes that rows can't be written straight into a partition.
func (s *Store) refuseRows(name string) { s.indirect.put(name, struct{}{}) }

// forgetMade forgets which partitions there are: some were dropped.
func (s *Store) forgetMade() { s.partitions.forget() }

// forgetPartitions forgets all that is known of partitions.
func (s *Store) forgetPartitions() {
	s.partitions.forget()
	s.indirect.forget()
}
