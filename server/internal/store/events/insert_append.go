package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
)

// The usual rows are all new: later than everything that their machines sent
// before, and of today. They are written by one message to PostgreSQL and back,
// straight into the partitions that they belong to; insertMerging writes all others.

// partsMax is how many partitions of one kind a statement names: midnight and a
// weekend's backlog. More would make the statement's plan, and the number of such
// statements that connections remember, grow without need.
const partsMax = 4

// undefinedTable and uniqueViolation are PostgreSQL's codes for a partition that
// was dropped meanwhile, and for an event that is there: its writer did not lock its machine,
// or the machine's row is older than its events.
const (
	undefinedTable  = "42P01"
	uniqueViolation = "23505"
)

// insert writes rows of these machines, both sorted, and notes which were
// stored. Where some machines have other events among or after these rows, only
// their rows are written the longer way, in a transaction of their own: each event
// is looked at alone.
func (w *Writer) insert(ctx context.Context, rows []row, list []dictionary.Newest, known premises) error {
	const tries = 2
	for range tries {
		if w.db.Spread() {
			// What looks and writes in one statement has rows on one node alone.
			break
		}
		n, ok := w.newRowsOf(rows)
		if !ok {
			break
		}
		occupied, err := w.insertAppending(ctx, n, list, known)
		if w.notDirect(err, n) {
			break
		}
		if err != nil {
			return err
		}
		if len(occupied) == 0 {
			for i := range rows {
				rows[i].stored = true
			}
			return nil
		}
		rest, restOf := setApart(rows, list, occupied)
		if err := w.insertMerging(ctx, rows[len(rows)-rest:], list[len(list)-restOf:], known); err != nil {
			return err
		}
		rows, list = rows[:len(rows)-rest], list[:len(list)-restOf]
		if len(rows) == 0 {
			return nil
		}
	}
	return w.insertMerging(ctx, rows, list, known)
}

// notDirect reports whether an error means that rows can't be written straight into
// these partitions, and remembers of which one there is none: it was dropped; or
// it never was, since rows of its time lie in the default one.
func (w *Writer) notDirect(err error, n *newRows) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != undefinedTable && pg.Code != uniqueViolation {
		return false
	}
	n.eachName(func(name string) {
		// In any language the message names the table.
		if pg.Code == undefinedTable && strings.Contains(pg.Message, name) {
			w.partitions.RefuseRows(name)
		}
	})
	return true
}

// setApart moves the rows and entries of these machines to the ends, and returns how
// many they are. Both parts stay sorted.
func setApart(rows []row, list []dictionary.Newest, machines []int32) (rest, restOf int) {
	apart := make(map[int32]int, len(machines))
	for _, m := range machines {
		apart[m] = 1
	}
	slices.SortStableFunc(rows, func(x, y row) int { return apart[x.machine] - apart[y.machine] })
	slices.SortStableFunc(list, func(x, y dictionary.Newest) int { return apart[x.Key] - apart[y.Key] })
	for i := range rows {
		rest += apart[rows[i].machine]
	}
	for i := range list {
		restOf += apart[list[i].Key]
	}
	return rest, restOf
}

// newRows are rows and what they add up to, by partition.
type newRows struct {
	events  []eventPart
	rollups []rollupPart
}

type eventPart struct {
	name string
	eventColumns
}

type rollupPart struct {
	name string
	sum  codec.Buckets
}

func (n *newRows) eachName(f func(string)) {
	for i := range n.events {
		f(n.events[i].name)
	}
	for i := range n.rollups {
		f(n.rollups[i].name)
	}
}

