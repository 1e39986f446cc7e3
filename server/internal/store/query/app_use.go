package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// maxWalked ends a page of AppUse: so many events take about a second to
	// read.
	maxWalked = 500_000
	// maxTitles is how many uses are held until their titles are looked up:
	// 20 MB of the longest.
	maxTitles = 5000
)

// Classes are how uses of applications are told apart. Both functions must give
// the same answer for the same question while a question is answered.
type Classes struct {
	// Of returns the class of a use; the title is empty where it is not known, or
	// not asked for.
	Of func(app, title string) int
	// NeedsTitle reports whether the class of an application's uses may depend on
	// the title.
	NeedsTitle func(app string) bool
}

// Use is for how many milliseconds an application had the focus, in one class.
type Use struct {
	App   string
	Class int
	MS    int64
}

// MachineUse is what had the focus on one machine, longest first.
type MachineUse struct {
	directory.Machine
	Uses []Use
}

// AppUse returns for how long applications had the focus in from ≤ time < to on the
// machines that are asked for. Totals come from roll-ups; where an application's
// class depends on titles, the machine's events say how its total is divided, as
// far as they and their titles are kept, and the rest is of the class that it has
// without a title. So classes of one application always add up to its roll-ups.
//
// more means that there are machines after these, although fewer than f.Limit came:
// reading events took enough for one page. Errors are those of Spans.
func (r *Reader) AppUse(ctx context.Context, f directory.MachineFilter, from, to time.Time, c Classes) (list []MachineUse, more bool, err error) {
	err = r.db.Summary(ctx, "summing up applications", SeeingEvents(ctx, SeeingRollups(ctx, func(tx pgx.Tx) error {
		list, more = nil, false
		machines, keys, err := askedFor(ctx, tx, f)
		if err != nil || len(machines) == 0 {
			return err
		}
		all, place := make([]codec.Sums, len(machines)), placesOf(keys)
		q := spanQuery{machines: keys, bounds: []time.Time{from, to}, apps: true}
		if err := q.sum(ctx, tx, func(machine int32, _ int) *codec.Sums { return &all[place[machine]] }); err != nil {
			return err
		}
		apps, err := namesOf(ctx, tx, all)
		if err != nil {
			return err
		}
		if kept := r.partitions.KeptFrom(); kept.After(from) {
			from = kept
		}
		d := divider{tx: tx, from: from, to: to, classes: c, apps: apps, titled: map[uint64]bool{}}
		for app, name := range apps {
			d.titled[app] = c.NeedsTitle(name)
		}
		for i, m := range machines {
			if more = d.walked > maxWalked; more {
				break
			}
			uses, err := d.divide(ctx, m.Key, all[i].AppMS)
			if err != nil {
				return err
			}
			list = append(list, MachineUse{Machine: m, Uses: uses})
		}
		return nil
	})))
	return list, more, err
}

// namesOf returns the names of the applications in sums.
func namesOf(ctx context.Context, tx pgx.Tx, list []codec.Sums) (map[uint64]string, error) {
	names := map[uint64]string{}
	for i := range list {
		for app := range list[i].AppMS {
			names[app] = ""
		}
	}
	if err := fillNames(ctx, tx, names, appNamesSQL); err != nil {
		return nil, fmt.Errorf("reading applications: %w", err)
	}
	return names, nil
}

// divider divides applications' totals into classes.
type divider struct {
	tx pgx.Tx
	// from and to are the times of which events tell.
	from, to time.Time
	classes  Classes
	// apps are the applications' names, titled those whose class needs titles.
	apps   map[uint64]string
	titled map[uint64]bool
	// walked counts the events that were read.
	walked int
}

// classed is an application's number and a class.
type classed struct {
	app   uint64
	class int
}

// divide returns one machine's uses.
func (d *divider) divide(ctx context.Context, machine int32, totals map[uint64]int64) ([]Use, error) {
	divided := map[classed]int64{}
	for app := range totals {
		if d.titled[app] {
			if err := d.walk(ctx, machine, divided); err != nil {
				return nil, err
			}
			break
		}
	}
	rest := make(map[uint64]int64, len(totals))
	for app, ms := range totals {
		rest[app] = ms
	}
	for k, ms := range divided {
		rest[k.app] -= ms
	}
	for app, ms := range rest {
		divided[classed{app, d.classes.Of(d.apps[app], "")}] += ms
	}
	uses := make([]Use, 0, len(divided))
	for k, ms := range divided {
		if ms > 0 {
			uses = append(uses, Use{App: d.apps[k.app], Class: k.class, MS: ms})
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.App, b.App), cmp.Compare(a.Class, b.Class))
	})
	return uses, nil
}

// walk adds what a machine's events tell of applications whose class needs
// titles.
func (d *divider) walk(ctx context.Context, machine int32, divided map[classed]int64) error {
	held := map[codec.Ref]int64{}
	months := map[int32]struct{}{}
	err := WalkEvents(ctx, d.tx, machine, d.from, d.to, 0, func(e *api.Event, r *codec.Refs) error {
		d.walked++
		codec.EachUse(e, r, func(use codec.Ref, ms int64) {
			if use.Title != 0 && d.titled[use.App] {
				held[use] += ms
			}
		})
		months[dictionary.MonthOf(e.Timestamp)] = struct{}{}
		if len(held) < maxTitles {
			return nil
		}
		return d.settle(ctx, held, months, divided)
	})
	if err != nil {
		return err
	}
	return d.settle(ctx, held, months, divided)
}

// settle looks up the titles of held uses, adds them to their classes and forgets
// them. Titles that are no longer kept are left to the rest.
func (d *divider) settle(ctx context.Context, held map[codec.Ref]int64, months map[int32]struct{}, divided map[classed]int64) error {
	titles := make(map[uint64]string, len(held))
	for use := range held {
		titles[use.Title] = ""
	}
	starts := make([]time.Time, 0, len(months))
	for m := range months {
		starts = append(starts, dictionary.MonthStart(m))
	}
	if err := fillNames(ctx, d.tx, titles, titleNamesSQL, starts); err != nil {
		return fmt.Errorf("reading titles: %w", err)
	}
	for use, ms := range held {
		if title := titles[use.Title]; title != "" {
			divided[classed{use.App, d.classes.Of(d.apps[use.App], title)}] += ms
		}
	}
	clear(held)
	clear(months)
	return nil
}
