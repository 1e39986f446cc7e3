package query

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// Sums are totals over some of a machine's events.
type Sums struct {
	Events                     int64
	Counts                     api.Counts
	ActiveSeconds, IdleSeconds float64
	// First and Last are the timestamps of the first and last event with any
	// activity; nil where there is none.
	First, Last *time.Time
}

// AppSeconds is for how long an application had the focus: while somebody was there,
// and while it was only open.
type AppSeconds struct {
	App          string
	Active, Open float64
}

// Activity is what a machine did in one span of time.
type Activity struct {
	Sums
	// Apps are the applications longest used, longest first.
	Apps []AppSeconds
	// Estimated means that how the times of Apps divide is only known roughly.
	Estimated bool
}

// Activity sums up a machine's events in consecutive spans of time, from roll-ups:
// span i reaches from bounds[i] up to before bounds[i+1]. Bounds are multiples of
// a quarter of an hour in UTC, as all local hours since 2000 are; others are moved
// to the one before. An event belongs where its timestamp lies. Each names at
// most apps applications. It returns ErrNotFound where there is no such machine.
func (r *Reader) Activity(ctx context.Context, scope directory.Scope, machineID string, bounds []time.Time, apps int) ([]Activity, error) {
	list := make([]Activity, max(len(bounds)-1, 0))
	err := r.db.Report(ctx, "summing up activity", func(tx pgx.Tx) error {
		clear(list)
		m, err := directory.FindMachine(ctx, tx, scope, machineID)
		if err != nil || len(list) == 0 {
			return err
		}
		sums := make([]codec.Sums, len(list))
		q := spanQuery{machines: []int32{m.Key}, bounds: bounds, counts: true, apps: true}
		if err := q.sum(ctx, tx, func(_ int32, span int) *codec.Sums { return &sums[span] }); err != nil {
			return err
		}
		return nameApps(ctx, tx, sums, list, apps)
	}, db.KeepRollups, db.PlanOnce)
	return list, err
}

// nameApps turns sums into activity that names at most limit applications each.
func nameApps(ctx context.Context, tx pgx.Tx, sums []codec.Sums, into []Activity, limit int) error {
	names, err := namesOf(ctx, tx, sums)
	if err != nil {
		return err
	}
	for i := range sums {
		into[i].Sums = totalsOf(&sums[i])
		into[i].Estimated = sums[i].Estimated
		used := make([]AppSeconds, 0, len(sums[i].Apps))
		for _, of := range sums[i].Apps {
			used = append(used, AppSeconds{App: names[of.App], Active: codec.Seconds(of.Active), Open: codec.Seconds(of.Open())})
		}
		slices.SortFunc(used, func(a, b AppSeconds) int {
			return cmp.Or(cmp.Compare(b.Active, a.Active), cmp.Compare(b.Open, a.Open), cmp.Compare(a.App, b.App))
		})
		into[i].Apps = used[:min(limit, len(used))]
	}
	return nil
}

// totalsOf returns sums as the other packages see them.
func totalsOf(t *codec.Sums) Sums {
	return Sums{
		Events: t.Events, Counts: t.Counts,
		ActiveSeconds: codec.Seconds(t.ActiveMS), IdleSeconds: codec.Seconds(t.IdleMS),
		First: codec.Instant(t.First), Last: codec.Instant(t.Last),
	}
}
