package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/partition"
)

// spanQuery asks for the sums of some machines in consecutive spans of time, from
// roll-ups of both kinds: those of quarters of an hour, and the packed ones of
// days that have gone cold. They add up.
type spanQuery struct {
	machines []int32
	// bounds are at least two; span i reaches from bounds[i] to before
	// bounds[i+1]. Each is taken as the start of its quarter of an hour.
	bounds []time.Time
	// counts and apps are what is asked for.
	counts, apps bool
	// minutes gets the minutes of records that reach the spans; nil: they are not asked
	// for.
	minutes recorded
}

// Both statements add up within PostgreSQL, so that what comes back is as large
// as the answer.
const (
	// Where a roll-up lacks active times, or has some that cannot be, they are
	// estimated, as Sums.AddBucket does.
	sumAppsSQL = `
		SELECT r.machine, width_bucket(r.bucket, $2::timestamptz[]) - 1, u.app, sum(u.ms)::bigint,
			sum(CASE WHEN k.known AND u.active <= u.ms THEN u.active ELSE div(u.ms::numeric * r.active_ms, greatest(r.active_ms + r.idle_ms, 1)) END)::bigint,
			bool_or(NOT (k.known AND u.active <= u.ms))
		FROM rollup r CROSS JOIN LATERAL (SELECT cardinality(r.app_active_ms) = cardinality(r.apps)) AS k(known)
		CROSS JOIN LATERAL unnest(r.apps, r.app_ms, r.app_active_ms) AS u(app, ms, active)
		WHERE r.machine = ANY($1) AND r.bucket >= $3 AND r.bucket < $4 GROUP BY 1, 2, 3`
	// Minutes lie beside a long row, and are fetched only where they are wanted.
	packedDaysSQL = `
		SELECT machine, day, body, CASE WHEN $4 THEN minutes END
		FROM rollup_day WHERE machine = ANY($1) AND day >= $2 AND day <= $3`
)

// sumCountsSQL adds up the numbers of roll-ups.
func sumCountsSQL() string {
	names := codec.NumberNames()
	return `
	SELECT machine, width_bucket(bucket, $2::timestamptz[]) - 1, sum(` + strings.Join(names[:], ")::bigint, sum(") + `)::bigint, min(first_at), max(last_at)
	FROM rollup WHERE machine = ANY($1) AND bucket >= $3 AND bucket < $4 GROUP BY 1, 2`
}

// sum adds to the sums that at returns for a machine and a span. All questions go in
// one message.
func (q spanQuery) sum(ctx context.Context, tx pgx.Tx, at func(machine int32, span int) *codec.Sums) error {
	micros := make([]int64, len(q.bounds))
	whole := make([]time.Time, len(q.bounds))
	for i, b := range q.bounds {
		micros[i] = codec.BucketOf(b.UnixMicro())
		whole[i] = time.UnixMicro(micros[i]).UTC()
	}
	first, last := whole[0], whole[len(whole)-1]
	if !first.Before(last) && q.minutes == nil {
		return nil
	}
	batch := &pgx.Batch{}
	if q.counts {
		batch.Queue(sumCountsSQL(), q.machines, whole, first, last).Query(func(rows pgx.Rows) error { return addCounts(rows, at) })
	}
	if q.apps {
		batch.Queue(sumAppsSQL, q.machines, whole, first, last).Query(func(rows pgx.Rows) error { return addApps(rows, at) })
	}
	if q.minutes != nil {
		first, last = q.reach()
		batch.Queue(minutesSQL, q.machines, first, last).Query(q.minutes.add)
	}
	batch.Queue(packedDaysSQL, q.machines, partition.DayOf(first), partition.DayOf(last.Add(-1)), q.minutes != nil).Query(func(rows pgx.Rows) error {
		return q.addDays(rows, micros, at)
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("summing up roll-ups: %w", err)
	}
	return nil
}

func addCounts(rows pgx.Rows, at func(int32, int) *codec.Sums) error {
	var machine int32
	var span int
	var t codec.Sums
	var first, last *time.Time
	into := append(appendNumbers([]any{&machine, &span}, &t), &first, &last)
	_, err := pgx.ForEachRow(rows, into, func() error {
		t.First, t.Last = codec.Micros(first), codec.Micros(last)
		at(machine, span).Merge(&t)
		return nil
	})
	return err
}

func addApps(rows pgx.Rows, at func(int32, int) *codec.Sums) error {
	var machine int32
	var span int
	var app uint32
	var of codec.AppTime
	var estimated bool
	_, err := pgx.ForEachRow(rows, []any{&machine, &span, &app, &of.Focus, &of.Active, &estimated}, func() error {
		sum := at(machine, span)
		sum.AddApp(uint64(app), of)
		sum.Estimated = sum.Estimated || estimated
		return nil
	})
	return err
}

// reach is where roll-ups may begin whose records reach the spans.
func (q spanQuery) reach() (from, to time.Time) {
	return q.bounds[0].Add(-longestRecord).Truncate(codec.BucketLength), q.bounds[len(q.bounds)-1]
}

// addDays adds the buckets of packed days that lie between the first and the last
// of bounds, which are in Unix microseconds, and the minutes of those that reach them.
func (q spanQuery) addDays(rows pgx.Rows, bounds []int64, at func(int32, int) *codec.Sums) error {
	var machine int32
	var day time.Time
	var packed codec.PackedDay
	into := func(bucket int64) *codec.Sums {
		span := spanOf(bounds, bucket)
		if span < 0 || span >= len(bounds)-1 || !q.counts && !q.apps {
			return nil
		}
		return at(machine, span)
	}
	parts, done := codec.DayParts{Counts: q.counts, Apps: q.apps}, func() {}
	if q.minutes != nil {
		parts.Counts, parts.Minutes = true, true
		of := &unpackedDay{minutes: q.minutes, machine: &machine, sums: into}
		of.from, of.to = q.reach()
		into, done = of.into, of.done
	}
	_, err := pgx.ForEachRow(rows, []any{&machine, &day, &packed.Body, &packed.Minutes}, func() error {
		if err := codec.DecodeDay(day, packed, parts, into); err != nil {
			return fmt.Errorf("roll-ups of machine %d on %s: %w", machine, day.Format(time.DateOnly), err)
		}
		done()
		return nil
	})
	return err
}

// spanOf returns the span that a time lies in, as PostgreSQL's width_bucket does:
// before the first it is -1, and of spans that begin at once the last holds it,
// since the others are empty.
func spanOf(bounds []int64, at int64) int {
	after, _ := slices.BinarySearch(bounds, at+1)
	return after - 1
}
