package erasure

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// rowsAtOnce bounds the rows that one transaction deletes, hoursAtOnce the packed
	// hours, of which each has up to 720 records to be read, looksAtOnce the looks at
	// several accounts that it locks.
	rowsAtOnce  = 10_000
	hoursAtOnce = 500
	looksAtOnce = 500
)

// limits are those of one transaction.
type limits struct{ rows, hours, looks int }

// part deletes some of an account's rows of one kind, and returns how many.
type part func(context.Context, pgx.Tx, *due) (int64, error)

// parts are all kinds, but for who looked. Records come first: their titles go last.
func parts(atOnce limits) []part {
	return []part{
		records("event", "ts", "events", atOnce.rows, func(at time.Time, body []byte, t *titleUses) error {
			_, refs, err := codec.DecodeEvent(at, body)
			t.add(at, &refs)
			return err
		}),
		records("event_hour", "first_ts", "hours", atOnce.hours, func(at time.Time, body []byte, t *titleUses) error {
			_, of, err := codec.DecodeHour(at, body)
			for i := range of {
				t.add(at, &of[i])
			}
			return err
		}),
		rowsOf("rollup", "bucket", "sums", atOnce.rows),
		rowsOf("rollup_day", "day", "days", atOnce.rows),
		rowsOf("not_collected", "start_at", "spans", atOnce.rows),
	}
}

// deleteSQL deletes up to $2 rows of an account, $1, the first by their key.
func deleteSQL(table, key string) string {
	return "DELETE FROM " + table + " WHERE machine = $1 AND " + key + " = ANY(ARRAY(SELECT " + key + " FROM " + table + " WHERE machine = $1 ORDER BY " + key + " LIMIT $2))"
}

// rowsOf is rows of a table, by their key, that a column of certificates counts.
func rowsOf(table, key, column string, atOnce int) part {
	return func(ctx context.Context, tx pgx.Tx, d *due) (int64, error) {
		n, err := db.Exec(ctx, tx, "deleting rows of "+table, deleteSQL(table, key), d.Machine, atOnce)
		if err != nil || n == 0 {
			return n, err
		}
		return n, d.count(ctx, tx, column, n)
	}
}

// records is rows of packed records; read notes the titles that one has. Where a row is
// damaged it may have any title of its month.
func records(table, key, column string, atOnce int, read func(time.Time, []byte, *titleUses) error) part {
	return func(ctx context.Context, tx pgx.Tx, d *due) (int64, error) {
		list, err := db.Collect[codec.Packed](ctx, tx, "deleting rows of "+table, deleteSQL(table, key)+" RETURNING "+key+", body", d.Machine, atOnce)
		if err != nil || len(list) == 0 {
			return 0, err
		}
		uses := titleUses{}
		for i := range list {
			if err := read(list[i].TS, list[i].Body, &uses); err != nil {
				uses.addMonth(list[i].TS)
			}
		}
		if err := uses.note(ctx, tx, d.Erasure); err != nil {
			return 0, err
		}
		n := int64(len(list))
		return n, d.count(ctx, tx, column, n)
	}
}
