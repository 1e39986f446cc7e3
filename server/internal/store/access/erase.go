package access

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Erase deletes up to limit looks at a machine alone, and returns how many those were.
func Erase(ctx context.Context, tx pgx.Tx, machine int32, limit int) (int64, error) {
	return db.Exec(ctx, tx, "deleting looks", `DELETE FROM access_log WHERE id = ANY(ARRAY(
		SELECT id FROM access_log WHERE machine = $1 ORDER BY id LIMIT $2))`, machine, limit)
}

// leaveSQL takes a machine ($1) out of looks at several ($2), which are locked. A look at
// no others goes; the others keep how many they were.
const leaveSQL = `WITH looks AS (
		SELECT access, EXISTS (SELECT FROM access_set s WHERE s.access = l.access
			AND bit_count(CASE WHEN s.part = $1::int >> 10 THEN set_bit(s.machines, $1::int & 1023, 0) ELSE s.machines END) > 0) AS others
		FROM unnest($2::bigint[]) AS l(access)
	), gone AS (
		DELETE FROM access_log USING looks l WHERE id = l.access AND NOT l.others
	), kept AS (
		UPDATE access_log a SET erased = a.erased + 1 FROM looks l WHERE a.id = l.access AND l.others
	)
	UPDATE access_set s SET machines = set_bit(s.machines, $1::int & 1023, 0) FROM looks l
	WHERE s.part = $1::int >> 10 AND s.access = l.access AND l.others`

// Leave takes a machine out of up to limit looks at several after that one, but for those
// that somebody widens just then. It returns how many it left, and after which the next are;
// 0: there are no others.
func Leave(ctx context.Context, tx pgx.Tx, machine int32, after int64, limit int) (left int, next int64, err error) {
	ids, err := looks(ctx, tx, `SELECT access FROM access_set WHERE part = $1::int >> 10 AND access > $2
		AND get_bit(machines, $1::int & 1023) = 1 ORDER BY access LIMIT $3`, machine, after, limit)
	if err != nil || len(ids) == 0 {
		return 0, 0, err
	}
	// Whoever widens one holds its row from the start. Nobody is waited for, so that no
	// two wait for each other.
	locked, err := looks(ctx, tx, "SELECT id FROM access_log WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", ids)
	if err == nil && len(locked) > 0 {
		_, err = db.Exec(ctx, tx, "taking a machine out of looks", leaveSQL, machine, locked)
	}
	return len(locked), ids[len(ids)-1], err
}

func looks(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]int64, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("looking for looks: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("looking for looks: %w", err)
	}
	return ids, nil
}
