package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
)

const (
	// quietDays is for how many whole days roll-ups stay as they are written: a
	// host that was away over a weekend has sent what it kept by then.
	quietDays = 3
	// packAtOnce is how many machines' days are packed in one transaction: some
	// 5,000 roll-ups, whose machines wait for a few hundredths of a second.
	packAtOnce = 50
)

const rollupColumns = `bucket, events, key_count, mouse_clicks, mouse_distance_px, scroll_count, synthetic_count,
	active_ms, idle_ms, first_at, last_at, apps, app_ms`

func rollupDayTier() tier {
	return tier{
		table: "rollup_day", column: "day", start: monthOf, next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Rollups },
	}
}

// PackRollups packs the roll-ups of days that have gone quiet, machine by machine,
// and says how many roll-ups became part of a packed day. Several servers may do
// so; partitions that are empty then are dropped.
func (s *Store) PackRollups(ctx context.Context) (int64, error) {
	before := dayOf(s.now()).AddDate(0, 0, -quietDays)
	total := int64(0)
	for last := int32(0); ; {
		keys, err := s.machineKeys(ctx, last, packAtOnce)
		if err != nil {
			return total, err
		}
		if len(keys) == 0 {
			return total, s.dropPacked(ctx, before)
		}
		n, err := s.packMachines(ctx, keys, before)
		total += n
		if err != nil {
			return total, err
		}
		last = keys[len(keys)-1]
	}
}

