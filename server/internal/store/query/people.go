package query

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/panics"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/uncollected"
)

// PersonTime is what somebody did, of those of their accounts that are asked for.
type PersonTime struct {
	people.Person
	// Grid has their minutes.
	Grid *minutes.Grid
	// Estimated means that of some of the time no events are kept, and quarters of an
	// hour are spread over their minutes.
	Estimated bool
}

// PersonSums is what somebody did in consecutive spans of time.
type PersonSums struct {
	people.Person
	Sums      []Sums
	Estimated bool
}

// PeopleMinutes returns what people did in each minute from one time to before another,
// and whether others follow. Errors are those of people.Within.
func (r *Reader) PeopleMinutes(ctx context.Context, f people.Filter, from, to time.Time) (list []PersonTime, more bool, err error) {
	err = r.db.Report(ctx, "reading the minutes of people", func(tx pgx.Tx) error {
		var found []people.Person
		if found, more, err = people.Within(ctx, tx, f); err != nil {
			return err
		}
		list = make([]PersonTime, len(found))
		q := spanQuery{machines: slices.Concat(rowsOf(found)...), bounds: []time.Time{from, to}}
		return r.eachGrid(ctx, tx, q, rowsOf(found), nil, func(i int, g *minutes.Grid, estimated bool) {
			list[i] = PersonTime{Person: found[i], Grid: g.Clone(), Estimated: estimated}
		})
	}, db.KeepEvents, db.KeepRollups)
	return list, more, err
}

// PersonMinutes is PeopleMinutes of one, or people.ErrNone where none of their accounts is
// in scope.
func (r *Reader) PersonMinutes(ctx context.Context, scope directory.Scope, person int64, from, to time.Time) (PersonTime, error) {
	list, _, err := r.PeopleMinutes(ctx, people.Filter{Scope: scope, ID: person, Limit: 1}, from, to)
	if err != nil || len(list) == 0 {
		return PersonTime{}, err
	}
	return list[0], nil
}

// SumPeople sums people up in consecutive spans of time, as SumMachines does machines: counts of
// their accounts add up, and time that accounts share counts once. What of a span's minutes
// is recorded and not active is idle. Without counts there are only times, which takes a part
// of the time.
func (r *Reader) SumPeople(ctx context.Context, f people.Filter, bounds []time.Time, counts bool) (list []PersonSums, more bool, err error) {
	err = r.db.Summary(ctx, "summing up people", func(tx pgx.Tx) error {
		var found []people.Person
		if found, more, err = people.Within(ctx, tx, f); err != nil {
			return err
		}
		n := max(len(bounds)-1, 0)
		list = make([]PersonSums, len(found))
		for i := range found {
			list[i] = PersonSums{Person: found[i]}
		}
		if n == 0 || len(found) == 0 {
			return nil
		}
		left := make([]*PersonSums, 0, len(list))
		if counts {
			for i := range list {
				left = append(left, &list[i])
			}
		} else if left, err = r.timesFirst(ctx, tx, list, bounds); err != nil {
			return err
		}
		return r.sumMinutes(ctx, tx, left, bounds, counts)
	}, db.KeepEvents, db.KeepRollups)
	return list, more, err
}

// timesFirst sums up the times of all people of whom no minutes are needed, and returns the
// others.
func (r *Reader) timesFirst(ctx context.Context, tx pgx.Tx, list []PersonSums, bounds []time.Time) (left []*PersonSums, err error) {
	rows := make([][]int32, len(list))
	for i := range list {
		rows[i] = list[i].Keys()
	}
	times, err := sumTimes(ctx, tx, rows, bounds)
	if err != nil {
		return nil, err
	}
	for i := range times {
		if times[i].irregular {
			left = append(left, &list[i])
		} else {
			list[i].Sums = times[i].sums()
		}
	}
	return left, nil
}

// sumMinutes sums people up by their minutes.
func (r *Reader) sumMinutes(ctx context.Context, tx pgx.Tx, list []*PersonSums, bounds []time.Time, counts bool) error {
	if len(list) == 0 {
		return nil
	}
	n, rows := len(bounds)-1, make([][]int32, len(list))
	for i := range list {
		rows[i] = list[i].Keys()
	}
	all, place := make([]codec.Sums, n*len(list)), placesOf(rows)
	q := spanQuery{machines: slices.Concat(rows...), bounds: bounds, counts: true}
	at := func(machine int32, span int) *codec.Sums { return &all[place[machine]*n+span] }
	return r.eachGrid(ctx, tx, q, rows, at, func(i int, g *minutes.Grid, estimated bool) {
		list[i].Estimated, list[i].Sums = estimated, make([]Sums, n)
		for j := range n {
			s := totalsOf(&all[i*n+j])
			if !counts {
				s = Sums{First: s.First, Last: s.Last}
			}
			list[i].Sums[j] = s.within(g, bounds[j], bounds[j+1])
		}
	})
}

