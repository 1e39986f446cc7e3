package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// aheadDays is how many days of partitions are made ahead: events may be a
	// day ahead, and a server may be down over Christmas.
	aheadDays = 14
	// deleteAtOnce bounds the rows that one transaction takes from a default
	// partition.
	deleteAtOnce = 10_000
	// maintainEvery is how often a server looks for something to make or
	// drop: partitions are days long, and a look costs little.
	maintainEvery = time.Hour
)

// dropWait bounds the wait for a table's readers and writers when a partition is
// dropped, since others wait behind it; the next round tries again. It is less than
// deadlock_timeout, so that it never costs a writer.
const dropWait = 500 * time.Millisecond

// Maintained says what a round of maintenance did.
type Maintained struct {
	// Packed roll-ups became parts of days (PackRollups).
	Packed int64
	// Partitions were dropped, and Rows deleted that lay in none.
	Partitions []string
	Rows       int64
}

// RunMaintenance makes partitions ahead and drops what is no longer kept, now and
// every hour, until ctx ends. Several servers may do so.
func (s *Store) RunMaintenance(ctx context.Context) error {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		done, err := s.Maintain(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.noteMaintained(done, err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// noteMaintained tells the log what a round did, also one that failed half-way.
func (s *Store) noteMaintained(done Maintained, err error) {
	if len(done.Partitions) > 0 || done.Rows > 0 {
		s.log.Info("old data dropped", "partitions", done.Partitions, "rows", done.Rows)
	}
	if done.Packed > 0 {
		s.log.Info("roll-ups packed", "rollups", done.Packed)
	}
	if err != nil {
		s.log.Error("maintenance of the database failed; trying again in an hour", "error", err)
	}
}

// Maintain makes partitions ahead, drops what is no longer kept and packs the
// roll-ups of quiet days.
func (s *Store) Maintain(ctx context.Context) (Maintained, error) {
	var done Maintained
	now := s.now()
	if err := s.noteDropping(ctx, now); err != nil {
		return done, err
	}
	for _, t := range tiers() {
		for at := t.start(now); !at.After(now.AddDate(0, 0, aheadDays)); at = t.next(at) {
			if err := s.ensurePartition(ctx, t, at); err != nil {
				return done, err
			}
		}
		keep := s.keepFor(t)
		if keep == 0 {
			continue
		}
		if err := s.dropOld(ctx, t, now.Add(-keep), &done); err != nil {
			return done, err
		}
	}
	var err error
	done.Packed, err = s.PackRollups(ctx)
	return done, err
}

// noteDropping notes, before it is done, of which time events are dropped.
func (s *Store) noteDropping(ctx context.Context, now time.Time) error {
	keep := s.keepFor(eventTier())
	if keep == 0 {
		return nil
	}
	return s.write(ctx, "noting which events are dropped", func(tx pgx.Tx) error {
		_, err := exec(ctx, tx, "writing", `INSERT INTO dropped (events_before) VALUES ($1)
			ON CONFLICT (one) DO UPDATE SET events_before = greatest(dropped.events_before, excluded.events_before)`, now.Add(-keep))
		return err
	})
}

// dropOld drops a tier's partitions that end before the cutoff, and such rows of
// its default partition.
func (s *Store) dropOld(ctx context.Context, t tier, cutoff time.Time, done *Maintained) error {
	old, err := s.partitionsBefore(ctx, t, cutoff)
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := s.dropPartition(ctx, name); err != nil {
			return err
		}
		done.Partitions = append(done.Partitions, name)
	}
	for {
		var n int64
		err := s.write(ctx, "dropping old rows of "+t.table, func(tx pgx.Tx) (err error) {
			n, err = exec(ctx, tx, "deleting", fmt.Sprintf(
				"DELETE FROM %[1]s_default WHERE ctid = ANY(ARRAY(SELECT ctid FROM %[1]s_default WHERE %[2]s < $1 LIMIT %[3]d))",
				t.table, t.column, deleteAtOnce), t.start(cutoff))
			return err
		})
		done.Rows += n
		if err != nil || n < deleteAtOnce {
			return err
		}
	}
}

// partitionsBefore lists a tier's partitions that hold only times before the
// cutoff.
func (s *Store) partitionsBefore(ctx context.Context, t tier, cutoff time.Time) ([]string, error) {
	var old []string
	err := s.read(ctx, "listing the partitions of "+t.table, func(tx pgx.Tx) error {
		old = nil
		all, err := spansOf(ctx, tx, t.table)
		for _, p := range all {
			if !p.To.After(cutoff) {
				old = append(old, p.Name)
			}
		}
		return err
	})
	return old, err
}

func (s *Store) dropPartition(ctx context.Context, name string) error {
	return s.write(ctx, "dropping partition "+name, func(tx pgx.Tx) error {
		mine, err := tryPartitionLock(ctx, tx)
		if err != nil {
			return err
		}
		if !mine {
			return errors.New("another server is making or dropping partitions")
		}
		// Another server may have dropped it since.
		_, err = exec(ctx, tx, "dropping", "DROP TABLE IF EXISTS "+name)
		return err
	})
}

// tryPartitionLock begins dropping a partition: it bounds the wait for the
// table's readers and writers, and says whether no other server makes or drops one.
func tryPartitionLock(ctx context.Context, tx pgx.Tx) (mine bool, err error) {
	if _, err := exec(ctx, tx, "setting the timeout", "SET LOCAL lock_timeout = "+milliseconds(dropWait)); err != nil {
		return false, err
	}
	if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(partitionLock)).Scan(&mine); err != nil {
		return false, fmt.Errorf("looking whether another server drops partitions: %w", err)
	}
	return mine, nil
}
