package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
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

// ReadPackedDays adds machines' packed days, first to last, to what there is.
func ReadPackedDays(ctx context.Context, tx pgx.Tx, keys []int32, first, last time.Time, to codec.Buckets) error {
	rows, err := tx.Query(ctx, packedDaysSQL, keys, first, last, true)
	if err != nil {
		return fmt.Errorf("reading packed days: %w", err)
	}
	var machine int32
	var day time.Time
	var packed codec.PackedDay
	_, err = pgx.ForEachRow(rows, []any{&machine, &day, &packed.Body, &packed.Minutes}, func() error {
		err := codec.DecodeDay(day, packed, codec.DayParts{Counts: true, Apps: true, Minutes: true}, func(bucket int64) *codec.Sums { return to.At(machine, bucket) })
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
