package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/policies"
)

const (
	// AheadDays is how many days of partitions are made ahead: events may be a
	// day ahead, and a server may be down over Christmas.
	AheadDays = 14
	// deleteAtOnce bounds the rows that one transaction takes from a default
	// partition.
	deleteAtOnce = 10_000
	// maintainEvery is how often a server looks for something to make or
	// drop: partitions are days long, and a look costs little.
	maintainEvery = time.Hour
)

// Maintained is what a round of maintenance did.
type Maintained struct {
	// Packed roll-ups became parts of days (PackRollups).
	Packed int64
	// Partitions were dropped, and Rows deleted that lay in none.
	Partitions []string
	Rows       int64
	// Files of pictures were deleted that had no row.
	Files int64
}

// RunMaintenance makes partitions ahead and drops what is no longer kept, now and
// every hour, until ctx ends. Several servers may do so.
func (u *Upkeep) RunMaintenance(ctx context.Context) error {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		done, err := u.Maintain(ctx)
		if ctx.Err() != nil {
			return nil
		}
		u.noteMaintained(done, err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// noteMaintained logs what a round did, also one that failed half-way.
func (u *Upkeep) noteMaintained(done Maintained, err error) {
	if len(done.Partitions) > 0 || done.Rows > 0 {
		u.log.Info("old data dropped", "partitions", done.Partitions, "rows", done.Rows)
	}
	if done.Files > 0 {
		u.log.Info("files of pictures without a row deleted", "files", done.Files)
	}
	if done.Packed > 0 {
		u.log.Info("roll-ups packed", "rollups", done.Packed)
	}
	if err != nil {
		u.log.Error("maintenance of the database failed; trying again in an hour", "error", err)
	}
}

// Maintain makes partitions ahead, drops what is no longer kept and packs the
// roll-ups of cold days.
func (u *Upkeep) Maintain(ctx context.Context) (Maintained, error) {
	var done Maintained
	now := u.now()
	if err := u.followPolicy(ctx); err != nil {
		return done, err
	}
	if err := u.noteDropping(ctx, now); err != nil {
		return done, err
	}
	for _, t := range partition.All() {
		for at := t.Start(now); !at.After(now.AddDate(0, 0, AheadDays)); at = t.Next(at) {
			if err := u.partitions.Ensure(ctx, t, at); err != nil {
				return done, err
			}
		}
		keep := u.partitions.KeepFor(t)
		if keep == 0 {
			continue
		}
		if err := u.dropOld(ctx, t, now.Add(-keep), &done); err != nil {
			return done, err
		}
	}
	if keep := u.partitions.KeepFor(partition.Rollups()); keep > 0 {
		times, err := u.notCollected.DeleteBefore(ctx, now.Add(-keep))
		if done.Rows += times; err != nil {
			return done, err
		}
	}
	old, err := u.notes.DropOld(ctx)
	if done.Rows += old; err != nil {
		return done, err
	}
	if u.keepAccess > 0 {
		looks, err := u.access.DropBefore(ctx, now.Add(-u.keepAccess))
		if done.Rows += looks; err != nil {
			return done, err
		}
	}
	if done.Packed, err = u.PackRollups(ctx); err != nil {
		return done, err
	}
	return done, u.maintainScreenshots(ctx, &done)
}

// maintainScreenshots drops old pictures, and files that were left behind. It comes last:
// a folder that is away keeps nothing else waiting.
func (u *Upkeep) maintainScreenshots(ctx context.Context, done *Maintained) error {
	if keep := u.screenshots.KeepFor(); keep > 0 {
		dropped, err := u.screenshots.DropBefore(ctx, u.now().Add(-keep))
		if done.Rows += dropped; err != nil {
			return err
		}
	}
	swept, err := u.screenshots.Sweep(ctx)
	done.Files = swept
	return err
}

// followPolicy has each kind kept no longer than the policy for all hosts says that is in
// force. Another version holds here from the next round on.
func (u *Upkeep) followPolicy(ctx context.Context) error {
	v, err := u.policies.InForce(ctx, nil)
	if errors.Is(err, policies.ErrNone) {
		err = nil
	}
	if err != nil {
		return err
	}
	days := func(n *int) time.Duration {
		if n == nil {
			return 0
		}
		return time.Duration(*n) * 24 * time.Hour
	}
	var keep policy.Retention
	if v.Policy.Retention != nil {
		keep = *v.Policy.Retention
	}
	u.screenshots.Narrow(days(keep.ScreenshotsDays))
	u.partitions.Narrow(partition.Retention{Events: days(keep.EventsDays), Titles: days(keep.TitlesDays), Rollups: days(keep.RollupsDays)})
	return nil
}

// noteDropping notes, before it is done, of which time events and roll-ups are dropped.
func (u *Upkeep) noteDropping(ctx context.Context, now time.Time) error {
	before := func(t partition.Table) *time.Time {
		keep := u.partitions.KeepFor(t)
		if keep == 0 {
			return nil
		}
		at := now.Add(-keep)
		return &at
	}
	events, rollups := before(partition.Events()), before(partition.Rollups())
	if events == nil && rollups == nil {
		return nil
	}
	return u.db.Write(ctx, "noting what is dropped", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "writing", `INSERT INTO dropped (events_before, rollups_before) VALUES (coalesce($1, 'epoch'::timestamptz), $2)
			ON CONFLICT (one) DO UPDATE SET events_before = greatest(dropped.events_before, excluded.events_before),
				rollups_before = greatest(dropped.rollups_before, excluded.rollups_before)`, events, rollups)
		return err
	})
}

