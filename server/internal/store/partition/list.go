package partition

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Span is a partition of a table by time; its bounds are those that PostgreSQL
// knows.
type Span struct {
	Name     string
	From, To time.Time
}

// List lists a table's partitions but the default one, oldest first. The bounds
// are read once: of a partition that is dropped meanwhile pg_get_expr tells NULL,
// whatever it told before.
func List(ctx context.Context, tx pgx.Tx, table string) ([]Span, error) {
	return db.Collect[Span](ctx, tx, "listing partitions", `
		WITH p AS MATERIALIZED (SELECT c.relname::text AS name,
				regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''(.*)''\) TO \(''(.*)''\)$') AS bounds
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1))
		SELECT name, bounds[1]::timestamptz, bounds[2]::timestamptz FROM p WHERE bounds IS NOT NULL ORDER BY 2`, table)
}

// Before lists a table's partitions that hold only times before the
// cutoff.
func (p *Partitions) Before(ctx context.Context, t Table, cutoff time.Time) ([]string, error) {
	var old []string
	err := p.db.Read(ctx, "listing the partitions of "+t.Name, func(tx pgx.Tx) error {
		old = nil
		all, err := List(ctx, tx, t.Name)
		for _, p := range all {
			if !p.To.After(cutoff) {
				old = append(old, p.Name)
			}
		}
		return err
	})
	return old, err
}

// Missing counts the partitions that a table lacks from now on for so many days.
func (p *Partitions) Missing(ctx context.Context, tx pgx.Tx, t Table, days int) (int, error) {
	missing, now := 0, p.now()
	for at := t.Start(now); at.Before(now.AddDate(0, 0, days)); at = t.Next(at) {
		there, err := Exists(ctx, tx, t.Partition(at))
		if err != nil {
			return missing, err
		}
		if !there {
			missing++
		}
	}
	return missing, nil
}
