// Package uncollected keeps the times in which, by rule, nothing of a machine was
// collected: each once, however often it is sent.
package uncollected

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
)

// longest is for how long before a time a span may begin that reaches it.
const longest = api.MaxNotCollectedHours * time.Hour

// deleteAtOnce bounds the rows that one transaction deletes.
const deleteAtOnce = 10_000

// Times are those of one database.
type Times struct{ db *db.DB }

// New returns the times of a database.
func New(d *db.DB) *Times { return &Times{db: d} }

// Written is what became of a list of spans. The others are places in it: of machines of
// other hosts, of machines that there are not, and of those that were erased since.
type Written struct {
	Accepted, Duplicates     int
	Foreign, Unknown, Erased []int
}

// owner is a machine's row and its host; key is 0 where there is none since it was erased.
type owner struct {
	key  int32
	host int64
	// erasedBefore is before when it was erased; nil: it was not.
	erasedBefore *time.Time
}

// Write stores the spans of a host's machines. They must be valid.
func (t *Times) Write(ctx context.Context, host int64, list []api.NotCollected) (Written, error) {
	var done Written
	err := t.db.Write(ctx, "storing what was not collected", func(tx pgx.Tx) error {
		done = Written{}
		owners, err := lockOwners(ctx, tx, list)
		if err != nil {
			return err
		}
		var machines []int32
		var starts, ends []time.Time
		var reasons []string
		for i := range list {
			o, known := owners[list[i].MachineID]
			switch {
			case known && o.erasedBefore != nil && list[i].Start.Before(*o.erasedBefore):
				done.Erased = append(done.Erased, i)
			case !known || o.key == 0:
				done.Unknown = append(done.Unknown, i)
			case o.host != host:
				done.Foreign = append(done.Foreign, i)
			default:
				machines, starts, ends = append(machines, o.key), append(starts, list[i].Start), append(ends, list[i].End)
				reasons = append(reasons, string(list[i].Reason))
			}
		}
		n, err := db.Exec(ctx, tx, "inserting", `INSERT INTO not_collected (machine, start_at, end_at, reason)
			SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::text[]) ON CONFLICT DO NOTHING`,
			machines, starts, ends, reasons)
		done.Accepted, done.Duplicates = int(n), len(machines)-int(n)
		return err
	})
	return done, err
}

// lockOwners locks the machines that are named by ascending row, as everybody does, so
// that none is given to another host or erased meanwhile, and returns whose they are.
func lockOwners(ctx context.Context, tx pgx.Tx, list []api.NotCollected) (map[string]owner, error) {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].MachineID
	}
	owners := map[string]owner{}
	for _, sql := range []string{
		"SELECT machine_id, id, host, erased_before FROM machine WHERE machine_id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
		"SELECT id, 0, 0, t.erased_at FROM unnest($1::text[]) AS id JOIN tombstone t ON t.digest = tombstone_of(id)",
	} {
		if err := addOwners(ctx, tx, owners, sql, names); err != nil {
			return nil, fmt.Errorf("locking machines: %w", err)
		}
	}
	return owners, nil
}

// addOwners adds those who are not there yet.
func addOwners(ctx context.Context, tx pgx.Tx, owners map[string]owner, sql string, names []string) error {
	rows, err := tx.Query(ctx, sql, names)
	if err != nil {
		return err
	}
	var name string
	var o owner
	_, err = pgx.ForEachRow(rows, []any{&name, &o.key, &o.host, &o.erasedBefore}, func() error {
		if _, known := owners[name]; !known {
			owners[name] = o
		}
		return nil
	})
	return err
}

// Time is a time in which nothing was collected, since the person had paused, or else
// since it was outside work hours.
type Time struct {
	Start, End time.Time
	Paused     bool
}

// Of returns the times of machines that overlap with from ≤ t < to, in any order.
func Of(ctx context.Context, tx pgx.Tx, machines []int32, from, to time.Time) (map[int32][]Time, error) {
	rows, err := tx.Query(ctx, `SELECT machine, start_at, end_at, reason = 'pause' FROM not_collected
		WHERE machine = ANY($1) AND start_at > $2 AND start_at < $3 AND end_at > $4`, machines, from.Add(-longest), to, from)
	if err != nil {
		return nil, fmt.Errorf("reading what was not collected: %w", err)
	}
	list := map[int32][]Time{}
	var machine int32
	var t Time
	if _, err := pgx.ForEachRow(rows, []any{&machine, &t.Start, &t.End, &t.Paused}, func() error {
		list[machine] = append(list[machine], t)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading what was not collected: %w", err)
	}
	return list, nil
}

// DeleteBefore deletes the spans that end before a time, and returns how many.
func (t *Times) DeleteBefore(ctx context.Context, cutoff time.Time) (int64, error) {
	var sum int64
	for {
		var n int64
		err := t.db.Write(ctx, "dropping what was not collected long ago", func(tx pgx.Tx) (err error) {
			n, err = db.Exec(ctx, tx, "deleting", `DELETE FROM not_collected WHERE ctid = ANY(ARRAY(
				SELECT ctid FROM not_collected WHERE start_at < $1 AND end_at < $1 LIMIT $2))`, cutoff, deleteAtOnce)
			return err
		})
		if sum += n; err != nil || n < deleteAtOnce {
			return sum, err
		}
	}
}
