package query

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/walk"
)

const (
	// maxPageBytes ends a page of events early, by its length as JSON, so that
	// 5,000 events of the largest size don't have to fit into memory; 8 MiB is
	// over 8,000 usual events.
	maxPageBytes = 8 << 20
	// eventBytes and useBytes are about what an event and an entry of its focus
	// list take as JSON beside their texts.
	eventBytes = 600
	useBytes   = 50
	// maxLookUp is how many references are looked up at once: titles of
	// 4 KiB each would fill a page.
	maxLookUp = maxPageBytes / api.MaxTextBytes
	// usualDay is how many events a machine has of a day, one a minute.
	usualDay = 24 * 60
	// streamEvents is how many events a stream reads in one transaction.
	streamEvents = 2000
)

// Page is a run of one machine's events.
type Page struct {
	Events []api.Event
	// More means that there are events after these.
	More bool
}

// Events returns a machine's events with from ≤ timestamp < to, oldest first, at
// most limit, or ErrNotFound where there is no such machine in scope.
func (r *Reader) Events(ctx context.Context, scope directory.Scope, machineID string, from, to time.Time, limit int) (Page, error) {
	var page Page
	err := r.db.Report(ctx, "reading events", func(tx pgx.Tx) error {
		m, err := directory.FindMachine(ctx, tx, scope, machineID)
		if err != nil {
			return err
		}
		page, err = eventsOf(ctx, tx, m, from, to, limit)
		return err
	}, db.KeepEvents)
	return page, err
}

// eventsOf is Events of a machine that was found.
func eventsOf(ctx context.Context, tx pgx.Tx, m directory.Machine, from, to time.Time, limit int) (Page, error) {
	expected := min(limit, usualDay, max(0, int(to.Sub(from)/time.Minute)))
	page := Page{Events: make([]api.Event, 0, expected)}
	f := filler{tx: tx, machine: m, page: &page, limit: limit}
	// One more than asked for shows whether there is a next page.
	if err := walk.Events(ctx, tx, m.Key, from, to, limit+1, func(e *api.Event, r *codec.Refs) error { return f.add(ctx, e, r) }); err != nil {
		return page, err
	}
	return page, f.name(ctx)
}

// filler adds events to a page until it is full. Names are looked up for some
// events at a time, so that no more than a page of them is held.
type filler struct {
	tx      pgx.Tx
	machine directory.Machine
	page    *Page
	limit   int
	// size is the length of those with names as JSON.
	size int
	// of are what the page's last events refer to, whose names are still to be looked
	// up, and uses how many references those are.
	of   []codec.Refs
	uses int
}

// add takes an event; walk.ErrStop means that the page is full.
func (f *filler) add(ctx context.Context, e *api.Event, r *codec.Refs) error {
	if f.page.More || len(f.page.Events) == f.limit {
		f.page.More = true
		return walk.ErrStop
	}
	f.page.Events, f.of = append(f.page.Events, *e), append(f.of, *r)
	if f.uses += 1 + len(r.Focus); f.uses < maxLookUp {
		return nil
	}
	return f.name(ctx)
}

// name returns their names to the events that have none yet, and ends the page where it is
// long enough.
func (f *filler) name(ctx context.Context) error {
	named := len(f.page.Events) - len(f.of)
	list := f.page.Events[named:]
	months := map[int32]struct{}{}
	for i := range list {
		months[dictionary.MonthOf(list[i].Timestamp)] = struct{}{}
	}
	n, err := lookUp(ctx, f.tx, months, f.of)
	if err != nil {
		return err
	}
	for i := range list {
		if f.size > maxPageBytes {
			f.page.More, f.page.Events = true, f.page.Events[:named+i]
			break
		}
		e := &list[i]
		f.size += n.fill(e, &f.of[i])
		e.MachineID, e.Username = f.machine.MachineID, f.machine.Username
	}
	f.of, f.uses = nil, 0
	return nil
}

// fill puts an event's names in and returns its length as JSON.
func (n names) fill(e *api.Event, r *codec.Refs) (size int) {
	e.ActiveApp, e.ActiveWindow = n.apps[r.Active.App], n.titles[r.Active.Title]
	size = eventBytes + jsonLength(e.ActiveApp) + jsonLength(e.ActiveWindow)
	for i := range e.Focus {
		e.Focus[i].App, e.Focus[i].Title = n.apps[r.Focus[i].App], n.titles[r.Focus[i].Title]
		size += useBytes + jsonLength(e.Focus[i].App) + jsonLength(e.Focus[i].Title)
	}
	return size
}

// jsonLength is at least how long a text is as JSON: control characters, and what
// HTML is made of, take six times as much there.
func jsonLength(s string) int {
	const more = len(`\u0000`) - 1
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c == '<', c == '>', c == '&', c == 0x7f, c == 0xc2, c == 0xe2:
			n += more
		case c == '"', c == '\\':
			n++
		}
	}
	return n
}

// EachEvent calls each with a machine's events with from ≤ timestamp < to, oldest
// first, however many there are: it holds some at a time and no transaction while
// each runs. What is written meanwhile may be among them or not; nothing comes
// twice. It returns each's first error, or ErrNotFound where there is no such
// machine in scope.
func (r *Reader) EachEvent(ctx context.Context, scope directory.Scope, machineID string, from, to time.Time, each func(*api.Event) error) error {
	for {
		page, err := r.Events(ctx, scope, machineID, from, to, streamEvents)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if err := each(&page.Events[i]); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		from = walk.After(page.Events[len(page.Events)-1].Timestamp)
	}
}
