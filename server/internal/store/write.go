package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
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

// Written says what became of a batch.
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

func (writeError) decided() {}

// ErrRevoked says that the batch's credential has been revoked.
const ErrRevoked writeError = "the host's credential has been revoked"

// errMachineGone says that a machine's row is not what was remembered of it: the
// database was restored or replaced.
var errMachineGone = errors.New("a machine is no longer in the database")

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
	// stored says that it was new.
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
func (s *Store) writeBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	done, err := s.tryBatches(ctx, batches)
	if errors.Is(err, errMachineGone) || errors.Is(err, errReplaced) {
		s.forget()
		done, err = s.tryBatches(ctx, batches)
	}
	s.resetIfLost(err)
	return done, err
}

// forget empties what is remembered of the database's rows.
func (s *Store) forget() {
	s.forgetNumbers()
	s.forgetPartitions()
}

func (s *Store) tryBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	list := summarise(batches)
	since := s.changes()
	var l learnt
	owners, err := s.owners(ctx, list, &l)
	if err != nil {
		return nil, err
	}
	done := make([]Written, len(batches))
	rows := ownRows(batches, owners, done)
	if len(rows) == 0 {
		return done, nil
	}
	if err := s.refer(ctx, batches, rows, &l); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(n newest) bool { return owners[n.machineID].host != n.host })
	for i := range list {
		list[i].key = owners[list[i].machineID].key
	}
	slices.SortFunc(list, func(a, b newest) int { return cmp.Compare(a.key, b.key) })
	if err = classify("storing events", s.storeRows(ctx, rows, list, credentialsOf(batches), since)); err != nil {
		return nil, err
	}
	s.rememberSince(since, l.remember)
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

// ownRows gives one row for each identity, by machine and time, of the events
// whose machines belong to those who sent them; the others are noted in done.
func ownRows(batches []Batch, owners map[string]owner, done []Written) []row {
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
			if o.host != batches[b].Host {
				done[b].Foreign = append(done[b].Foreign, i)
				continue
			}
			rows = append(rows, row{machine: o.key, micros: e.Timestamp.UnixMicro(), event: e, batch: b})
		}
	}
	// Stable, and the first of equals stays: who came first counts.
	slices.SortStableFunc(rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.machine, y.machine), cmp.Compare(x.micros, y.micros))
	})
	return slices.CompactFunc(rows, func(x, y row) bool { return x.machine == y.machine && x.micros == y.micros })
}

// refer makes what the rows refer to and where they belong, and packs them.
func (s *Store) refer(ctx context.Context, batches []Batch, rows []row, l *learnt) error {
	apps, titles := map[string]uint64{"": 0}, map[titleUse]uint64{}
	days, months := map[time.Time]struct{}{}, map[int32]struct{}{}
	forgotten := s.titlesForgottenBefore()
	use := func(at *row, month int32, app, title string) {
		apps[app] = 0
		if title != "" && at.micros >= forgotten {
			titles[titleUse{month: month, name: title}] = 0
		}
	}
	for i := range rows {
		r := &rows[i]
		month := monthNumber(r.event.Timestamp)
		months[month] = struct{}{}
		days[dayOf(r.event.Timestamp)] = struct{}{}
		use(r, month, r.event.ActiveApp, r.event.ActiveWindow)
		for j := range r.event.Focus {
			use(r, month, r.event.Focus[j].App, r.event.Focus[j].Title)
		}
	}
	if err := s.ensurePartitions(ctx, days, months); err != nil {
		return err
	}
	uses := func(missing map[string]struct{}) appUses { return newApps(batches, rows, missing) }
	if err := s.appIDs(ctx, apps, uses, l); err != nil {
		return err
	}
	if err := s.titleIDs(ctx, titles, l); err != nil {
		return err
	}
	packRows(rows, apps, titles)
	return nil
}

func packRows(rows []row, apps map[string]uint64, titles map[titleUse]uint64) {
	// One block of memory for the usual sizes.
	const usual = 64
	block := make([]byte, 0, usual*len(rows))
	for i := range rows {
		r := &rows[i]
		month := monthNumber(r.event.Timestamp)
		r.refs.Active = codec.Ref{App: apps[r.event.ActiveApp], Title: titles[titleUse{month: month, name: r.event.ActiveWindow}]}
		if n := len(r.event.Focus); n > 0 {
			r.refs.Focus = make([]codec.Ref, n)
		}
		for j := range r.event.Focus {
			f := &r.event.Focus[j]
			r.refs.Focus[j] = codec.Ref{App: apps[f.App], Title: titles[titleUse{month: month, name: f.Title}]}
		}
		start := len(block)
		block = codec.AppendEvent(block, r.event, &r.refs)
		r.body = block[start:len(block):len(block)]
	}
}

// titlesForgottenBefore is before when, in Unix microseconds, titles are not kept.
func (s *Store) titlesForgottenBefore() int64 {
	keep := s.keepFor(titleTier())
	if keep == 0 {
		return 0
	}
	return s.now().Add(-keep).UnixMicro()
}

