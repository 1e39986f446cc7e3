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
	// Erased are those whose person was erased after them; nothing of them was stored.
	Erased []int
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

// errTitlesRetired means that titles were retired since they were looked up.
var errTitlesRetired = errors.New("titles were retired since they were looked up")

// premises are what must still be so where rows are written.
type premises struct {
	// credentials exist.
	credentials []string
	// since is how often the database had become another one (db.Changes).
	since uint64
	// sweeps is how often titles had been retired.
	sweeps int64
}

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
	for again := 0; again < retries && w.outdated(err); again++ {
		done, err = w.tryBatches(ctx, batches)
	}
	w.db.ResetIfLost(err)
	return done, err
}

// retries is how often a write is tried again that relied on what is no longer so: a
// machine may be erased and titles retired in its way. New machines wait for whoever changes
// rules of names, who may wait for them.
const retries = 2

// outdated reports whether an error means that what was remembered is no longer so, and
// forgets it.
func (w *Writer) outdated(err error) bool {
	switch {
	case errors.Is(err, errMachineGone), errors.Is(err, db.ErrReplaced):
		w.forget()
	case errors.Is(err, errTitlesRetired): // it was forgotten
	case db.Deadlocked(err): // with who changes rules of names: nothing is outdated
	case w.db.NoticeSpread(err):
	default:
		return false
	}
	return true
}

// forget empties what is remembered of the database's rows.
func (w *Writer) forget() {
	w.dictionary.Forget()
	w.partitions.Forget()
}

func (w *Writer) tryBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	list := summarise(batches)
	known := premises{credentials: credentialsOf(batches), since: w.db.Changes()}
	var err error
	if known.sweeps, err = w.dictionary.TitleSweeps(ctx); err != nil {
		return nil, err
	}
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
	// An erased machine may have nothing but what is refused.
	list = slices.DeleteFunc(list, func(n dictionary.Newest) bool {
		o := owners[n.MachineID]
		return o.Host != n.Host || o.ErasedBefore > 0 && !hasRows(rows, o.Key)
	})
	for i := range list {
		list[i].Key = owners[list[i].MachineID].Key
	}
	slices.SortFunc(list, func(a, b dictionary.Newest) int { return cmp.Compare(a.Key, b.Key) })
	if err := w.dictionary.MarkSystem(ctx, list); err != nil {
		return nil, err
	}
	if err = db.Classify("storing events", w.insert(ctx, rows, list, known)); err != nil {
		if errors.Is(err, errTitlesRetired) {
			w.dictionary.ForgetTitles(known.sweeps)
		}
		return nil, err
	}
	w.db.RememberSince(known.since, l.Remember)
	for i := range rows {
		if rows[i].stored {
			done[rows[i].batch].Accepted++
		}
	}
	for i := range done {
		done[i].Duplicates = len(batches[i].Events) - done[i].Accepted - len(done[i].Foreign) - len(done[i].Excess) - len(done[i].Erased)
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
	order := make([]place, 0, total)
	for b := range batches {
		for i := range batches[b].Events {
			e := &batches[b].Events[i]
			o, known := owners[e.MachineID]
			if !known {
				done[b].Excess = append(done[b].Excess, i)
				continue
			}
			if e.Timestamp.UnixMicro() < o.ErasedBefore {
				done[b].Erased = append(done[b].Erased, i)
				continue
			}
			if o.Key == 0 {
				// It was erased between two statements: it comes again.
				done[b].Excess = append(done[b].Excess, i)
				continue
			}
			if o.Host != batches[b].Host {
				done[b].Foreign = append(done[b].Foreign, i)
				continue
			}
			order = append(order, place{o.Key, int32(b), int32(i), e.Timestamp.UnixMicro()})
		}
	}
	slices.SortFunc(order, place.compare)
	order = slices.CompactFunc(order, func(x, y place) bool { return x.machine == y.machine && x.micros == y.micros })
	rows := make([]row, len(order))
	for i, at := range order {
		rows[i] = row{machine: at.machine, micros: at.micros, event: &batches[at.batch].Events[at.index], batch: int(at.batch)}
	}
	return rows
}

// place is where the row of an event comes, and where the event is. It is shorter than
// a row, and so sorted faster.
type place struct {
	machine, batch, index int32
	micros                int64
}

// compare orders by machine and time; of equals who came first is first.
func (p place) compare(o place) int {
	switch {
	case p.machine != o.machine:
		return cmp.Compare(p.machine, o.machine)
	case p.micros != o.micros:
		return cmp.Compare(p.micros, o.micros)
	case p.batch != o.batch:
		return cmp.Compare(p.batch, o.batch)
	}
	return cmp.Compare(p.index, o.index)
}

// hasRows reports whether sorted rows have one of a machine.
func hasRows(rows []row, machine int32) bool {
	_, found := slices.BinarySearchFunc(rows, machine, func(r row, m int32) int { return cmp.Compare(r.machine, m) })
	return found
}

// refer makes what the rows refer to and where they belong, and packs them.
func (w *Writer) refer(ctx context.Context, batches []Batch, rows []row, l *dictionary.Pending) error {
	u := usesOf(rows, w.partitions.KeptSince(partition.Titles()).UnixMicro())
	if err := w.ensurePartitions(ctx, u.days, u.months); err != nil {
		return err
	}
	apps, titles := map[string]uint64{"": 0}, map[dictionary.TitleUse]uint64{}
	for _, p := range u.pairs {
		apps[p.app] = 0
		if p.title.Name != "" {
			titles[p.title] = 0
		}
	}
	uses := func(missing map[string]struct{}) dictionary.AppUses { return newApps(batches, rows, missing) }
	if err := w.dictionary.AppIDs(ctx, apps, uses, l); err != nil {
		return err
	}
	if err := w.dictionary.TitleIDs(ctx, titles, l); err != nil {
		return err
	}
	refs := make([]codec.Ref, len(u.pairs))
	for i, p := range u.pairs {
		refs[i] = codec.Ref{App: apps[p.app], Title: titles[p.title]}
	}
	packRows(rows, u.places, refs)
	return nil
}

// packRows packs rows: places have, for each row's active pair and focus list, the place
// of its reference.
func packRows(rows []row, places []int32, refs []codec.Ref) {
	// One block of memory for the usual sizes, and one for all references.
	const usual = 64
	block := make([]byte, 0, usual*len(rows))
	lists := make([]codec.Ref, len(places))
	for i, at := range places {
		lists[i] = refs[at]
	}
	for i := range rows {
		r := &rows[i]
		r.refs.Active, lists = lists[0], lists[1:]
		n := len(r.event.Focus)
		r.refs.Focus, lists = lists[:n:n], lists[n:]
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