// newRowsOf sorts rows into partitions, if these are known to be there and few.
func (w *Writer) newRowsOf(rows []row) (*newRows, bool) {
	n := &newRows{}
	events, rollups := partition.Events(), partition.Rollups()
	// Rows of one day come together: each is first compared with the one before.
	var e *eventPart
	var r *rollupPart
	var eFrom, eTo, rFrom, rTo time.Time
	for i := range rows {
		ts := rows[i].event.Timestamp
		if e == nil || ts.Before(eFrom) || !ts.Before(eTo) {
			eFrom = events.Start(ts)
			eTo = events.Next(eFrom)
			if e = n.eventPart(events.PartitionName(eFrom)); e == nil {
				return nil, false
			}
		}
		if r == nil || ts.Before(rFrom) || !ts.Before(rTo) {
			rFrom = rollups.Start(ts)
			rTo = rollups.Next(rFrom)
			if r = n.rollupPart(rollups.PartitionName(rFrom)); r == nil {
				return nil, false
			}
		}
		e.add(&rows[i])
		r.sum.Add(rows[i].machine, rows[i].micros, rows[i].event, &rows[i].refs)
	}
	there := true
	n.eachName(func(name string) {
		there = there && w.partitions.TakesRows(name)
	})
	// In one order, so that the statements are few.
	slices.SortFunc(n.events, func(a, b eventPart) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(n.rollups, func(a, b rollupPart) int { return strings.Compare(a.name, b.name) })
	return n, there
}

// eventPart returns the part of that name; nil where there are too many.
func (n *newRows) eventPart(name string) *eventPart {
	for i := range n.events {
		if n.events[i].name == name {
			return &n.events[i]
		}
	}
	if len(n.events) == partsMax {
		return nil
	}
	n.events = append(n.events, eventPart{name: name})
	return &n.events[len(n.events)-1]
}

func (n *newRows) rollupPart(name string) *rollupPart {
	for i := range n.rollups {
		if n.rollups[i].name == name {
			return &n.rollups[i]
		}
	}
	if len(n.rollups) == partsMax {
		return nil
	}
	n.rollups = append(n.rollups, rollupPart{name: name, sum: codec.Buckets{}})
	return &n.rollups[len(n.rollups)-1]
}

// insertAppending writes rows whose machines have no event yet in the span that these
// rows fill, are not compacted that far, and still belong to whoever sent the rows. The
// machines are locked before, so that no two servers can find this of the same rows.
// Where some machines have events there, another host now, or no row, it writes nothing
// and returns them. All of it is one message.
func (w *Writer) insertAppending(ctx context.Context, n *newRows, list []dictionary.Newest, known premises) (occupied []int32, err error) {
	if err := w.db.Opened("storing events"); err != nil {
		return nil, err
	}
	var good, titles bool
	batch := &pgx.Batch{}
	w.db.QueueTransaction(batch)
	batch.Queue(lockSQL, keysOf(list))
	sql, args := n.statement(list, known)
	batch.Queue(sql, args...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&good, &titles, &occupied)
	})
	batch.Queue("COMMIT")
	conn, err := w.db.Acquire(ctx, known.since)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	switch err := conn.SendBatch(ctx, batch).Close(); {
	case err != nil:
		return nil, fmt.Errorf("inserting new events: %w", err)
	case !good:
		w.revoked()
		return nil, ErrRevoked
	case !titles:
		return nil, errTitlesRetired
	}
	return occupied, nil
}

// arguments are those of a statement that is put together.
type arguments []any

// add returns the argument's place.
func (a *arguments) add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

// nth adds an array, of which the statement uses the entry that its row n.nth is of. An
// array of numbers, times or the like without nulls is read faster so than by unnest,
// which copies each entry twice.
func (a *arguments) nth(list any, kind string) string {
	return "(" + a.add(list) + "::" + kind + "[])[n.nth::int]"
}

// statement is what looks whether all rows are new, and then writes them with
// their roll-ups and machines. Partitions' names are ours. The subqueries of
// "occupied" are scalar and so never become a join that reads a whole partition.
func (n *newRows) statement(list []dictionary.Newest, known premises) (text string, args arguments) {
	var sql strings.Builder
	c := dictionary.ColumnsOf(list)
	credentials, sweeps := args.add(known.credentials), args.add(known.sweeps)
	keys, hosts := args.add(c.Keys), args.nth(hostsOf(list), "bigint")
	first, last := args.nth(c.First, "timestamptz"), args.nth(c.Last, "timestamptz")
	sql.WriteString("WITH good AS MATERIALIZED (SELECT" +
		" (SELECT count(*) FROM host_credential WHERE id = ANY(" + credentials + ")) = cardinality(" + credentials + "::text[]) AS credentials," +
		" (SELECT sweeps FROM title_sweep) = " + sweeps + "::bigint AS titles," +
		" ARRAY(SELECT n.machine FROM unnest(" + keys + "::int[]) WITH ORDINALITY AS n(machine, nth) WHERE" +
		" (SELECT m.host = " + hosts + " AND (m.compacted_before > " + first + ") IS NOT TRUE FROM machine m WHERE m.id = n.machine) IS NOT TRUE")
	for i := range n.events {
		sql.WriteString(" OR (SELECT true FROM " + n.events[i].name + " e WHERE e.machine = n.machine AND e.ts BETWEEN " + first + " AND " + last + " ORDER BY e.machine, e.ts LIMIT 1)")
	}
	sql.WriteString(") AS occupied), go AS MATERIALIZED (SELECT FROM good WHERE credentials AND titles AND occupied = '{}')")
	for i := range n.events {
		e := &n.events[i]
		sql.WriteString(", event_" + strconv.Itoa(i) + " AS (INSERT INTO " + e.name + " (machine, ts, body) " + e.selected("go, ", &args) + ")")
	}
	for i := range n.rollups {
		sql.WriteString(", rollup_" + strconv.Itoa(i) + " AS (" + addRollups(n.rollups[i].name, "go, ", &args, n.rollups[i].sum) + ")")
	}
	sql.WriteString(", updated AS (" + updateMachines("go, ", &args, c) + ") SELECT credentials, titles, occupied FROM good")
	return sql.String(), args
}
