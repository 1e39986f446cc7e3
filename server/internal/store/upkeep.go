package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// upkeepCompaction names compaction in the table upkeep.
const upkeepCompaction = "compaction"

// noteEnd notes that a round of upkeep went through to its end.
func (s *Store) noteEnd(ctx context.Context, name string) error {
	const what = "noting the end of upkeep"
	return s.write(ctx, what, func(tx pgx.Tx) error {
		_, err := exec(ctx, tx, "writing", `INSERT INTO upkeep (name, ended_at) VALUES ($1, clock_timestamp())
			ON CONFLICT (name) DO UPDATE SET ended_at = excluded.ended_at`, name)
		return err
	})
}

// CompactionState says how far compaction is.
type CompactionState struct {
	// Off says that there is none.
	Off bool
	// Events is about how many wait whose day has been over for long enough, From
	// the first of these days; zeros where there is none.
	Events int64
	From   time.Time
	// Ended says that a round of some server's has gone through to its end, Ago
	// how long ago the last one did.
	Ended bool
	Ago   time.Duration
}

func (s *Store) examineCompaction(ctx context.Context, tx pgx.Tx) (CompactionState, error) {
	c := CompactionState{Off: s.compactAfter == 0}
	if c.Off {
		return c, nil
	}
	due, err := s.dueToCompact(ctx, tx)
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
	err = tx.QueryRow(ctx, "SELECT extract(epoch FROM clock_timestamp() - max(ended_at))::float8 FROM upkeep WHERE name = $1", upkeepCompaction).Scan(&ago)
	if err != nil {
		return c, fmt.Errorf("asking for the last compaction: %w", err)
	}
	if ago != nil {
		c.Ended, c.Ago = true, time.Duration(*ago*float64(time.Second))
	}
	return c, nil
}
