package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// A statement's rows are of these kinds.
const (
	ofCounts = iota
	ofApps
	ofMinutes
	ofDays
)

// Each part is rows of a kind, a machine, a span or a quarter of an hour or a day, numbers,
// and what only some kinds have. Roll-ups are added up within PostgreSQL, so that what comes
// back is as large as the answer.
const (
	// Where a roll-up lacks active times, or has some that cannot be, they are
	// estimated, as Sums.AddBucket does.
	appsPart = `
		SELECT %[1]d AS kind, r.machine, width_bucket(r.bucket, %[3]s::timestamptz[]) - 1 AS span, NULL::timestamptz AS at,
			ARRAY[u.app, sum(u.ms)::bigint,
				sum(CASE WHEN k.known AND u.active <= u.ms THEN u.active ELSE div(u.ms::numeric * r.active_ms, greatest(r.active_ms + r.idle_ms, 1)) END)::bigint] AS numbers,
			NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, bool_or(NOT (k.known AND u.active <= u.ms)) AS estimated, NULL::bytea AS body, NULL::bytea AS minutes
		FROM rollup r CROSS JOIN LATERAL (SELECT cardinality(r.app_active_ms) = cardinality(r.apps)) AS k(known)
		CROSS JOIN LATERAL unnest(r.apps, r.app_ms, r.app_active_ms) AS u(app, ms, active)
		WHERE r.machine = ANY(%[2]s::int[]) AND r.bucket >= %[4]s AND r.bucket < %[5]s GROUP BY 2, 3, u.app`
	minutesPart = `
		SELECT %[1]d AS kind, machine, 0 AS span, bucket AS at, ARRAY[events, active_ms] AS numbers,
			NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, false AS estimated, NULL::bytea AS body, minutes
		FROM rollup WHERE machine = ANY(%[2]s::int[]) AND bucket >= %[3]s AND bucket < %[4]s`
	// Minutes lie beside a long row, and are fetched only where they are wanted.
	daysPart = `
		SELECT %[1]d AS kind, machine, 0 AS span, day::timestamp AT TIME ZONE 'UTC' AS at, NULL::bigint[] AS numbers,
			NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, false AS estimated, body, CASE WHEN %[5]s THEN minutes END AS minutes
		FROM rollup_day WHERE machine = ANY(%[2]s::int[]) AND day >= %[3]s AND day <= %[4]s`
)

// countsPart is the numbers of roll-ups.
func countsPart() string {
	names := codec.NumberNames()
	return `
		SELECT %[1]d AS kind, machine, width_bucket(bucket, %[3]s::timestamptz[]) - 1 AS span, NULL::timestamptz AS at,
			ARRAY[sum(` + strings.Join(names[:], ")::bigint, sum(") + `)::bigint] AS numbers,
			min(first_at) AS first_at, max(last_at) AS last_at, false AS estimated, NULL::bytea AS body, NULL::bytea AS minutes
		FROM rollup WHERE machine = ANY(%[2]s::int[]) AND bucket >= %[4]s AND bucket < %[5]s GROUP BY 2, 3`
}

// parted is a statement of several parts. One statement sees one state of each machine,
// also where a database is spread over nodes, which otherwise see what is committed
// meanwhile: what is packed between two statements would be missing or come twice.
type parted struct {
	parts []string
	args  []any
}

// add adds a part; args are those of its form after the kind.
func (s *parted) add(kind int, form string, args ...any) {
	places := []any{kind}
	for _, arg := range args {
		s.args = append(s.args, arg)
		places = append(places, "$"+strconv.Itoa(len(s.args)))
	}
	s.parts = append(s.parts, fmt.Sprintf(form, places...))
}

func (s *parted) text() string {
	return "SELECT kind, machine, span, at, numbers, first_at, last_at, estimated, body, minutes FROM (" + strings.Join(s.parts, "\n\t\tUNION ALL") + ") AS parts"
}

// sumRow is a row of such a statement.
type sumRow struct {
	kind, span  int
	machine     int32
	at          *time.Time
	numbers     []int64
	first, last *time.Time
	estimated   bool
	// day is the body and the minutes of a packed day, or the minutes of a quarter of an hour.
	day codec.PackedDay
}

