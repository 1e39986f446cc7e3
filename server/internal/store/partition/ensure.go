package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/db"
)

// KeptFrom is from when on all events and all roll-ups are kept, with a partition
// to spare: they are dropped whole.
func (p *Partitions) KeptFrom() time.Time {
	from := time.Unix(0, 0).UTC()
	for _, t := range []Table{Events(), Hours(), Rollups()} {
		if keep := p.KeepFor(t); keep > 0 {
			from = latest(from, t.Next(t.Start(p.now().Add(-keep))))
		}
	}
	return from
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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

// Ensure makes the partition that a time lies in, unless that is too
// old for one: then it belongs to the default partition, as it does where rows of
// it came there when less was kept, or when the partition had just been dropped.
// Attaching waits for all readers of the default partition, and all others behind
// it: while a backup reads there, late events go to the default partition.
func (p *Partitions) Ensure(ctx context.Context, t Table, at time.Time) error {
	start := t.Start(at)
	name := t.PartitionName(start)
	if _, ok := p.made.Get(name); ok || t.Next(start).Before(t.oldest(p.kept(), p.now())) ||
		time.Now().UnixNano() < p.attachAgain.Load() {
		return nil
	}
	err := p.db.Write(ctx, "making partition "+name, func(tx pgx.Tx) error {
		if _, err := db.Exec(ctx, tx, "waiting for other servers", "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		// to_regclass would answer from what this connection remembers, which may
		// be older than the wait for the lock.
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1
			AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($2)))`, name, t.Name).Scan(&exists); err != nil || exists {
			return err
		}
		// Made aside and attached: PARTITION OF would wait for all readers of
		// the whole table. Names and times are ours.
		const form = "2006-01-02"
		if _, err := db.Exec(ctx, tx, "setting the timeout", "SET LOCAL lock_timeout = "+db.Milliseconds(dropWait)); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "creating", fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)%s", name, t.Name, t.storage)); err != nil {
			return err
		}
		if t.fullKeys {
			if _, err := db.Exec(ctx, tx, "filling its key's pages", "ALTER INDEX "+name+"_pkey SET (fillfactor = 100)"); err != nil {
				return err
			}
		}
		_, err := db.Exec(ctx, tx, "attaching", fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')",
			t.Name, name, start.Format(form), t.Next(start).Format(form)))
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == lockNotAvailable {
		p.attachAgain.Store(time.Now().Add(attachPause).UnixNano())
		return nil
	}
	if errors.As(err, &pg) && slices.Contains([]string{checkViolation, overlap, duplicateTable}, pg.Code) {
		err = nil
	}
	if err == nil {
		p.made.Put(name, struct{}{})
	}
	return err
}

// KeepFor is for how long a table's rows are kept; zero means for ever.
func (p *Partitions) KeepFor(t Table) time.Duration { return t.keep(p.kept()) }

// KeptSince is from when on a table's rows are kept now; the zero time where they
// are kept for ever.
func (p *Partitions) KeptSince(t Table) time.Time {
	keep := p.KeepFor(t)
	if keep == 0 {
		return time.Time{}
	}
	return p.now().Add(-keep)
}

// EnsureEvents is Ensure for the events of a day.
func (p *Partitions) EnsureEvents(ctx context.Context, day time.Time) error {
	t := Events()
	if !nextWeek(weekOf(day)).After(p.now().Add(-dailyFor)) {
		t = EventWeeks()
	}
	return p.Ensure(ctx, t, day)
}

// TakesRows reports whether a partition is known to be there, so that rows can be
// written straight into it.
func (p *Partitions) TakesRows(name string) bool {
	_, made := p.made.Get(name)
	_, indirect := p.indirect.Get(name)
	return made && !indirect
}

// RefuseRows notes that rows can't be written straight into a partition.
func (p *Partitions) RefuseRows(name string) { p.indirect.Put(name, struct{}{}) }

// Forget forgets all that is known of partitions.
func (p *Partitions) Forget() {
	p.made.Forget()
	p.indirect.Forget()
}