// PeopleIDs returns whom there is to sum up, in order, of at most f.Limit.
func (r *Reader) PeopleIDs(ctx context.Context, f people.Filter) (ids []int64, err error) {
	err = r.db.Report(ctx, "listing people", func(tx pgx.Tx) error {
		ids, err = people.IDs(ctx, tx, f)
		return err
	})
	return ids, err
}

// PersonActivity is what somebody did in consecutive spans of time, and in all of them
// together.
type PersonActivity struct {
	PersonTime
	Spans []Activity
	Whole Activity
}

// PersonActivity sums up somebody's accounts in scope as SumPeople does, with at most so many
// applications of each span and of all, of which the times add up.
func (r *Reader) PersonActivity(ctx context.Context, scope directory.Scope, person int64, bounds []time.Time, apps int) (a PersonActivity, err error) {
	n := max(len(bounds)-1, 0)
	err = r.db.Report(ctx, "summing up a person", func(tx pgx.Tx) error {
		a = PersonActivity{Spans: make([]Activity, n)}
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil {
			return err
		}
		// A date that a zone left out has no spans.
		if a.PersonTime = (PersonTime{Person: p, Grid: &minutes.Grid{}}); n == 0 {
			return nil
		}
		sums := make([]codec.Sums, n+1)
		q := spanQuery{machines: p.Keys(), bounds: bounds, counts: true, apps: true}
		at := func(_ int32, span int) *codec.Sums { return &sums[span] }
		err = r.eachGrid(ctx, tx, q, [][]int32{p.Keys()}, at, func(_ int, g *minutes.Grid, estimated bool) {
			a.PersonTime = PersonTime{Person: p, Grid: g.Clone(), Estimated: estimated}
		})
		if err != nil {
			return err
		}
		for i := range n {
			sums[n].Merge(&sums[i])
		}
		list := make([]Activity, n+1)
		if err := nameApps(ctx, tx, sums, list, apps); err != nil {
			return err
		}
		a.Spans, a.Whole = list[:n], list[n]
		for i := range a.Spans {
			a.Spans[i].Sums = a.Spans[i].within(a.Grid, bounds[i], bounds[i+1])
		}
		a.Whole.Sums = a.Whole.within(a.Grid, bounds[0], bounds[n])
		return nil
	}, db.KeepEvents, db.KeepRollups)
	return a, err
}

// within returns sums with the times that a person's minutes tell of a span.
func (s Sums) within(g *minutes.Grid, from, to time.Time) Sums {
	active, idle := g.Sum(from, to)
	s.ActiveSeconds, s.IdleSeconds = codec.Seconds(active), codec.Seconds(idle)
	return s
}

// peopleAWorker is of how many people minutes are made before another processor is worth it.
const peopleAWorker = 25

// eachGrid asks q, with minutes, and calls do with those of each person, whose accounts list
// has, of several at once; they hold until do returns.
func (r *Reader) eachGrid(ctx context.Context, tx pgx.Tx, q spanQuery, list [][]int32, at func(int32, int) *codec.Sums, do func(i int, g *minutes.Grid, estimated bool)) error {
	all := &grids{from: q.bounds[0], to: q.bounds[len(q.bounds)-1], recorded: recorded{}, tx: tx, partitions: r.partitions}
	q.minutes = all.recorded
	err := q.sum(ctx, tx, at)
	if err != nil {
		return err
	}
	if all.uncollected, err = uncollected.Of(ctx, tx, q.machines, all.from, all.to); err != nil {
		return err
	}
	workers := min(runtime.GOMAXPROCS(0), len(list)/peopleAWorker+1)
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(panics.AsError(func() error {
			maker := all.maker()
			for i := worker; i < len(list); i += workers {
				g, estimated, err := maker.of(ctx, list[i])
				if err != nil {
					return err
				}
				do(i, g, estimated)
			}
			return nil
		}))
	}
	return group.Wait()
}

// rowsOf lists the accounts of each person.
func rowsOf(list []people.Person) [][]int32 {
	rows := make([][]int32, len(list))
	for i := range list {
		rows[i] = list[i].Keys()
	}
	return rows
}
