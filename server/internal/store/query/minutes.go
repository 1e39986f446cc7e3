package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/uncollected"
	"activity-tracker.example/server/internal/store/walk"
)

// longestRecord is for how long before a time a record may begin that reaches it.
const longestRecord = api.MaxIntervalSec * time.Second

// KeptFrom returns from when on all events are kept that there were: by this server's
// settings, or by those of another that has dropped more.
func KeptFrom(ctx context.Context, tx pgx.Tx, p *partition.Partitions) (time.Time, error) {
	from := p.KeptFrom()
	var before *time.Time
	if err := tx.QueryRow(ctx, "SELECT max(events_before) FROM dropped").Scan(&before); err != nil {
		return from, fmt.Errorf("asking which events were dropped: %w", err)
	}
	if before != nil {
		for _, t := range []partition.Table{partition.Events(), partition.Hours()} {
			if next := t.Next(t.Start(*before)); next.After(from) {
				from = next
			}
		}
	}
	return from, nil
}

// quarter is what a roll-up has of minutes, or several of one quarter of an hour.
type quarter struct {
	// bucket is its start in Unix microseconds.
	bucket           int64
	events, activeMS int64
	minutes          []byte
}

// recorded are the quarters of an hour of machines, in any order and each once or more.
type recorded map[int32][]quarter

// of returns a machine's quarters of an hour in order, each once.
func (rec recorded) of(machine int32) []quarter {
	list, byStart := rec[machine], func(a, b quarter) int { return cmp.Compare(a.bucket, b.bucket) }
	if !slices.IsSortedFunc(list, byStart) {
		slices.SortStableFunc(list, byStart)
	}
	once := list[:0]
	for _, q := range list {
		if n := len(once); n > 0 && once[n-1].bucket == q.bucket {
			last := &once[n-1]
			last.events, last.activeMS = last.events+q.events, last.activeMS+q.activeMS
			last.minutes = slices.Concat(last.minutes, q.minutes)
			continue
		}
		once = append(once, q)
	}
	return once
}

// unpackedDay is a packed day of a machine of which minutes are wanted, and perhaps sums.
type unpackedDay struct {
	minutes recorded
	machine *int32
	// from and to are between which times minutes are wanted.
	from, to time.Time
	// sums returns those that a bucket is added to; nil where to none.
	sums func(bucket int64) *codec.Sums

	n      int
	starts [codec.BucketsADay]int64
	list   [codec.BucketsADay]codec.Sums
}

// into returns where a bucket is unpacked to.
func (d *unpackedDay) into(bucket int64) *codec.Sums {
	if bucket < d.from.UnixMicro() || bucket >= d.to.UnixMicro() {
		return nil
	}
	t := &d.list[d.n]
	*t, d.starts[d.n] = codec.Sums{}, bucket
	d.n++
	return t
}

// done hands on what was unpacked.
func (d *unpackedDay) done() {
	list := slices.Grow(d.minutes[*d.machine], d.n)
	defer func() { d.minutes[*d.machine], d.n = list, 0 }()
	for i := range d.n {
		t := &d.list[i]
		list = append(list, quarter{d.starts[i], t.Events, t.ActiveMS, t.Minutes})
		if sum := d.sums(d.starts[i]); sum != nil {
			t.Minutes = nil
			sum.Merge(t)
		}
	}
}

// grids is of what minutes are made, by several at once.
type grids struct {
	from, to time.Time
	recorded recorded
	// uncollected is when nothing of machines was collected.
	uncollected map[int32][]uncollected.Time

	// mu guards the rest: few quarters are made of events.
	mu         sync.Mutex
	tx         pgx.Tx
	partitions *partition.Partitions
	// kept is from when on events are kept; zero: nobody has asked.
	kept time.Time
}

// gridMaker makes minutes of one person after another.
type gridMaker struct {
	*grids
	// person and account are made once, since a month has many minutes.
	person, account *minutes.Grid
	runs            []minutes.Run
}

func (g *grids) maker() *gridMaker {
	return &gridMaker{grids: g, person: minutes.NewGrid(g.from, g.to), account: minutes.NewGrid(g.from, g.to)}
}

// of returns the minutes of somebody with these accounts, until it is called again, and
// whether some are estimated.
func (g *gridMaker) of(ctx context.Context, accounts []int32) (*minutes.Grid, bool, error) {
	clear(g.person.List)
	estimated := false
	for _, key := range accounts {
		for _, q := range g.recorded.of(key) {
			guessed, err := g.add(ctx, key, &q)
			if err != nil {
				return nil, false, err
			}
			estimated = estimated || guessed
		}
		for _, t := range g.uncollected[key] {
			g.account.Cover(t.Start, t.End, t.Paused)
		}
		g.person.Take(g.account)
	}
	return g.person, estimated, nil
}

// add adds a quarter of an hour to the account's minutes. Where an older server wrote to
// it they are made of its events, or, where those are no longer kept, estimated: the
// quarter of an hour is spread over its minutes.
func (g *gridMaker) add(ctx context.Context, machine int32, q *quarter) (estimated bool, err error) {
	var records int64
	g.runs, records, err = minutes.AppendRuns(g.runs[:0], q.minutes)
	if err == nil && records == q.events {
		g.account.AddRuns(q.bucket, g.runs)
		return false, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept.IsZero() {
		if g.kept, err = KeptFrom(ctx, g.tx, g.partitions); err != nil {
			return false, err
		}
	}
	start := time.UnixMicro(q.bucket).UTC()
	if start.Before(g.kept) {
		g.account.Add(q.spread())
		return true, nil
	}
	return false, walk.Events(ctx, g.tx, machine, start, start.Add(codec.BucketLength), 0, func(e *api.Event, _ *codec.Refs) error {
		g.account.Add(codec.RecordOf(e))
		return nil
	})
}

// spread is a quarter of an hour of which the minutes are lacking, as one record.
func (q *quarter) spread() minutes.Record {
	length := codec.BucketLength.Milliseconds()
	return minutes.Record{Start: q.bucket, LengthMS: length, ActiveMS: min(q.activeMS, length), Rest: minutes.NoInput}
}
