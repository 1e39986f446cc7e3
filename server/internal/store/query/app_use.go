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
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/walk"
)

const (
	// maxWalked ends a page of AppUse: so many events take about a second to
	// read.
	maxWalked = 500_000
	// maxTitles is how many uses are held until their titles are looked up:
	// 20 MB of the longest.
	maxTitles = 5000
)

// Classes are how uses of applications are distinguished. Both functions must return
// the same answer for the same question while a question is answered.
type Classes struct {
	// Of returns the class of a use; the title is empty where it is not known, or
	// not asked for.
	Of func(app, title string) int
	// NeedsTitle reports whether the class of an application's uses may depend on
	// the title.
	NeedsTitle func(app string) bool
}

// Use is for how many milliseconds an application had the focus, in one class: while
// somebody was there, and while it was only open.
type Use struct {
	App          string
	Class        int
	Active, Open int64
}

// MachineUse is what was used on one machine, longest first.
type MachineUse struct {
	directory.Machine
	Uses []Use
	// Estimated means that how times divide into active and others is only known
	// roughly.
	Estimated bool
}

// AppUse returns for how long applications had the focus in from ≤ time < to on the
// machines that are asked for. Totals come from roll-ups; where an application's
// class depends on titles, the machine's events show how its total is divided, as
// far as they and their titles are kept, and the rest is of the class that it has
// without a title. So classes of one application always add up to its roll-ups.
//
// more means that there are machines after these, although fewer than f.Limit came:
// reading events took enough for one page. Errors are those of SumMachines.
func (r *Reader) AppUse(ctx context.Context, f directory.MachineFilter, from, to time.Time, c Classes) (list []MachineUse, more bool, err error) {
	err = r.db.Summary(ctx, "summing up applications", func(tx pgx.Tx) error {
		list, more = nil, false
		machines, keys, err := askedFor(ctx, tx, f)
		if err != nil {
			return err
		}
		rows := single(keys)
		uses, all, err := r.appUse(ctx, tx, rows, from, to, c)
		for i := range uses {
			list = append(list, MachineUse{Machine: machines[i], Uses: uses[i], Estimated: all[i].Estimated})
		}
		more = len(uses) < len(rows)
		return err
	}, db.KeepEvents, db.KeepRollups)
	return list, more, err
}

// PersonUse is what somebody used, longest first, on all of their accounts that are asked
// for: times add up.
type PersonUse struct {
	people.Person
	Uses      []Use
	Estimated bool
}

// PeopleAppUse is AppUse of people. more means that others follow. Errors are those of
// people.Within.
func (r *Reader) PeopleAppUse(ctx context.Context, f people.Filter, from, to time.Time, c Classes) (list []PersonUse, more bool, err error) {
	err = r.db.Summary(ctx, "summing up people's applications", func(tx pgx.Tx) error {
		list = nil
		var found []people.Person
		if found, more, err = people.Within(ctx, tx, f); err != nil {
			return err
		}
		rows := rowsOf(found)
		uses, all, err := r.appUse(ctx, tx, rows, from, to, c)
		for i := range uses {
			list = append(list, PersonUse{Person: found[i], Uses: uses[i], Estimated: all[i].Estimated})
		}
		more = more || len(uses) < len(rows)
		return err
	}, db.KeepEvents, db.KeepRollups)
	return list, more, err
}

// appUse returns the uses on some machines together, for each row of them, and their sums;
// fewer where reading events took enough for one page.
func (r *Reader) appUse(ctx context.Context, tx pgx.Tx, rows [][]int32, from, to time.Time, c Classes) (uses [][]Use, all []codec.Sums, err error) {
	all = make([]codec.Sums, len(rows))
	place := placesOf(rows)
	if len(place) == 0 {
		return make([][]Use, len(rows)), all, nil
	}
	q := spanQuery{machines: slices.Concat(rows...), bounds: []time.Time{from, to}, apps: true}
	if err := q.sum(ctx, tx, func(machine int32, _ int) *codec.Sums { return &all[place[machine]] }); err != nil {
		return nil, nil, err
	}
	apps, err := namesOf(ctx, tx, all)
	if err != nil {
		return nil, nil, err
	}
	if kept := r.partitions.KeptFrom(); kept.After(from) {
		from = kept
	}
	d := divider{tx: tx, from: from, to: to, classes: c, apps: apps, titled: map[uint64]bool{}}
	for app, name := range apps {
		d.titled[app] = c.NeedsTitle(name)
	}
	for i, row := range rows {
		if d.walked > maxWalked {
			break
		}
		of, err := d.divide(ctx, row, all[i].Apps)
		if err != nil {
			return nil, nil, err
		}
		uses = append(uses, of)
	}
	return uses, all, nil
}

// namesOf returns the names of the applications in sums.
func namesOf(ctx context.Context, tx pgx.Tx, list []codec.Sums) (map[uint64]string, error) {
	names := map[uint64]string{}
	for i := range list {
		for _, of := range list[i].Apps {
			names[of.App] = ""
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
	// from and to bound the events that are read.
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

// divide returns the uses on some machines.
func (d *divider) divide(ctx context.Context, machines []int32, totals codec.AppSums) ([]Use, error) {
	divided := map[classed]codec.AppTime{}
	rest := make(map[uint64]codec.AppTime, len(totals))
	for _, of := range totals {
		rest[of.App] = of.AppTime
	}
	if slices.ContainsFunc(totals, func(of codec.AppSum) bool { return d.titled[of.App] }) {
		for _, machine := range machines {
			if err := d.walk(ctx, machine, divided); err != nil {
				return nil, err
			}
		}
	}
	for k, of := range divided {
		left := rest[k.app]
		left.Add(codec.AppTime{Focus: -of.Focus, Active: -of.Active})
		rest[k.app] = left
	}
	for app, of := range rest {
		// Of an estimated total the events may know more.
		of.Active = max(0, min(of.Active, of.Focus))
		note(divided, classed{app, d.classes.Of(d.apps[app], "")}, of)
	}
	uses := make([]Use, 0, len(divided))
	for k, of := range divided {
		if of.Focus > 0 {
			uses = append(uses, Use{App: d.apps[k.app], Class: k.class, Active: of.Active, Open: of.Open()})
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(b.Active, a.Active), cmp.Compare(b.Open, a.Open), cmp.Compare(a.App, b.App), cmp.Compare(a.Class, b.Class))
	})
	return uses, nil
}

// note adds to a class's time.
func note(divided map[classed]codec.AppTime, k classed, of codec.AppTime) {
	of.Add(divided[k])
	divided[k] = of
}

// walk adds what a machine's events hold of applications whose class needs
// titles.
func (d *divider) walk(ctx context.Context, machine int32, divided map[classed]codec.AppTime) error {
	held := map[codec.Ref]codec.AppTime{}
	months := map[int32]struct{}{}
	err := walk.Events(ctx, d.tx, machine, d.from, d.to, 0, func(e *api.Event, r *codec.Refs) error {
		d.walked++
		codec.EachUse(e, r, func(use codec.Ref, of codec.AppTime) {
			if use.Title != 0 && d.titled[use.App] {
				of.Add(held[use])
				held[use] = of
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
func (d *divider) settle(ctx context.Context, held map[codec.Ref]codec.AppTime, months map[int32]struct{}, divided map[classed]codec.AppTime) error {
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
	for use, of := range held {
		if title := titles[use.Title]; title != "" {
			note(divided, classed{use.App, d.classes.Of(d.apps[use.App], title)}, of)
		}
	}
	clear(held)
	clear(months)
	return nil
}