// sum adds to the sums that at returns for a machine and a span.
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
	var s parted
	if q.counts {
		s.add(ofCounts, countsPart(), q.machines, whole, first, last)
	}
	if q.apps {
		s.add(ofApps, appsPart, q.machines, whole, first, last)
	}
	if q.minutes != nil {
		first, last = q.reach()
		s.add(ofMinutes, minutesPart, q.machines, first, last)
	}
	s.add(ofDays, daysPart, q.machines, partition.DayOf(first), partition.DayOf(last.Add(-1)), q.minutes != nil)
	rows, err := tx.Query(ctx, s.text(), s.args...)
	if err != nil {
		return fmt.Errorf("summing up roll-ups: %w", err)
	}
	var r sumRow
	body := any(&r.day.Body)
	if q.minutes == nil { // nothing of it stays after its row
		body = (*pgtype.DriverBytes)(&r.day.Body)
	}
	days := q.days(micros, at)
	_, err = pgx.ForEachRow(rows, []any{&r.kind, &r.machine, &r.span, &r.at, &r.numbers, &r.first, &r.last, &r.estimated, body, &r.day.Minutes}, func() error {
		switch r.kind {
		case ofCounts:
			counts := r.counts()
			at(r.machine, r.span).Merge(&counts)
		case ofApps:
			sum := at(r.machine, r.span)
			sum.AddApp(uint64(r.numbers[0]), codec.AppTime{Focus: r.numbers[1], Active: r.numbers[2]})
			sum.Estimated = sum.Estimated || r.estimated
		case ofMinutes:
			q.minutes[r.machine] = append(q.minutes[r.machine], quarter{r.at.UnixMicro(), r.numbers[0], r.numbers[1], r.day.Minutes})
		case ofDays:
			return days.add(&r)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("summing up roll-ups: %w", err)
	}
	return nil
}

// counts are the numbers of a row, and from when to when they are.
func (r *sumRow) counts() (t codec.Sums) {
	for i, number := range t.Numbers() {
		*number = r.numbers[i]
	}
	t.First, t.Last = codec.Micros(r.first), codec.Micros(r.last)
	return t
}

// reach is where roll-ups may begin whose records reach the spans.
func (q spanQuery) reach() (from, to time.Time) {
	return q.bounds[0].Add(-longestRecord).Truncate(codec.BucketLength), q.bounds[len(q.bounds)-1]
}

// dayAdder adds packed days to sums and minutes.
type dayAdder struct {
	parts codec.DayParts
	// of is the machine whose day is added.
	of   int32
	into func(bucket int64) *codec.Sums
	done func()
}

// days returns what adds the buckets of packed days that lie between the first and the last
// of bounds, which are in Unix microseconds, and the minutes of those that reach them.
func (q spanQuery) days(bounds []int64, at func(int32, int) *codec.Sums) *dayAdder {
	a := &dayAdder{parts: codec.DayParts{Counts: q.counts, Apps: q.apps}, done: func() {}}
	a.into = func(bucket int64) *codec.Sums {
		span := spanOf(bounds, bucket)
		if span < 0 || span >= len(bounds)-1 || !q.counts && !q.apps {
			return nil
		}
		return at(a.of, span)
	}
	if q.minutes != nil {
		a.parts.Counts, a.parts.Minutes = true, true
		of := &unpackedDay{minutes: q.minutes, machine: &a.of, sums: a.into}
		of.from, of.to = q.reach()
		a.into, a.done = of.into, of.done
	}
	return a
}

func (a *dayAdder) add(r *sumRow) error {
	a.of = r.machine
	day := r.at.UTC()
	if err := codec.DecodeDay(day, r.day, a.parts, a.into); err != nil {
		return fmt.Errorf("roll-ups of machine %d on %s: %w", r.machine, day.Format(time.DateOnly), err)
	}
	a.done()
	return nil
}

// spanOf returns the span that a time lies in, as PostgreSQL's width_bucket does:
// before the first it is -1, and of spans that begin at once the last holds it,
// since the others are empty.
func spanOf(bounds []int64, at int64) int {
	after, _ := slices.BinarySearch(bounds, at+1)
	return after - 1
}