func (s *Store) ensurePartitions(ctx context.Context, days map[time.Time]struct{}, months map[int32]struct{}) error {
	recent := s.now().Add(-dailyFor)
	for day := range days {
		t := eventTier()
		if !nextWeek(weekOf(day)).After(recent) {
			t = oldEventTier()
		}
		if err := s.ensurePartition(ctx, t, day); err != nil {
			return err
		}
	}
	for month := range months {
		if err := s.ensurePartition(ctx, rollupTier(), monthStart(month)); err != nil {
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

// store writes rows of these machines, both sorted, in one transaction. All of it
// goes in two messages to PostgreSQL and back: BEGIN to the new events, and the
// sums of those to COMMIT. A connection that is given back within a transaction,
// as after an error, is closed by the pool, which rolls it back.
func (s *Store) store(ctx context.Context, rows []row, list []newest, credentials []string, since uint64) error {
	if err := s.opened("storing events"); err != nil {
		return err
	}
	conn, err := s.acquire(ctx, since)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = s.begin(ctx, conn.Conn(), rows, list, credentials)
	if errors.Is(err, errLate) {
		err = s.beginLate(ctx, conn.Conn(), rows, list, credentials)
	}
	if err != nil {
		return err
	}
	sum := codec.Buckets{}
	for i := range rows {
		if r := &rows[i]; r.stored {
			sum.Add(r.machine, r.micros, r.event, &r.refs)
		}
	}
	batch := &pgx.Batch{}
	if len(sum) > 0 {
		queueSums(batch, sum)
	}
	queueMachines(batch, list)
	batch.Queue("COMMIT")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("adding to roll-ups and machines: %w", err)
	}
	return nil
}

// queueBegin queues what begins a transaction: it locks the machines and looks at
// the credentials. It gives how many statements come before those.
func (s *Store) queueBegin(batch *pgx.Batch, list []newest, credentials []string) (beginnings int) {
	s.queueTransaction(batch)
	beginnings = batch.Len()
	batch.Queue(lockSQL, keysOf(list))
	batch.Queue("SELECT FROM host_credential WHERE id = ANY($1)", credentials)
	return beginnings
}

// readBegin reads the results of what queueBegin queued.
func (s *Store) readBegin(results pgx.BatchResults, beginnings int, list []newest, credentials []string) (locked, error) {
	var l locked
	for range beginnings {
		if _, err := results.Exec(); err != nil {
			return l, fmt.Errorf("beginning: %w", err)
		}
	}
	if err := l.scan(results.QueryRow()); err != nil {
		return l, err
	}
	good, err := results.Exec()
	if err != nil {
		return l, fmt.Errorf("looking at credentials: %w", err)
	}
	switch {
	case l.machines != len(list):
		return l, errMachineGone
	case int(good.RowsAffected()) != len(credentials):
		s.credentialGone()
		return l, ErrRevoked
	}
	return l, nil
}

// begin begins a transaction, locks the machines, looks at the credentials and
// inserts the rows. errLate says that the transaction must be begun anew.
func (s *Store) begin(ctx context.Context, conn *pgx.Conn, rows []row, list []newest, credentials []string) (err error) {
	batch := &pgx.Batch{}
	beginnings := s.queueBegin(batch, list, credentials)
	queueEvents(batch, rows)
	results := conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	l, err := s.readBegin(results, beginnings, list, credentials)
	if err != nil {
		return err
	}
	if l.mayHoldLate(rows) {
		return errLate
	}
	inserted, err := results.Query()
	if err != nil {
		return fmt.Errorf("inserting events: %w", err)
	}
	return noteStored(inserted, rows)
}

func keysOf(list []newest) []int32 {
	keys := make([]int32, len(list))
	for i := range list {
		keys[i] = list[i].key
	}
	return keys
}

// lockMachines locks machines by their rows, as everybody does who changes what
// is kept of them.
func lockMachines(ctx context.Context, tx pgx.Tx, keys []int32) error {
	var l locked
	err := l.scan(tx.QueryRow(ctx, lockSQL, keys))
	if err == nil && l.machines != len(keys) {
		return errMachineGone
	}
	return err
}

// queueEvents queues the statement that stores rows of locked machines and gives
// back those that were new.
func queueEvents(batch *pgx.Batch, rows []row) {
	machines, times, bodies := eventColumns(rows)
	batch.Queue(`
		INSERT INTO event (machine, ts, body) SELECT * FROM unnest($1::int[], $2::timestamptz[], $3::bytea[])
		ON CONFLICT (machine, ts) DO NOTHING RETURNING machine, ts`, machines, times, bodies)
}

// eventColumns are rows as arrays for unnest.
func eventColumns(rows []row) ([]int32, []time.Time, [][]byte) {
	machines, times, bodies := make([]int32, len(rows)), make([]time.Time, len(rows)), make([][]byte, len(rows))
	for i := range rows {
		rows[i].stored = false
		machines[i], times[i], bodies[i] = rows[i].machine, rows[i].event.Timestamp, rows[i].body
	}
	return machines, times, bodies
}

// noteStored notes which rows were new: they come back in the order of the rows.
func noteStored(result pgx.Rows, rows []row) error {
	at := 0
	var machine int32
	var ts time.Time
	_, err := pgx.ForEachRow(result, []any{&machine, &ts}, func() error {
		micros := ts.UnixMicro()
		for at < len(rows) && (rows[at].machine != machine || rows[at].micros != micros) {
			at++
		}
		if at == len(rows) {
			return errors.New("the database returned rows in another order")
		}
		rows[at].stored = true
		at++
		return nil
	})
	if err != nil {
		return fmt.Errorf("inserting events: %w", err)
	}
	return nil
}
