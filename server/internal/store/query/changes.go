package query

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// Mark is a point in the history of all changes of the database; 0 is before all.
type Mark int64

// ChangedMachines returns the machines that were changed after a mark, and the mark
// for the next call; some may be given again. Where the mark is 0, or of another
// history, it returns all. erased is another number than before where machines went
// meanwhile.
//
// It needs no column and no index, which each upload would pay for: PostgreSQL
// keeps with each row by which transaction it was written. What was running at the
// last call is asked for again. The table is read whole, so ask seldom.
func (r *Reader) ChangedMachines(ctx context.Context, since Mark) (list []directory.Machine, next Mark, erased int64, err error) {
	err = r.db.Read(ctx, "looking for changed machines", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (SELECT coalesce(max(id), 0) FROM erasure)").Scan(&next, &erased)
		if err != nil {
			return fmt.Errorf("asking where the history is: %w", err)
		}
		sql, args := "SELECT "+directory.MachineColumns+" FROM machine m JOIN host h ON h.id = m.host", []any{}
		if since > 0 && since <= next {
			// Rows know the lower half of a transaction's number.
			sql += " WHERE age(m.xmin) <= age($1::text::xid)"
			args = append(args, strconv.FormatUint(uint64(uint32(since)), 10))
		}
		list, err = db.Collect[directory.Machine](ctx, tx, "reading", sql, args...)
		return err
	})
	return list, next, erased, err
}

// MachineKeys returns the rows of the machines in a limited scope.
func (r *Reader) MachineKeys(ctx context.Context, scope directory.Scope) (map[int32]struct{}, error) {
	keys := map[int32]struct{}{}
	err := r.db.Read(ctx, "looking up the machines of groups", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT DISTINCT machine FROM group_member WHERE grp = ANY($1)", scope.Groups)
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		var key int32
		_, err = pgx.ForEachRow(rows, []any{&key}, func() error {
			keys[key] = struct{}{}
			return nil
		})
		return err
	})
	return keys, err
}

// GroupMembers is a group with all of its machines, and of how many people they are.
type GroupMembers struct {
	Key      int32
	Name     string
	Machines []int32
	People   int64
}

// GroupMembers returns all groups, by name. The table is read whole, so ask seldom.
func (r *Reader) GroupMembers(ctx context.Context) (list []GroupMembers, err error) {
	err = r.db.Read(ctx, "reading what groups hold", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[GroupMembers](ctx, tx, "reading", `SELECT g.id, g.name, coalesce(m.machines, '{}'), coalesce(m.people, 0) FROM machine_group g
			LEFT JOIN (SELECT m.grp, array_agg(DISTINCT m.machine) AS machines, count(DISTINCT a.person) AS people FROM group_member m
				JOIN account a ON a.machine = m.machine GROUP BY m.grp) m ON m.grp = g.id ORDER BY g.name COLLATE "C"`)
		return err
	})
	return list, err
}
