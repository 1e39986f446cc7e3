package upkeep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/walk"
)

// machinesAtOnce is how many machines a check lists at a time.
const machinesAtOnce = 1000

// RollupCheck is what a check of the roll-ups found.
type RollupCheck struct {
	Machines int `json:"machines"`
	Events   int `json:"events"`
	Rollups  int `json:"rollups"`
	// Wrong are roll-ups that differ from their events, lack them or are
	// lacking.
	Wrong int `json:"wrong"`
	// Estimated are right ones that were stored before it was known how much of an
	// application's time was active.
	Estimated int `json:"estimated"`
	// Repaired means that both have been made anew.
	Repaired bool `json:"repaired"`
}

// CheckRollups adds up every machine's events anew, compares, and repairs what
// differs if repair is set. Only times are looked at whose events are still kept. The
// server may go on meanwhile: each machine is seen in one state, for which it is locked
// where the database is spread, and locked while it is repaired.
func (u *Upkeep) CheckRollups(ctx context.Context, repair bool) (RollupCheck, error) {
	var c RollupCheck
	for last := int32(0); ; {
		var keys []struct{ Key int32 }
		err := u.db.Read(ctx, "listing machines", func(tx pgx.Tx) (err error) {
			keys, err = db.Collect[struct{ Key int32 }](ctx, tx, "reading", "SELECT id FROM machine WHERE id > $1 ORDER BY id LIMIT $2", last, machinesAtOnce)
			return err
		})
		if err != nil {
			return c, err
		}
		for _, k := range keys {
			if err := u.checkMachine(ctx, k.Key, repair, &c); err != nil {
				return c, err
			}
			c.Machines++
			last = k.Key
		}
		if len(keys) < machinesAtOnce {
			c.Repaired = repair && c.Wrong+c.Estimated > 0
			return c, nil
		}
	}
}

func (u *Upkeep) checkMachine(ctx context.Context, machine int32, repair bool, c *RollupCheck) error {
	do, lock := u.db.Read, repair || u.db.Spread()
	if lock {
		do = u.db.Write
	}
	return do(ctx, "checking roll-ups", func(tx pgx.Tx) error {
		if lock {
			if err := events.LockMachines(ctx, tx, []int32{machine}); err != nil {
				return err
			}
			if err := u.db.Settle(ctx, tx); err != nil {
				return err
			}
		}
		from, err := query.KeptFrom(ctx, tx, u.partitions)
		if err != nil {
			return err
		}
		want, events, err := sumEvents(ctx, tx, machine, from)
		if err != nil {
			return err
		}
		have, err := query.ReadSums(ctx, tx, machine, from, endOfTime())
		if err != nil {
			return err
		}
		wrong, estimated := codec.Differing(want, have)
		c.Events, c.Rollups = c.Events+events, c.Rollups+len(have)
		c.Wrong, c.Estimated = c.Wrong+len(wrong), c.Estimated+len(estimated)
		anew := slices.Concat(wrong, estimated)
		if !repair || len(anew) == 0 {
			return nil
		}
		return replaceRollups(ctx, tx, machine, anew, want)
	}, db.KeepEvents, db.KeepRollups)
}

// endOfTime is after every event that may be.
func endOfTime() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// sumEvents adds up a machine's events.
func sumEvents(ctx context.Context, tx pgx.Tx, machine int32, from time.Time) (codec.Buckets, int, error) {
	sum, n := codec.Buckets{}, 0
	err := walk.Events(ctx, tx, machine, from, endOfTime(), 0, func(e *api.Event, r *codec.Refs) error {
		sum.Add(machine, e.Timestamp.UnixMicro(), e, r)
		n++
		return nil
	})
	return sum, n, err
}

// replaceRollups puts what is wanted in the place of what is wrong, and takes that
// out of packed days.
func replaceRollups(ctx context.Context, tx pgx.Tx, machine int32, wrong []codec.BucketKey, want codec.Buckets) error {
	if err := unpackWrong(ctx, tx, machine, wrong); err != nil {
		return err
	}
	times := make([]time.Time, len(wrong))
	anew := codec.Buckets{}
	for i, k := range wrong {
		times[i] = time.UnixMicro(k.Bucket)
		if want[k] != nil {
			anew[k] = want[k]
		}
	}
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM rollup WHERE machine = $1 AND bucket = ANY($2::timestamptz[])", machine, times)
	if len(anew) > 0 {
		events.QueueSums(batch, anew)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("replacing roll-ups: %w", err)
	}
	return nil
}

// unpackWrong takes buckets out of the packed days that hold them.
func unpackWrong(ctx context.Context, tx pgx.Tx, machine int32, wrong []codec.BucketKey) error {
	days := map[time.Time]struct{}{}
	for _, k := range wrong {
		days[partition.DayOf(time.UnixMicro(k.Bucket))] = struct{}{}
	}
	left := codec.Buckets{}
	var dates []time.Time
	for day := range days {
		dates = append(dates, day)
		if err := query.ReadPackedDays(ctx, tx, []int32{machine}, day, day, left); err != nil {
			return err
		}
	}
	for _, k := range wrong {
		delete(left, k)
	}
	if _, err := db.Exec(ctx, tx, "taking packed days", "DELETE FROM rollup_day WHERE machine = $1 AND day = ANY($2::date[])", machine, dates); err != nil {
		return err
	}
	return writePackedDays(ctx, tx, left)
}
