package partition

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Partition is a partition of a table; its bounds are those that PostgreSQL
// knows.
type Partition struct {
	Name     string
	From, To time.Time
}

// List lists a table's partitions but the default one, oldest first. The bounds
// are read once: of a partition that is dropped meanwhile pg_get_expr returns NULL,
// whatever it returned before.
func List(ctx context.Context, tx pgx.Tx, t Table) ([]Partition, error) {
	return db.Collect[Partition](ctx, tx, "listing the partitions of "+t.Name, `
		WITH p AS MATERIALIZED (SELECT c.relname::text AS name,
				regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''(.*)''\) TO \(''(.*)''\)$') AS bounds
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1))
		SELECT name, bounds[1]::timestamptz, bounds[2]::timestamptz FROM p WHERE bounds IS NOT NULL ORDER BY 2`, t.Name)
}

// Before lists a table's partitions that hold only times before the cutoff, oldest
// first.
func Before(ctx context.Context, tx pgx.Tx, t Table, cutoff time.Time) ([]Partition, error) {
	all, err := List(ctx, tx, t)
	return slices.DeleteFunc(all, func(p Partition) bool { return p.To.After(cutoff) }), err
}

// Missing counts the partitions that a table lacks from now on for so many days.
func (p *Partitions) Missing(ctx context.Context, tx pgx.Tx, t Table, days int) (int, error) {
	all, err := List(ctx, tx, t)
	if err != nil {
		return 0, err
	}
	missing, now := 0, p.now()
	for at := t.Start(now); at.Before(now.AddDate(0, 0, days)); at = t.Next(at) {
		if !slices.ContainsFunc(all, func(p Partition) bool { return !p.From.After(at) && p.To.After(at) }) {
			missing++
		}
	}
	return missing, nil
}
