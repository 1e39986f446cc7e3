package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/partition"
)

// timesSQL reads the quarters of an hour of machines, and the beginning of their packed days,
// which have no number of events here. It is one statement as sums are (sums.go).
const timesSQL = `SELECT machine, at, events, active_ms, first_at, last_at, body FROM (
		SELECT machine, bucket AS at, events, active_ms, first_at, last_at, minutes AS body FROM rollup
			WHERE machine = ANY($1::int[]) AND bucket >= $2 AND bucket < $3
		UNION ALL
		SELECT machine, day::timestamp AT TIME ZONE 'UTC', NULL, NULL, NULL, NULL, substring(body FOR $6::int) FROM rollup_day
			WHERE machine = ANY($1::int[]) AND day >= $4 AND day <= $5) AS parts`

// personTimes adds up the times of one person, as long as no quarter of an hour has records of
// two of their accounts or of another quarter. Else the minutes know.
type personTimes struct {
	spans []minutes.Times
	// taken has a bit for each quarter of an hour.
	taken     []uint64
	irregular bool
}

// timesAdder adds quarters of an hour to people's times.
type timesAdder struct {
	// bounds are in Unix microseconds, as is from, at which the first quarter may begin.
	bounds []int64
	from   int64
	list   []personTimes
	// place is whose a machine is.
	place map[int32]int
}

// sumTimes sums up the times of people, whose accounts are given, in consecutive spans of time.
// Those whose minutes are needed are irregular; all are where a span does not begin and end
// with a quarter of an hour.
func sumTimes(ctx context.Context, tx pgx.Tx, accounts [][]int32, bounds []time.Time) ([]personTimes, error) {
	q := spanQuery{bounds: bounds}
	first, last := q.reach()
	a := timesAdder{from: first.UnixMicro(), place: placesOf(accounts), list: make([]personTimes, len(accounts))}
	whole := len(bounds) > 1
	for _, b := range bounds {
		a.bounds = append(a.bounds, b.UnixMicro())
		whole = whole && codec.BucketOf(b.UnixMicro()) == b.UnixMicro()
	}
	quarters := max(0, last.Sub(first)/codec.BucketLength)
	for i := range a.list {
		a.list[i] = personTimes{spans: make([]minutes.Times, len(bounds)-1), taken: make([]uint64, quarters/bitsAWord+1), irregular: !whole}
	}
	if !whole || !first.Before(last) {
		return a.list, nil
	}
	rows, err := tx.Query(ctx, timesSQL, slices.Concat(accounts...), first, last, partition.DayOf(first), partition.DayOf(last.Add(-1)), codec.TimesBytes)
	if err != nil {
		return nil, fmt.Errorf("adding up times: %w", err)
	}
	var machine int32
	var at time.Time
	var events, active *int64
	var firstAt, lastAt *time.Time
	var body pgtype.DriverBytes // valid until the next row: many people's days are not copied
	_, err = pgx.ForEachRow(rows, []any{&machine, &at, &events, &active, &firstAt, &lastAt, &body}, func() error {
		p := &a.list[a.place[machine]]
		switch {
		case p.irregular:
		case events == nil:
			a.addDay(p, at.UTC(), body)
		default:
			t, ok := minutes.NewTimes(*events, *active, body)
			t.First, t.Last = codec.Micros(firstAt), codec.Micros(lastAt)
			p.irregular = !ok
			a.add(p, spanOf(a.bounds, at.UnixMicro()), at.UnixMicro(), t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("adding up times: %w", err)
	}
	return a.list, nil
}

// bitsAWord is how many quarters of an hour a word of taken has.
const bitsAWord = 64

// sums returns the times as other sums are.
func (p *personTimes) sums() []Sums {
	list, moments := make([]Sums, len(p.spans)), make([][2]time.Time, len(p.spans))
	for i := range p.spans {
		t := &p.spans[i]
		list[i] = Sums{ActiveSeconds: codec.Seconds(t.ActiveMS), IdleSeconds: codec.Seconds(t.RecordedMS - t.ActiveMS)}
		if t.First != 0 {
			moments[i] = [2]time.Time{time.UnixMicro(t.First).UTC(), time.UnixMicro(t.Last).UTC()}
			list[i].First, list[i].Last = &moments[i][0], &moments[i][1]
		}
	}
	return list
}

// addDay adds a packed day. Its quarters are in order, and so the spans that they are in.
func (a *timesAdder) addDay(p *personTimes, day time.Time, head []byte) {
	span := spanOf(a.bounds, day.UnixMicro())
	ok := codec.DecodeTimes(day, head, func(bucket int64, t minutes.Times) {
		for span+1 < len(a.bounds) && bucket >= a.bounds[span+1] {
			span++
		}
		a.add(p, span, bucket, t)
	})
	p.irregular = p.irregular || !ok
}

// add adds a quarter of an hour.
func (a *timesAdder) add(p *personTimes, span int, bucket int64, t minutes.Times) {
	place := (bucket - a.from) / codec.BucketLength.Microseconds()
	if bucket < a.from || place/bitsAWord >= int64(len(p.taken)) {
		return // of a packed day that reaches beyond what is asked for
	}
	word, bit := &p.taken[place/bitsAWord], uint64(1)<<(place%bitsAWord)
	p.irregular = p.irregular || *word&bit != 0
	if *word |= bit; span >= 0 && span < len(p.spans) {
		p.spans[span].Add(t)
	}
}
