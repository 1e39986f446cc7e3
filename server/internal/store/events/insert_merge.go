package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/dictionary"
)

// insertMerging writes rows of these machines, both sorted, in one transaction. Where the
// database is spread, rows that are later than all that their machines sent are copied
// (insert_later.go); where such a copy is refused, all rows are compared with what there is.
// The rows' order may change.
func (w *Writer) insertMerging(ctx context.Context, rows []row, list []dictionary.Newest, known premises) error {
	copying := w.db.Spread()
	err := w.merge(ctx, rows, list, known, copying)
	var pg *pgconn.PgError
	if !copying || !errors.As(err, &pg) || pg.Code != uniqueViolation && pg.Code != internalError {
		return err
	}
	w.metrics.copiesRefused.Inc()
	slices.SortFunc(rows, func(x, y row) int { return x.comparePlace(place{machine: y.machine, micros: y.micros}) })
	if again := w.merge(ctx, rows, list, known, false); again != nil {
		return fmt.Errorf("%w (after %s)", again, pg.Message)
	}
	return nil
}

// merge writes rows in a message to PostgreSQL and back that begins a transaction and
// inserts what must be compared, and one that copies the rest, adds all to sums and commits. A
// connection that is given back within a transaction, as after an error, is closed by the
// pool, which rolls it back.
func (w *Writer) merge(ctx context.Context, rows []row, list []dictionary.Newest, known premises, copying bool) error {
	if err := w.db.Opened("storing events"); err != nil {
		return err
	}
	conn, err := w.db.Acquire(ctx, known.since)
	if err != nil {
		return err
	}
	defer conn.Release()
	var later []row
	if copying {
		later, err = w.beginCopying(ctx, conn.Conn(), rows, list, known)
	} else {
		err = w.begin(ctx, conn.Conn(), rows, list, known)
	}
	if errors.Is(err, errCompacted) {
		err = w.beginCompacted(ctx, conn.Conn(), rows, list, known)
	}
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	if len(later) > 0 {
		queueLater(batch, later)
	}
	sum := codec.Buckets{}
	for i := range rows {
		if r := &rows[i]; r.stored {
			sum.Add(r.machine, r.micros, r.event, &r.refs)
		}
	}
	if len(sum) > 0 {
		QueueSums(batch, sum)
	}
	queueMachines(batch, list)
	batch.Queue("COMMIT")
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("adding to roll-ups and machines: %w", err)
	}
	return nil
}

// queueBegin queues what begins a transaction: it locks the machines and looks at
// the credentials and titles. It returns how many statements come before those.
func (w *Writer) queueBegin(batch *pgx.Batch, list []dictionary.Newest, known premises) (beginnings int) {
	w.db.QueueTransaction(batch)
	beginnings = batch.Len()
	batch.Queue(lockSQL, keysOf(list))
	batch.Queue("SELECT (SELECT count(*) FROM host_credential WHERE id = ANY($1)), (SELECT sweeps FROM title_sweep)", known.credentials)
	return beginnings
}

// readBegin reads the results of what queueBegin queued.
func (w *Writer) readBegin(results pgx.BatchResults, beginnings int, list []dictionary.Newest, known premises) (locked, error) {
	var l locked
	for range beginnings {
		if _, err := results.Exec(); err != nil {
			return l, fmt.Errorf("beginning: %w", err)
		}
	}
	if err := l.scan(results.QueryRow()); err != nil {
		return l, err
	}
	var credentials int
	var sweeps int64
	if err := results.QueryRow().Scan(&credentials, &sweeps); err != nil {
		return l, fmt.Errorf("looking at credentials and titles: %w", err)
	}
	switch {
	case !slices.Equal(l.hosts, hostsOf(list)):
		return l, errMachineGone
	case credentials != len(known.credentials):
		w.revoked()
		return l, ErrRevoked
	case sweeps != known.sweeps:
		return l, errTitlesRetired
	}
	return l, nil
}

// begin begins a transaction, locks the machines, looks at the credentials and
// inserts the rows. errCompacted means that the transaction must be begun anew.
func (w *Writer) begin(ctx context.Context, conn *pgx.Conn, rows []row, list []dictionary.Newest, known premises) (err error) {
	batch := &pgx.Batch{}
	beginnings := w.queueBegin(batch, list, known)
	queueEvents(batch, rows)
	results := conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	l, err := w.readBegin(results, beginnings, list, known)
	if err != nil {
		return err
	}
	if l.mayHoldLate(rows) {
		return errCompacted
	}
	inserted, err := results.Query()
	if err != nil {
		return fmt.Errorf("inserting events: %w", err)
	}
	return noteStored(inserted, rows)
}

func keysOf(list []dictionary.Newest) []int32 {
	keys := make([]int32, len(list))
	for i := range list {
		keys[i] = list[i].Key
	}
	return keys
}

func hostsOf(list []dictionary.Newest) []int64 {
	hosts := make([]int64, len(list))
	for i := range list {
		hosts[i] = list[i].Host
	}
	return hosts
}

// queueEvents queues the statement that stores rows of locked machines and returns
// those that were new.
func queueEvents(batch *pgx.Batch, rows []row) {
	var args arguments
	for i := range rows {
		rows[i].stored = false
	}
	batch.Queue(insertEvents(rows, &args)+" ON CONFLICT (machine, ts) DO NOTHING RETURNING machine, ts", args...)
}

func insertEvents(rows []row, args *arguments) string {
	var c eventColumns
	for i := range rows {
		c.add(&rows[i])
	}
	return "INSERT INTO event (machine, ts, body) " + c.selected("", args)
}

// eventColumns are rows as arrays.
type eventColumns struct {
	machines []int32
	times    []time.Time
	bodies   [][]byte
}

func (c *eventColumns) add(r *row) {
	c.machines, c.times, c.bodies = append(c.machines, r.machine), append(c.times, r.event.Timestamp), append(c.bodies, r.body)
}

// selected makes rows of them again. from are more tables of FROM, each with its comma.
func (c *eventColumns) selected(from string, args *arguments) string {
	return "SELECT " + args.nth(c.machines, "int") + ", " + args.nth(c.times, "timestamptz") + ", n.body FROM " + from +
		"unnest(" + args.add(c.bodies) + "::bytea[]) WITH ORDINALITY AS n(body, nth)"
}

// noteStored notes which of the sorted rows were new. They come back in the rows' order,
// or shard by shard where the database is spread.
func noteStored(result pgx.Rows, rows []row) error {
	next := 0
	var machine int32
	var ts time.Time
	_, err := pgx.ForEachRow(result, []any{&machine, &ts}, func() error {
		at := place{machine: machine, micros: ts.UnixMicro()}
		if next == len(rows) || !rows[next].isAt(at) {
			var found bool
			if next, found = slices.BinarySearchFunc(rows, at, row.comparePlace); !found {
				return errors.New("the database returned a row that was not sent")
			}
		}
		rows[next].stored = true
		next++
		return nil
	})
	if err != nil {
		return fmt.Errorf("inserting events: %w", err)
	}
	return nil
}

func (r row) isAt(p place) bool { return r.machine == p.machine && r.micros == p.micros }

func (r row) comparePlace(p place) int {
	return cmp.Or(cmp.Compare(r.machine, p.machine), cmp.Compare(r.micros, p.micros))
}
