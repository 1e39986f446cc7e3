// Package access keeps who looked at whose data: it is written before the answer goes
// out, and read by whoever asks who looked.
package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// knownLooks is how many looks at one machine are remembered, knownSets at several:
	// some 10 MB each when full, of sets of 100,000 machines.
	knownLooks = 50_000
	knownSets  = 500
	// deleteAtOnce bounds the rows that one transaction deletes.
	deleteAtOnce = 10_000
)

// Log is the access log of one database.
type Log struct {
	db  *db.DB
	now func() time.Time
	// looks and sets are what was written within the present minute, by their keys.
	looks, sets *db.Cache[key, written]
	group       *group
}

// written is what a look wrote.
type written struct {
	minute   int64
	machines Set
}

// New returns the access log of a database; now is the clock.
func New(d *db.DB, now func() time.Time) *Log {
	l := &Log{db: d, now: now, looks: db.NewCache[key, written](knownLooks), sets: db.NewCache[key, written](knownSets)}
	l.group = &group{write: l.commit}
	d.OnReplaced(func() { l.looks.Forget(); l.sets.Forget() })
	return l
}

// Write returns when it is durable that somebody looks, if there is anything to look
// at. Looks that come together share a commit.
func (l *Log) Write(ctx context.Context, look Look) error {
	if len(look.Machines) == 0 {
		return nil
	}
	look = look.rounded()
	k, minute, since := look.key(), l.now().Truncate(grain).Unix(), l.db.Changes()
	known := l.looks
	if k.machine == 0 {
		known = l.sets
	}
	before, ok := known.Get(k)
	ok = ok && before.minute == minute
	if ok && before.machines.has(look.Machines) {
		return nil
	}
	if err := l.group.do(ctx, look); err != nil {
		return err
	}
	w := written{minute, look.Machines}
	if ok {
		w.machines = w.machines.With(before.machines)
	}
	l.db.RememberSince(since, func() { known.Put(k, w) })
	return nil
}

// Entry is one reader's looks.
type Entry struct {
	ID int64
	Reader
	What string
	// From and To are the span of time that was looked at, in whole hours; nil: of none
	// in particular.
	From, To *time.Time
	// FirstAt and LastAt are when they looked, in whole minutes.
	FirstAt, LastAt time.Time
	// Machines is how many machines they looked at together, those that were erased since
	// among them.
	Machines int
}

const entriesSQL = `SELECT a.id, r.kind, r.ref, r.name, a.what, a.span_from, a.span_to, a.first_at, a.last_at,
		CASE a.machine WHEN 0 THEN (SELECT coalesce(sum(bit_count(machines)), 0)::int FROM access_set WHERE access = a.id) + a.erased ELSE 1 END
	FROM (
		SELECT DISTINCT id FROM unnest($1::int[]) m CROSS JOIN LATERAL (
			(SELECT id FROM access_log WHERE machine = m AND id < $2 ORDER BY id DESC LIMIT $3)
			UNION ALL
			(SELECT access FROM access_set WHERE part = m >> 10 AND access < $2 AND get_bit(machines, m & 1023) = 1
				ORDER BY access DESC LIMIT $3)
		) one ORDER BY id DESC LIMIT $3
	) looked JOIN access_log a USING (id) JOIN access_reader r ON r.id = a.reader ORDER BY a.id DESC`

// Of lists who looked at any of these machines, by their rows: the newest first, before
// that entry, at most so many.
func (l *Log) Of(ctx context.Context, machines []int32, before int64, limit int) ([]Entry, error) {
	var list []Entry
	err := l.db.Read(ctx, "reading who looked", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, entriesSQL, machines, before, limit)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			err = row.Scan(&e.ID, &e.Kind, &e.Reader.ID, &e.Name, &e.What, &e.From, &e.To, &e.FirstAt, &e.LastAt, &e.Machines)
			return e, err
		})
		return err
	})
	return list, err
}

// DropBefore drops what began before that time, and readers that are in nothing kept;
// it returns how many looks that were.
func (l *Log) DropBefore(ctx context.Context, cutoff time.Time) (dropped int64, err error) {
	for {
		var n int64
		err := l.db.Write(ctx, "dropping old looks", func(tx pgx.Tx) (err error) {
			n, err = db.Exec(ctx, tx, "deleting", `DELETE FROM access_log WHERE first_at < $1
				AND id IN (SELECT id FROM access_log ORDER BY id LIMIT $2)`, cutoff, deleteAtOnce)
			if err != nil || n > 0 {
				return err
			}
			_, err = db.Exec(ctx, tx, "deleting readers", `DELETE FROM access_reader r
				WHERE NOT EXISTS (SELECT FROM access_log WHERE reader = r.id)`)
			return err
		})
		dropped += n
		if err != nil || n == 0 {
			return dropped, err
		}
	}
}
