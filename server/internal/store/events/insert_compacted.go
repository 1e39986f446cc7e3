package events

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
	"activity-tracker.example/server/internal/store/dictionary"
)

// Events of compacted times have their place in event_hour. They are rare: a
// machine's events come in order, and compaction waits for days. So the usual
// write only looks, with the lock that it takes anyway, whether there could be
// some; if so it begins anew, and sorts them out here.

// hoursAtOnce is how many hours of late events are looked at together: some
// 100 KB of usual ones, 90 MB of the largest.
const hoursAtOnce = 100

// errCompacted means that some rows may be of compacted times.
var errCompacted = errors.New("some events may be of compacted times")

// beginCompacted begins anew a transaction that errCompacted ended: it locks the machines,
// puts the rows of compacted times where they belong, notes which of them were
// new, and inserts the others. The rows' order changes.
func (w *Writer) beginCompacted(ctx context.Context, conn *pgx.Conn, rows []row, list []dictionary.Newest, known premises) (err error) {
	// The one that errCompacted ended.
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("beginning anew: %w", err)
	}
	batch := &pgx.Batch{}
	beginnings := w.queueBegin(batch, list, known)
	batch.Queue("SELECT id, compacted_before FROM machine WHERE id = ANY($1)", keysOf(list))
	compacted, err := w.begun(ctx, conn, batch, beginnings, list, known)
	if err != nil {
		return err
	}
	late := putFirst(rows, func(r *row) bool { return r.micros < compacted[r.machine] })
	if err := w.db.Settle(ctx, conn); err != nil {
		return err
	}
	if err := mergeCompacted(ctx, conn, rows[:late]); err != nil || late == len(rows) {
		return err
	}
	return insertRows(ctx, conn, rows[late:])
}

// putFirst moves some rows before the others, and returns how many they are. Both stay sorted.
func putFirst(rows []row, first func(*row) bool) int {
	var before, others []row
	for i := range rows {
		if first(&rows[i]) {
			before = append(before, rows[i])
		}
	}
	if len(before) == 0 {
		return 0
	}
	for i := range rows {
		if !first(&rows[i]) {
			others = append(others, rows[i])
		}
	}
	copy(rows[copy(rows, before):], others)
	return len(before)
}

// begun sends what begins a transaction, and returns until when each machine is
// compacted, in Unix microseconds.
func (w *Writer) begun(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch, beginnings int, list []dictionary.Newest, known premises) (compacted map[int32]int64, err error) {
	results := conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	if _, err := w.readBegin(results, beginnings, list, known); err != nil {
		return nil, err
	}
	return timesOf(results, "looking until when machines are compacted")
}

func insertRows(ctx context.Context, conn *pgx.Conn, rows []row) (err error) {
	batch := &pgx.Batch{}
	queueEvents(batch, rows)
	results := conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	inserted, err := results.Query()
	if err != nil {
		return fmt.Errorf("inserting events: %w", err)
	}
	return noteStored(inserted, rows)
}

// hourRows is the late rows of one machine's hour, in order.
type hourRows struct {
	machine int32
	hour    time.Time
	rows    []row
}

// mergeCompacted puts rows of locked machines and compacted times, sorted, into
// event_hour, and notes which of them were new.
func mergeCompacted(ctx context.Context, conn *pgx.Conn, rows []row) error {
	var hours []hourRows
	for i := range rows {
		rows[i].stored = false
		hour := codec.HourOf(time.UnixMicro(rows[i].micros))
		if n := len(hours); n > 0 && hours[n-1].machine == rows[i].machine && hours[n-1].hour.Equal(hour) {
			h := &hours[n-1]
			h.rows = h.rows[:len(h.rows)+1]
			continue
		}
		// The rows of one hour lie beside each other.
		hours = append(hours, hourRows{machine: rows[i].machine, hour: hour, rows: rows[i : i+1]})
	}
	for some := range slices.Chunk(hours, hoursAtOnce) {
		if err := mergeHours(ctx, conn, some); err != nil {
			return fmt.Errorf("adding events to compacted hours: %w", err)
		}
	}
	return nil
}