func (s *Store) machineKeys(ctx context.Context, after int32, limit int) ([]int32, error) {
	var keys []int32
	err := s.read(ctx, "listing machines", func(tx pgx.Tx) error {
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
func (s *Store) packMachines(ctx context.Context, keys []int32, before time.Time) (total int64, err error) {
	// What was taken is still in the index until it is cleaned: the search goes on
	// after it.
	for from := time.Unix(0, 0).UTC(); ; {
		var oldest *time.Time
		err := s.read(ctx, "looking for roll-ups to pack", func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "SELECT min(bucket) FROM rollup WHERE machine = ANY($1) AND bucket >= $2 AND bucket < $3",
				keys, from, before).Scan(&oldest)
		})
		if err != nil || oldest == nil {
			return total, err
		}
		day := dayOf(*oldest)
		if err := s.ensurePartition(ctx, rollupDayTier(), day); err != nil {
			return total, err
		}
		var n int64
		err = s.write(ctx, "packing roll-ups", func(tx pgx.Tx) (err error) {
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
	if err := lockMachines(ctx, tx, keys); err != nil {
		return 0, err
	}
	// Nothing is lost if this commit is: the roll-ups are there again then.
	if _, err := exec(ctx, tx, "not waiting for the disk", "SET LOCAL synchronous_commit = off"); err != nil {
		return 0, err
	}
	anew := codec.Buckets{}
	if err := readPackedDays(ctx, tx, keys, day, day, anew); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `DELETE FROM rollup WHERE machine = ANY($1) AND bucket >= $2 AND bucket < $3
		RETURNING machine, `+rollupColumns, keys, day, day.AddDate(0, 0, 1))
	if err != nil {
		return 0, fmt.Errorf("taking roll-ups: %w", err)
	}
	n, err := readBuckets(rows, anew)
	if err != nil {
		return 0, fmt.Errorf("taking roll-ups: %w", err)
	}
	return n, writePackedDays(ctx, tx, anew)
}

// readBuckets adds rows of machine and rollupColumns to what there is.
func readBuckets(rows pgx.Rows, to codec.Buckets) (n int64, err error) {
	var machine int32
	var bucket time.Time
	var t codec.Sums
	var first, last *time.Time
	var apps []uint32
	var ms []int64
	_, err = pgx.ForEachRow(rows, []any{
		&machine, &bucket, &t.Events, &t.Keys, &t.Clicks, &t.Distance, &t.Scroll, &t.Synthetic,
		&t.ActiveMS, &t.IdleMS, &first, &last, &apps, &ms,
	}, func() error {
		n++
		t.First, t.Last, t.AppMS = codec.Micros(first), codec.Micros(last), nil
		sum := to.At(machine, bucket.UnixMicro())
		sum.Merge(&t)
		for i := range min(len(apps), len(ms)) {
			sum.AddApp(uint64(apps[i]), ms[i])
		}
		return nil
	})
	return n, err
}

// readPackedDays adds machines' packed days, first to last, to what there is.
func readPackedDays(ctx context.Context, tx pgx.Tx, keys []int32, first, last time.Time, to codec.Buckets) error {
	rows, err := tx.Query(ctx, packedDaysSQL, keys, first, last)
	if err != nil {
		return fmt.Errorf("reading packed days: %w", err)
	}
	var machine int32
	var day time.Time
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&machine, &day, &body}, func() error {
		err := codec.DecodeDay(day, body, codec.DayParts{Counts: true, Apps: true}, func(bucket int64) *codec.Sums { return to.At(machine, bucket) })
		if err != nil {
			return fmt.Errorf("roll-ups of machine %d on %s: %w", machine, day.Format(time.DateOnly), err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading packed days: %w", err)
	}
	return nil
}

// writePackedDays stores whole days of machines in the place of those there are.
func writePackedDays(ctx context.Context, tx pgx.Tx, list codec.Buckets) error {
	days := map[codec.BucketKey]map[int64]*codec.Sums{}
	for k, t := range list {
		day := codec.BucketKey{Machine: k.Machine, Bucket: dayOf(time.UnixMicro(k.Bucket)).UnixMicro()}
		if days[day] == nil {
			days[day] = make(map[int64]*codec.Sums, codec.BucketsADay)
		}
		days[day][k.Bucket] = t
	}
	var machines []int32
	var dates []time.Time
	var bodies [][]byte
	for k, of := range days {
		date := time.UnixMicro(k.Bucket).UTC()
		machines, dates, bodies = append(machines, k.Machine), append(dates, date), append(bodies, codec.EncodeDay(date, of))
	}
	_, err := exec(ctx, tx, "writing packed days", `
		INSERT INTO rollup_day (machine, day, body) SELECT * FROM unnest($1::int[], $2::date[], $3::bytea[])
		ON CONFLICT (machine, day) DO UPDATE SET body = excluded.body`, machines, dates, bodies)
	return err
}

// dropPacked drops partitions of roll-ups that hold nothing any more, so that
// their space is free again. What comes late for one makes it anew.
func (s *Store) dropPacked(ctx context.Context, before time.Time) error {
	t := rollupTier()
	old, err := s.partitionsBefore(ctx, t, before)
	if err != nil {
		return err
	}
	for _, name := range old {
		err := s.write(ctx, "dropping partition "+name, func(tx pgx.Tx) error { return dropEmpty(ctx, tx, t, name) })
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			// Others are at the table; the next round tries again.
			s.log.Info("an empty partition is left for the next round", "partition", name, "error", err)
			continue
		}
		s.forgetMade()
	}
	return nil
}

// dropEmpty drops a partition if it is empty: as far as can be seen, and then for
// certain, with nobody else at it. That must not take long, since all wait.
func dropEmpty(ctx context.Context, tx pgx.Tx, t tier, name string) error {
	empty := false
	isEmpty := "SELECT NOT EXISTS (SELECT FROM " + name + ")"
	if err := tx.QueryRow(ctx, isEmpty).Scan(&empty); err != nil || !empty {
		return err
	}
	for _, sql := range []string{
		"SET LOCAL lock_timeout = " + milliseconds(dropWait),
		"SET LOCAL statement_timeout = " + milliseconds(dropWait),
	} {
		if _, err := exec(ctx, tx, "setting a timeout", sql); err != nil {
			return err
		}
	}
	if there, err := keepWritersOut(ctx, tx, t.table, name); err != nil || !there {
		return err
	}
	if err := tx.QueryRow(ctx, isEmpty).Scan(&empty); err != nil || !empty {
		return err
	}
	if _, err := exec(ctx, tx, "giving it time", "SET LOCAL statement_timeout = "+milliseconds(statementTimeout)); err != nil {
		return err
	}
	_, err := exec(ctx, tx, "dropping", "DROP TABLE "+name)
	return err
}