// partitionsBefore lists a table's partitions that hold only times before the cutoff.
func (u *Upkeep) partitionsBefore(ctx context.Context, t partition.Table, cutoff time.Time) (old []partition.Partition, err error) {
	err = u.db.Read(ctx, "listing old partitions", func(tx pgx.Tx) (err error) {
		old, err = partition.Before(ctx, tx, t, cutoff)
		return err
	})
	return old, err
}

// dropOld drops a table's partitions that end before the cutoff, and such rows of
// its default partition.
func (u *Upkeep) dropOld(ctx context.Context, t partition.Table, cutoff time.Time, done *Maintained) error {
	old, err := u.partitionsBefore(ctx, t, cutoff)
	if err != nil {
		return err
	}
	for _, p := range old {
		// Another server may have dropped it since.
		dropped, err := u.partitions.Drop(ctx, t, p.Name, nil)
		if err != nil {
			return err
		}
		if dropped {
			done.Partitions = append(done.Partitions, p.Name)
		}
	}
	for {
		n, err := u.deleteOld(ctx, t, t.Start(cutoff))
		done.Rows += n
		if err != nil || n == 0 {
			return err
		}
	}
}

// deleteOld deletes some rows of before a time from a table's default partition: of one
// machine, or of one month's titles. It returns how many.
func (u *Upkeep) deleteOld(ctx context.Context, t partition.Table, before time.Time) (n int64, err error) {
	of, in := t.Key[0], t.Name+"_default"
	err = u.db.Write(ctx, "dropping old rows of "+t.Name, func(tx pgx.Tx) (err error) {
		var whose any
		err = tx.QueryRow(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s < $1 LIMIT 1", of, in, t.Column), before).Scan(&whose)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for some: %w", err)
		}
		n, err = db.Exec(ctx, tx, "deleting", fmt.Sprintf(
			"DELETE FROM %[1]s WHERE %[2]s = $1 AND %[3]s = ANY(ARRAY(SELECT %[3]s FROM %[1]s WHERE %[2]s = $1 AND %[4]s < $2 ORDER BY %[3]s LIMIT %[5]d))",
			in, of, t.Key[1], t.Column, deleteAtOnce), whose, before)
		return err
	})
	return n, err
}
