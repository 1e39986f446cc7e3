package events

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
)

// Batch is what one host sent at once. Its events must have been validated: a NUL
// in a text would fail them all.
type Batch struct {
	// Host is the host's row.
	Host int64
	// Credential is the id of the host's credential, which must still exist;
	// empty means that nothing is to be checked.
	Credential string
	Events     []api.Event
}

// Written is what became of a batch.
type Written struct {
	Accepted   int
	Duplicates int
	// Foreign are the indexes of events whose machine belongs to another host;
	// nothing of them was stored.
	Foreign []int
	// Excess are those of machines that are new while their host has enough;
	// nothing of them was stored.
	Excess []int
}

// writeError is a refusal to write.
type writeError string

func (e writeError) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (writeError) Decided() {}

// ErrRevoked means that the batch's credential has been revoked.
const ErrRevoked writeError = "the host's credential has been revoked"

// errMachineGone means that a machine's row is not what was remembered of it: the
// database was restored or replaced, or the machine belongs to another host now.
var errMachineGone = errors.New("a machine is no longer what it was in the database")

// row is an event on its way into the database.
type row struct {
	machine int32
	// micros is its timestamp in Unix microseconds.
	micros int64
	event  *api.Event
	refs   codec.Refs
	body   []byte
	// batch is whose it is.
	batch int
	// stored means that it was new.
	stored bool
}

// writeBatches stores the events of some batches in one transaction, each event
// at most once by (machine_id, timestamp), adds the new ones to the roll-ups, and
// keeps the machines up to date. When it returns without an error all of it is
// durable. The result has an entry for each batch.
//
// It cannot deadlock with another server that writes the same machines: what
// events refer to is made before, each kind in one order, and in the transaction
// all machines are locked by ascending row before anything else.
func (w *Writer) writeBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	done, err := w.tryBatches(ctx, batches)
	if errors.Is(err, errMachineGone) || errors.Is(err, db.ErrReplaced) {
		w.forget()
		done, err = w.tryBatches(ctx, batches)
	}
	w.db.ResetIfLost(err)
	return done, err
}

// forget empties what is remembered of the database's rows.
func (w *Writer) forget() {
	w.dictionary.Forget()
	w.partitions.Forget()
}

func (w *Writer) tryBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	list := summarise(batches)
	since := w.db.Changes()
	var l dictionary.Pending
	owners, err := w.dictionary.Owners(ctx, list, &l)
	if err != nil {
		return nil, err
	}
	done := make([]Written, len(batches))
	rows := ownRows(batches, owners, done)
	if len(rows) == 0 {
		return done, nil
	}
	if err := w.refer(ctx, batches, rows, &l); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(n dictionary.Newest) bool { return owners[n.MachineID].Host != n.Host })
	for i := range list {
		list[i].Key = owners[list[i].MachineID].Key
	}
	slices.SortFunc(list, func(a, b dictionary.Newest) int { return cmp.Compare(a.Key, b.Key) })
	if err = db.Classify("storing events", w.insert(ctx, rows, list, credentialsOf(batches), since)); err != nil {
		return nil, err
	}
	w.db.RememberSince(since, l.Remember)
	for i := range rows {
		if rows[i].stored {
			done[rows[i].batch].Accepted++
		}
	}
	for i := range done {
		done[i].Duplicates = len(batches[i].Events) - done[i].Accepted - len(done[i].Foreign) - len(done[i].Excess)
	}
	return done, nil
}

// ownRows returns one row for each identity, by machine and time, of the events
// whose machines belong to those who sent them; the others are noted in done.
func ownRows(batches []Batch, owners map[string]dictionary.Owner, done []Written) []row {
	total := 0
	for i := range batches {
		total += len(batches[i].Events)
	}
	rows := make([]row, 0, total)
	for b := range batches {
		for i := range batches[b].Events {
			e := &batches[b].Events[i]
			o, known := owners[e.MachineID]
			if !known {
				done[b].Excess = append(done[b].Excess, i)
				continue
			}
			if o.Host != batches[b].Host {
				done[b].Foreign = append(done[b].Foreign, i)
				continue
			}
			rows = append(rows, row{machine: o.Key, micros: e.Timestamp.UnixMicro(), event: e, batch: b})
		}
	}
	// Stable, and the first of equals stays: who came first counts.
	slices.SortStableFunc(rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.machine, y.machine), cmp.Compare(x.micros, y.micros))
	})
	return slices.CompactFunc(rows, func(x, y row) bool { return x.machine == y.machine && x.micros == y.micros })
}

// refer makes what the rows refer to and where they belong, and packs them.
func (w *Writer) refer(ctx context.Context, batches []Batch, rows []row, l *dictionary.Pending) error {
	apps, titles := map[string]uint64{"": 0}, map[dictionary.TitleUse]uint64{}
	days, months := map[time.Time]struct{}{}, map[int32]struct{}{}
	forgotten := w.partitions.KeptSince(partition.Titles()).UnixMicro()
	use := func(at *row, month int32, app, title string) {
		apps[app] = 0
		if title != "" && at.micros >= forgotten {
			titles[dictionary.TitleUse{Month: month, Name: title}] = 0
		}
	}
	for i := range rows {
		r := &rows[i]
		month := dictionary.MonthOf(r.event.Timestamp)
		months[month] = struct{}{}
		days[partition.DayOf(r.event.Timestamp)] = struct{}{}
		use(r, month, r.event.ActiveApp, r.event.ActiveWindow)
		for j := range r.event.Focus {
			use(r, month, r.event.Focus[j].App, r.event.Focus[j].Title)
		}
	}
	if err := w.ensurePartitions(ctx, days, months); err != nil {
		return err
	}
	uses := func(missing map[string]struct{}) dictionary.AppUses { return newApps(batches, rows, missing) }
	if err := w.dictionary.AppIDs(ctx, apps, uses, l); err != nil {
		return err
	}
	if err := w.dictionary.TitleIDs(ctx, titles, l); err != nil {
		return err
	}
	packRows(rows, apps, titles)
	return nil
}

func packRows(rows []row, apps map[string]uint64, titles map[dictionary.TitleUse]uint64) {
	// One block of memory for the usual sizes.
	const usual = 64
	block := make([]byte, 0, usual*len(rows))
	for i := range rows {
		r := &rows[i]
		month := dictionary.MonthOf(r.event.Timestamp)
		r.refs.Active = codec.Ref{App: apps[r.event.ActiveApp], Title: titles[dictionary.TitleUse{Month: month, Name: r.event.ActiveWindow}]}
		if n := len(r.event.Focus); n > 0 {
			r.refs.Focus = make([]codec.Ref, n)
		}
		for j := range r.event.Focus {
			f := &r.event.Focus[j]
			r.refs.Focus[j] = codec.Ref{App: apps[f.App], Title: titles[dictionary.TitleUse{Month: month, Name: f.Title}]}
		}
		start := len(block)
		block = codec.AppendEvent(block, r.event, &r.refs)
		r.body = block[start:len(block):len(block)]
	}
}

func (w *Writer) ensurePartitions(ctx context.Context, days map[time.Time]struct{}, months map[int32]struct{}) error {
	for day := range days {
		if err := w.partitions.EnsureEvents(ctx, day); err != nil {
			return err
		}
	}
	for month := range months {
		if err := w.partitions.Ensure(ctx, partition.Rollups(), dictionary.MonthStart(month)); err != nil {
			return err
		}
	}
	return nil
}

// credentialsOf lists each credential once.
func credentialsOf(batches []Batch) []string {
	ids := []string{}
	for i := range batches {
		if id := batches[i].Credential; id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
