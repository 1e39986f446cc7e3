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

// internalError is the code with which Citus reports whatever a worker refuses a copy for.
const internalError = "XX000"

// beginApart is begin where the database is spread. It inserts those rows alone that are not
// later than all that their machines sent, and returns the others, which are yet to be
// inserted: a node takes them as they come, without a lock for each and an answer.
func (w *Writer) beginApart(ctx context.Context, conn *pgx.Conn, rows []row, list []dictionary.Newest, known premises) (later []row, err error) {
	newest, err := w.beginNewest(ctx, conn, rows, list, known)
	if err != nil {
		return nil, err
	}
	earlier := putFirst(rows, func(r *row) bool { return r.micros <= newest[r.machine] })
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
	return timesOf(results, "looking how new machines' events are")
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
