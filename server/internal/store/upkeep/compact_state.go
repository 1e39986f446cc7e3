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
	for _, p := range due {
		var events int64
		// Whichever of the two estimates is there: one is made by VACUUM, the
		// other lost in a crash.
		err := tx.QueryRow(ctx, "SELECT greatest(pg_stat_get_live_tuples(oid), reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)", p.Name).Scan(&events)
		if err != nil {
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