func mergeHours(ctx context.Context, conn *pgx.Conn, hours []hourRows) error {
	reads, writes := &pgx.Batch{}, &pgx.Batch{}
	for i := range hours {
		h := &hours[i]
		reads.Queue("SELECT first_ts, body FROM event_hour WHERE machine = $1 AND first_ts >= $2 AND first_ts < $3 ORDER BY first_ts",
			h.machine, h.hour, h.hour.Add(codec.HourLength)).Query(func(result pgx.Rows) error {
			have, err := pgx.CollectRows(result, pgx.RowToStructByPos[codec.Packed])
			if err != nil {
				return err
			}
			return h.merge(have, writes)
		})
	}
	if err := conn.SendBatch(ctx, reads).Close(); err != nil {
		return err
	}
	if writes.Len() == 0 {
		return nil
	}
	return conn.SendBatch(ctx, writes).Close()
}

// merge queues what adds the hour's new rows to what it has, each to the row of
// event_hour that reaches over its time: the last that begins before, or the first.
func (h *hourRows) merge(have []codec.Packed, writes *pgx.Batch) error {
	if len(have) == 0 {
		return h.rewrite(nil, h.rows, writes)
	}
	rest := h.rows
	for i := range have {
		n := len(rest)
		if i+1 < len(have) {
			next := have[i+1].TS.UnixMicro()
			n, _ = slices.BinarySearchFunc(rest, next, func(r row, at int64) int { return cmp.Compare(r.micros, at) })
		}
		if n > 0 {
			if err := h.rewrite(&have[i], rest[:n], writes); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	return nil
}

// rewrite queues what puts rows into one row of event_hour, or into a new one, and
// notes which were new.
func (h *hourRows) rewrite(into *codec.Packed, rows []row, writes *pgx.Batch) error {
	var times []int64
	var events []api.Event
	var of []codec.Refs
	if into != nil {
		var err error
		if times, err = codec.HourTimes(into.TS, into.Body); err != nil {
			return fmt.Errorf("machine %d at %v: %w", h.machine, into.TS, err)
		}
	}
	added := 0
	for i := range rows {
		if _, found := slices.BinarySearch(times, rows[i].micros); !found {
			rows[i].stored = true
			added++
		}
	}
	if added == 0 {
		return nil
	}
	if into != nil {
		var err error
		if events, of, err = codec.DecodeHour(into.TS, into.Body); err != nil {
			return fmt.Errorf("machine %d at %v: %w", h.machine, into.TS, err)
		}
		writes.Queue("DELETE FROM event_hour WHERE machine = $1 AND first_ts = $2", h.machine, into.TS)
	}
	for i := range rows {
		if !rows[i].stored {
			continue
		}
		e, r, err := codec.DecodeEvent(time.UnixMicro(rows[i].micros), rows[i].body)
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearchFunc(events, e.Timestamp, func(e api.Event, t time.Time) int { return e.Timestamp.Compare(t) })
		events, of = slices.Insert(events, at, e), slices.Insert(of, at, r)
	}
	QueueHours(writes, h.machine, events, of)
	return nil
}

// QueueHours queues the statement that stores events, in order, as rows of
// event_hour that are not there yet, and returns how many bytes and rows they take.
func QueueHours(writes *pgx.Batch, machine int32, events []api.Event, of []codec.Refs) (rows, size int) {
	var firsts []time.Time
	var bodies [][]byte
	for len(events) > 0 {
		first := events[0].Timestamp
		end := codec.HourOf(first).Add(codec.HourLength)
		n := 1
		for n < len(events) && n < codec.HourEvents && events[n].Timestamp.Before(end) {
			n++
		}
		body := codec.EncodeHour(events[:n], of[:n])
		firsts, bodies = append(firsts, first), append(bodies, body)
		size += len(body)
		events, of = events[n:], of[n:]
	}
	writes.Queue(`INSERT INTO event_hour (machine, first_ts, body)
		SELECT $1, n.first_ts, n.body FROM unnest($2::timestamptz[], $3::bytea[]) AS n(first_ts, body)`, machine, firsts, bodies)
	return len(firsts), size
}
