package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/dictionary"
)

// Where the database is spread nearly all rows are later than all that their machines sent,
// as on one node (insert_append.go). A worker takes such rows as a copy, a page full of them
// at once. With ON CONFLICT it writes them to a file, reads them again, has a lock for each
// and answers with each.

const (
	// copiedFrom is how many rows are copied beside some that must be compared: a statement more
	// costs as much as comparing these.
	copiedFrom = 4000
	// internalError is the code with which Citus reports whatever a worker refuses a copy for.
	internalError = "XX000"
)

// beginCopying is begin where the database is spread. It inserts those rows that are not later
// than all that their machines sent, and returns the others, which are yet to be copied: all,
// nearly always.
func (w *Writer) beginCopying(ctx context.Context, conn *pgx.Conn, rows []row, list []dictionary.Newest, known premises) (later []row, err error) {
	newest, err := w.beginNewest(ctx, conn, rows, list, known)
	if err != nil {
		return nil, err
	}
	isEarlier := func(r *row) bool { return r.micros <= newest[r.machine] }
	earlier := 0
	for i := range rows {
		if isEarlier(&rows[i]) {
			earlier++
		}
	}
	if earlier > 0 && len(rows)-earlier < copiedFrom {
		return nil, insertRows(ctx, conn, rows)
	}
	putFirst(rows, isEarlier)
	for i := range rows {
		rows[i].stored = i >= earlier
	}
	if earlier == 0 {
		return rows, nil
	}
	return rows[earlier:], insertRows(ctx, conn, rows[:earlier])
}

// beginNewest begins a transaction, locks the machines, looks at the credentials and returns
// each machine's newest event, in Unix microseconds. errCompacted is as begin returns it.
func (w *Writer) beginNewest(ctx context.Context, conn *pgx.Conn, rows []row, list []dictionary.Newest, known premises) (newest map[int32]int64, err error) {
	batch := &pgx.Batch{}
	beginnings := w.queueBegin(batch, list, known)
	batch.Queue("SELECT id, last_ts FROM machine WHERE id = ANY($1)", keysOf(list))
	results := conn.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	l, err := w.readBegin(results, beginnings, list, known)
	if err != nil {
		return nil, err
	}
	if l.mayHoldLate(rows) {
		return nil, errCompacted
	}
	return timesOf(results, "reading machines' newest events")
}

// timesOf reads a time of each machine, in Unix microseconds.
func timesOf(results pgx.BatchResults, what string) (map[int32]int64, error) {
	each, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	times := map[int32]int64{}
	var id int32
	var at time.Time
	if _, err = pgx.ForEachRow(each, []any{&id, &at}, func() error {
		times[id] = at.UnixMicro()
		return nil
	}); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return times, nil
}

// queueLater queues the statement that stores rows of locked machines that are known to be new.
func queueLater(batch *pgx.Batch, rows []row) {
	var args arguments
	batch.Queue(insertEvents(rows, &args), args...)
}
