package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// compactionName names compaction in the table upkeep.
const compactionName = "compaction"

// noteEnd notes that a round of upkeep went through to its end.
func (u *Upkeep) noteEnd(ctx context.Context, name string) error {
	const what = "noting the end of upkeep"
	return u.db.Write(ctx, what, func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "writing", `INSERT INTO upkeep (name, ended_at) VALUES ($1, clock_timestamp())
			ON CONFLICT (name) DO UPDATE SET ended_at = excluded.ended_at`, name)
		return err
	})
}

// CompactionState is how far compaction is.
type CompactionState struct {
	// Off means that there is none.
	Off bool
	// Events is about how many wait whose day has been over for long enough, From
	// the first of these days; zeros where there is none.
	Events int64
	From   time.Time
	// Ended means that a round of some server's has gone through to its end, Ago
	// how long ago the last one did.
	Ended bool
	Ago   time.Duration
}

// Of both estimates of a partition's rows whichever is there: one is made by VACUUM, the other
// lost in a crash. Where a database is spread, workers have those of its shards.
const (
	estimateSQL       = "SELECT greatest(pg_stat_get_live_tuples(oid), reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)"
	spreadEstimateSQL = `SELECT coalesce(sum(result::bigint), 0)::bigint FROM run_command_on_shards(to_regclass($1),
		$$SELECT greatest(pg_stat_get_live_tuples(oid), reltuples, 0)::bigint FROM pg_class WHERE oid = '%s'::regclass$$) WHERE success`
)

// CompactionState returns how far compaction is.
func (u *Upkeep) CompactionState(ctx context.Context, tx pgx.Tx) (CompactionState, error) {
	c := CompactionState{Off: u.compactAfter == 0}
	if c.Off {
		return c, nil
	}
	due, err := u.dueToCompact(ctx, tx)
	if err != nil {
		return c, err
	}
	estimate := estimateSQL
	if u.db.Spread() {
		estimate = spreadEstimateSQL
	}
	for _, p := range due {
		var events int64
		if err := tx.QueryRow(ctx, estimate, p.Name).Scan(&events); err != nil {
			return c, fmt.Errorf("estimating the events of %s: %w", p.Name, err)
		}
		c.Events += events
		if c.From.IsZero() || p.From.Before(c.From) {
			c.From = p.From
		}
	}
	var ago *float64
	err = tx.QueryRow(ctx, "SELECT extract(epoch FROM clock_timestamp() - max(ended_at))::float8 FROM upkeep WHERE name = $1", compactionName).Scan(&ago)
	if err != nil {
		return c, fmt.Errorf("asking for the last compaction: %w", err)
	}
	if ago != nil {
		c.Ended, c.Ago = true, time.Duration(*ago*float64(time.Second))
	}
	return c, nil
}
