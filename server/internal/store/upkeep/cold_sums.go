package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// coldAfter is for how long after a day's end its roll-ups stay as they are written. What
	// comes later, as of a host that was away over a night, costs its day being packed again;
	// as long as days are not packed, each sum of many people's week or month reads a hundred
	// rows a day and person rather than one.
	coldAfter = 6 * time.Hour
	// packAtOnce is how many machines' days are packed in one transaction: some
	// 5,000 roll-ups, whose machines wait for a few hundredths of a second.
	packAtOnce = 50
)

// PackRollups packs the roll-ups of days that have gone cold, machine by machine,
// and returns how many roll-ups became part of a packed day. Several servers may do
// so; partitions that are empty then are dropped.
func (u *Upkeep) PackRollups(ctx context.Context) (int64, error) {
	before := partition.DayOf(u.now().Add(-coldAfter))
	total := int64(0)
	for last := int32(0); ; {
		keys, err := u.machineKeys(ctx, last, packAtOnce)
		if err != nil {
			return total, err
		}
		if len(keys) == 0 {
			return total, u.dropPacked(ctx, before)
		}
		n, err := u.packMachines(ctx, keys, before)
		total += n
		if err != nil {
			return total, err
		}
		last = keys[len(keys)-1]
	}
}

func (u *Upkeep) machineKeys(ctx context.Context, after int32, limit int) ([]int32, error) {
	var keys []int32
	err := u.db.Read(ctx, "listing machines", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id FROM machine WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, pgx.RowTo[int32])
		return err
	})
	return keys, err
}

// packMachines packs these machines' days, oldest first.
func (u *Upkeep) packMachines(ctx context.Context, keys []int32, before time.Time) (total int64, err error) {
	// What was taken is still in the index until it is cleaned: the search goes on
	// after it.
	for from := time.Unix(0, 0).UTC(); ; {
		var oldest *time.Time
		err := u.db.Read(ctx, "looking for roll-ups to pack", func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "SELECT min(bucket) FROM rollup WHERE machine = ANY($1) AND bucket >= $2 AND bucket < $3",
				keys, from, before).Scan(&oldest)
		})
		if err != nil || oldest == nil {
			return total, err
		}
		day := partition.DayOf(*oldest)
		if err := u.partitions.Ensure(ctx, partition.RollupDays(), day); err != nil {
			return total, err
		}
		var n int64
		err = u.db.Write(ctx, "packing roll-ups", func(tx pgx.Tx) (err error) {
			n, err = packDays(ctx, tx, keys, day)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		from = day.AddDate(0, 0, 1)
	}
}

// packDays joins the roll-ups of these machines' day with what is packed of it
// already, and takes them away. The machines are locked, as by everybody who
// changes packed days.
func packDays(ctx context.Context, tx pgx.Tx, keys []int32, day time.Time) (int64, error) {
	if err := events.LockMachines(ctx, tx, keys); err != nil {
		return 0, err
	}
	// Nothing is lost if this commit is: the roll-ups are there again then.
	if _, err := db.Exec(ctx, tx, "not waiting for the disk", "SET LOCAL synchronous_commit = off"); err != nil {
		return 0, err
	}
	anew := codec.Buckets{}
	if err := query.ReadPackedDays(ctx, tx, keys, day, day, anew); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `DELETE FROM rollup WHERE machine = ANY($1) AND bucket >= $2 AND bucket < $3
		RETURNING machine, `+query.RollupColumns(), keys, day, day.AddDate(0, 0, 1))
	if err != nil {
		return 0, fmt.Errorf("taking roll-ups: %w", err)
	}
	n, err := query.ReadBuckets(rows, anew)
	if err != nil {
		return 0, fmt.Errorf("taking roll-ups: %w", err)
	}
	return n, writePackedDays(ctx, tx, anew)
}

// writePackedDays stores whole days of machines in the place of those there are.
func writePackedDays(ctx context.Context, tx pgx.Tx, list codec.Buckets) error {
	days := map[codec.BucketKey]map[int64]*codec.Sums{}
	for k, t := range list {
		day := codec.BucketKey{Machine: k.Machine, Bucket: partition.DayOf(time.UnixMicro(k.Bucket)).UnixMicro()}
		if days[day] == nil {
			days[day] = make(map[int64]*codec.Sums, codec.BucketsADay)
		}
		days[day][k.Bucket] = t
	}
	var machines []int32
	var dates []time.Time
	var bodies, minutes [][]byte
	for k, of := range days {
		date := time.UnixMicro(k.Bucket).UTC()
		packed := codec.EncodeDay(date, of)
		machines, dates = append(machines, k.Machine), append(dates, date)
		bodies, minutes = append(bodies, packed.Body), append(minutes, packed.Minutes)
	}
	_, err := db.Exec(ctx, tx, "writing packed days", `
		INSERT INTO rollup_day (machine, day, body, minutes) SELECT * FROM unnest($1::int[], $2::date[], $3::bytea[], $4::bytea[])
		ON CONFLICT (machine, day) DO UPDATE SET body = excluded.body, minutes = excluded.minutes`, machines, dates, bodies, minutes)
	return err
}

// dropPacked drops partitions of roll-ups that hold nothing any more, so that
// their space is free again. What comes late for one makes it anew.
func (u *Upkeep) dropPacked(ctx context.Context, before time.Time) error {
	t := partition.Rollups()
	old, err := u.partitionsBefore(ctx, t, before)
	if err != nil {
		return err
	}
	for _, p := range old {
		// First without keeping anybody waiting.
		empty := false
		err := u.db.Read(ctx, "looking for empty partitions", func(tx pgx.Tx) (err error) {
			empty, err = partition.Empty(ctx, tx, p.Name)
			return err
		})
		if err == nil && empty {
			_, err = u.partitions.Drop(ctx, t, p.Name, func(tx pgx.Tx) (bool, error) { return partition.Empty(ctx, tx, p.Name) })
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			// Others are at the table; the next round tries again.
			u.log.Info("an empty partition is left for the next round", "partition", p.Name, "error", err)
		}
	}
	return nil
}
