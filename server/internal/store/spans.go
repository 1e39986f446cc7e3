package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
)

// Sums are totals over some of a machine's events.
type Sums struct {
	Events                                                              int64
	KeyCount, MouseClicks, MouseDistancePx, ScrollCount, SyntheticCount int64
	ActiveSeconds, IdleSeconds                                          float64
	// First and Last are the timestamps of the first and last event with any
	// activity; nil where there is none.
	First, Last *time.Time
}

// AppSeconds is for how long an application had the focus.
type AppSeconds struct {
	App     string
	Seconds float64
}

// Span is what a machine did in one span of time.
type Span struct {
	Sums
	// Apps are the applications longest in focus, longest first.
	Apps []AppSeconds
}

// Activity sums up a machine's events in consecutive spans of time, from roll-ups:
// span i reaches from bounds[i] up to before bounds[i+1]. Bounds are multiples of
// a quarter of an hour in UTC, as all local hours since 2000 are; others are moved
// to the one before. An event belongs where its timestamp lies. Each span names at
// most apps applications. It returns ErrNotFound where there is no such machine.
func (s *Store) Activity(ctx context.Context, scope Scope, machineID string, bounds []time.Time, apps int) ([]Span, error) {
	spans := make([]Span, max(len(bounds)-1, 0))
	err := s.report(ctx, "summing up activity", seeingRollups(ctx, func(tx pgx.Tx) error {
		clear(spans)
		m, err := machineByID(ctx, tx, scope, machineID)
		if err != nil || len(spans) == 0 {
			return err
		}
		list := make([]codec.Sums, len(spans))
		q := spanQuery{machines: []int32{m.Key}, bounds: bounds, counts: true, apps: true}
		if err := q.sum(ctx, tx, func(_ int32, span int) *codec.Sums { return &list[span] }); err != nil {
			return err
		}
		return nameSpans(ctx, tx, list, spans, apps)
	}))
	return spans, err
}

// nameSpans turns sums into spans that name at most limit applications each.
func nameSpans(ctx context.Context, tx pgx.Tx, list []codec.Sums, spans []Span, limit int) error {
	names, err := namesOf(ctx, tx, list)
	if err != nil {
		return err
	}
	for i := range list {
		spans[i].Sums = totalsOf(&list[i])
		used := make([]AppSeconds, 0, len(list[i].AppMS))
		for app, ms := range list[i].AppMS {
			used = append(used, AppSeconds{App: names[app], Seconds: codec.Seconds(ms)})
		}
		slices.SortFunc(used, func(a, b AppSeconds) int {
			return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.App, b.App))
		})
		spans[i].Apps = used[:min(limit, len(used))]
	}
	return nil
}

// totalsOf returns sums as the other packages see them.
func totalsOf(t *codec.Sums) Sums {
	return Sums{
		Events: t.Events, KeyCount: t.Keys, MouseClicks: t.Clicks, MouseDistancePx: t.Distance,
		ScrollCount: t.Scroll, SyntheticCount: t.Synthetic,
		ActiveSeconds: codec.Seconds(t.ActiveMS), IdleSeconds: codec.Seconds(t.IdleMS),
		First: codec.Instant(t.First), Last: codec.Instant(t.Last),
	}
}

// seeingRollups is do in a transaction that sees one state of the database and
// looks at roll-ups. As with seeingEvents a partition must not go whose roll-ups it
// does not see packed yet.
func seeingRollups(ctx context.Context, do func(pgx.Tx) error) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		if _, err := exec(ctx, tx, "keeping partitions of roll-ups", "LOCK TABLE ONLY rollup IN ACCESS SHARE MODE"); err != nil {
			return err
		}
		return do(tx)
	}
}

// spanQuery asks for the sums of some machines in consecutive spans of time, from
// roll-ups of both kinds: those of quarters of an hour, and the packed ones of
// days that have gone quiet. They add up.
type spanQuery struct {
	machines []int32
	// bounds are at least two; span i reaches from bounds[i] to before
	// bounds[i+1]. Each is taken as the start of its quarter of an hour.
	bounds []time.Time
	// counts and apps say what is asked for.
	counts, apps bool
}

