package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/partition"
)

// RollupColumns returns the columns of a roll-up that ReadBuckets reads after the
// machine.
func RollupColumns() string {
	names := codec.NumberNames()
	return "bucket, " + strings.Join(names[:], ", ") + ", first_at, last_at, minutes, apps, app_ms, app_active_ms"
}

// ReadBuckets adds rows of machine and rollupColumns to what there is.
func ReadBuckets(rows pgx.Rows, to codec.Buckets) (n int64, err error) {
	var machine int32
	var bucket time.Time
	var t codec.Sums
	var first, last *time.Time
	var apps []uint32
	var focus, active []int64
	into := append(appendNumbers([]any{&machine, &bucket}, &t), &first, &last, &t.Minutes, &apps, &focus, &active)
	_, err = pgx.ForEachRow(rows, into, func() error {
		n++
		t.First, t.Last = codec.Micros(first), codec.Micros(last)
		sum := to.At(machine, bucket.UnixMicro())
		sum.Merge(&t)
		sum.AddBucket(&t, apps, focus, active)
		return nil
	})
	return n, err
}

// appendNumbers appends pointers to a sum's numbers.
func appendNumbers(into []any, t *codec.Sums) []any {
	for _, number := range t.Numbers() {
		into = append(into, number)
	}
	return into
}

// ReadSums returns a machine's roll-ups of both kinds, from a time on to before another. Both
// are read in one statement, so that none is missing, and none comes twice, that is packed
// meanwhile.
func ReadSums(ctx context.Context, tx pgx.Tx, machine int32, from, to time.Time) (codec.Buckets, error) {
	var s parted
	names := codec.NumberNames()
	s.add(ofCounts, `
		SELECT %[1]d AS kind, machine, bucket AS at, ARRAY[`+strings.Join(names[:], ", ")+`] AS numbers, first_at, last_at, apps, app_ms, app_active_ms, NULL::bytea AS body, minutes
		FROM rollup WHERE machine = %[2]s AND bucket >= %[3]s AND bucket < %[4]s`, machine, from, to)
	s.add(ofDays, `
		SELECT %[1]d AS kind, machine, day::timestamp AT TIME ZONE 'UTC' AS at, NULL::bigint[] AS numbers, NULL::timestamptz AS first_at, NULL::timestamptz AS last_at,
			NULL::int[] AS apps, NULL::bigint[] AS app_ms, NULL::bigint[] AS app_active_ms, body, minutes
		FROM rollup_day WHERE machine = %[2]s AND day >= %[3]s AND day <= %[4]s`, machine, partition.DayOf(from), partition.DayOf(to.Add(-1)))
	rows, err := tx.Query(ctx, "SELECT kind, at, numbers, first_at, last_at, apps, app_ms, app_active_ms, body, minutes FROM ("+strings.Join(s.parts, "\n\t\tUNION ALL")+") AS parts", s.args...)
	if err != nil {
		return nil, fmt.Errorf("reading roll-ups: %w", err)
	}
	have := codec.Buckets{}
	var r sumRow
	var apps []uint32
	var focus, active []int64
	_, err = pgx.ForEachRow(rows, []any{&r.kind, &r.at, &r.numbers, &r.first, &r.last, &apps, &focus, &active, &r.day.Body, &r.day.Minutes}, func() error {
		if r.kind == ofDays {
			return addDay(have, machine, r.at.UTC(), r.day)
		}
		r.addBucket(have.At(machine, r.at.UnixMicro()), apps, focus, active)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading roll-ups: %w", err)
	}
	return have, nil
}

// addBucket adds a roll-up.
func (r *sumRow) addBucket(to *codec.Sums, apps []uint32, focus, active []int64) {
	t := r.counts()
	t.Minutes = r.day.Minutes
	to.Merge(&t)
	to.AddBucket(&t, apps, focus, active)
}

// packedDaysSQL reads packed days.
const packedDaysSQL = "SELECT machine, day, body, minutes FROM rollup_day WHERE machine = ANY($1) AND day >= $2 AND day <= $3"

// ReadPackedDays adds locked machines' packed days, first to last, to what there is.
func ReadPackedDays(ctx context.Context, tx pgx.Tx, keys []int32, first, last time.Time, to codec.Buckets) error {
	rows, err := tx.Query(ctx, packedDaysSQL, keys, first, last)
	if err != nil {
		return fmt.Errorf("reading packed days: %w", err)
	}
	var machine int32
	var day time.Time
	var packed codec.PackedDay
	_, err = pgx.ForEachRow(rows, []any{&machine, &day, &packed.Body, &packed.Minutes}, func() error { return addDay(to, machine, day, packed) })
	if err != nil {
		return fmt.Errorf("reading packed days: %w", err)
	}
	return nil
}

// addDay adds a machine's packed day.
func addDay(to codec.Buckets, machine int32, day time.Time, packed codec.PackedDay) error {
	err := codec.DecodeDay(day, packed, codec.DayParts{Counts: true, Apps: true, Minutes: true}, func(bucket int64) *codec.Sums { return to.At(machine, bucket) })
	if err != nil {
		return fmt.Errorf("roll-ups of machine %d on %s: %w", machine, day.Format(time.DateOnly), err)
	}
	return nil
}