// Both statements add up within PostgreSQL, so that what comes back is as large
// as the answer.
const (
	sumCountsSQL = `
		SELECT machine, width_bucket(bucket, $2::timestamptz[]) - 1, sum(events)::bigint,
			sum(key_count)::bigint, sum(mouse_clicks)::bigint, sum(mouse_distance_px)::bigint,
			sum(scroll_count)::bigint, sum(synthetic_count)::bigint,
			sum(active_ms)::bigint, sum(idle_ms)::bigint, min(first_at), max(last_at)
		FROM rollup WHERE machine = ANY($1) AND bucket >= $3 AND bucket < $4 GROUP BY 1, 2`
	sumAppsSQL = `
		SELECT r.machine, width_bucket(r.bucket, $2::timestamptz[]) - 1, u.app, sum(u.ms)::bigint
		FROM rollup r CROSS JOIN LATERAL unnest(r.apps, r.app_ms) AS u(app, ms)
		WHERE r.machine = ANY($1) AND r.bucket >= $3 AND r.bucket < $4 GROUP BY 1, 2, 3`
	packedDaysSQL = `
		SELECT machine, day, body FROM rollup_day WHERE machine = ANY($1) AND day >= $2 AND day <= $3`
)

// sum adds to the sums that at gives for a machine and a span. All questions go in
// one message.
func (q spanQuery) sum(ctx context.Context, tx pgx.Tx, at func(machine int32, span int) *codec.Sums) error {
	micros := make([]int64, len(q.bounds))
	whole := make([]time.Time, len(q.bounds))
	for i, b := range q.bounds {
		micros[i] = codec.BucketOf(b.UnixMicro())
		whole[i] = time.UnixMicro(micros[i]).UTC()
	}
	first, last := whole[0], whole[len(whole)-1]
	if !first.Before(last) {
		return nil
	}
	batch := &pgx.Batch{}
	if q.counts {
		batch.Queue(sumCountsSQL, q.machines, whole, first, last).Query(func(rows pgx.Rows) error { return addCounts(rows, at) })
	}
	if q.apps {
		batch.Queue(sumAppsSQL, q.machines, whole, first, last).Query(func(rows pgx.Rows) error { return addApps(rows, at) })
	}
	batch.Queue(packedDaysSQL, q.machines, dayOf(first), dayOf(last.Add(-1))).Query(func(rows pgx.Rows) error {
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
	_, err := pgx.ForEachRow(rows, []any{
		&machine, &span, &t.Events, &t.Keys, &t.Clicks, &t.Distance, &t.Scroll, &t.Synthetic, &t.ActiveMS, &t.IdleMS, &first, &last,
	}, func() error {
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
	var ms int64
	_, err := pgx.ForEachRow(rows, []any{&machine, &span, &app, &ms}, func() error {
		at(machine, span).AddApp(uint64(app), ms)
		return nil
	})
	return err
}

// addDays adds the buckets of packed days that lie between the first and the last
// of bounds, which are in Unix microseconds.
func (q spanQuery) addDays(rows pgx.Rows, bounds []int64, at func(int32, int) *codec.Sums) error {
	var machine int32
	var day time.Time
	var body []byte
	_, err := pgx.ForEachRow(rows, []any{&machine, &day, &body}, func() error {
		err := codec.DecodeDay(day, body, codec.DayParts{Counts: q.counts, Apps: q.apps}, func(bucket int64) *codec.Sums {
			span := spanOf(bounds, bucket)
			if span < 0 || span >= len(bounds)-1 {
				return nil
			}
			return at(machine, span)
		})
		if err != nil {
			return fmt.Errorf("roll-ups of machine %d on %s: %w", machine, day.Format(time.DateOnly), err)
		}
		return nil
	})
	return err
}

// spanOf gives the span that a time lies in, as PostgreSQL's width_bucket does:
// before the first it is -1, and of spans that begin at once the last holds it,
// since the others are empty.
func spanOf(bounds []int64, at int64) int {
	after, _ := slices.BinarySearch(bounds, at+1)
	return after - 1
}
