package events

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/minutes"
)

// appsJoinedFrom is how many entries a roll-up's arrays of applications have before
// those of one application are joined: joining took a third of the time of adding
// to a roll-up, which happens some three times until its quarter of an hour is
// over. Until then an application may come more than once; readers add up.
const appsJoinedFrom = "24"

// addRollups adds sums to what a table, rollup or a partition of it, has. from are
// more tables of FROM, each with its comma: where they are empty nothing happens. A row
// that an older server wrote to lacks active times, and stays so until it is repaired.
func addRollups(table, from string, args *arguments, sum codec.Buckets) string {
	c := arraysOf(sum)
	apps, focus, active := args.add(c.apps), args.add(c.focus), args.add(c.active)
	names := codec.NumberNames()
	columns := strings.Join(names[:], ", ")
	var arrays, added strings.Builder
	for i, name := range names {
		arrays.WriteString(args.add(c.numbers[i]) + "::bigint[], ")
		added.WriteString(name + " = r." + name + " + excluded." + name + ", ")
	}
	// unnest takes no arrays of arrays of different lengths: each row has a part
	// of one array, which is empty where it begins after its end.
	return `INSERT INTO ` + table + ` AS r (machine, bucket, ` + columns + `, first_at, last_at, minutes, apps, app_ms, app_active_ms)
	SELECT n.machine, n.bucket, ` + "n." + strings.Join(names[:], ", n.") + `,
		n.first_at, n.last_at, n.minutes, (` + apps + `::int[])[n.begins:n.ends],
		(` + focus + `::bigint[])[n.begins:n.ends], (` + active + `::bigint[])[n.begins:n.ends]
	FROM ` + from + `unnest(` + args.add(c.machines) + `::int[], ` + args.add(c.buckets) + `::timestamptz[], ` + arrays.String() +
		args.add(c.first) + `::timestamptz[], ` + args.add(c.last) + `::timestamptz[], ` + args.add(c.minutes) + `::bytea[], ` + args.add(c.begins) + `::int[], ` + args.add(c.ends) + `::int[])
		AS n(machine, bucket, ` + columns + `, first_at, last_at, minutes, begins, ends)
	ON CONFLICT (machine, bucket) DO UPDATE SET ` + added.String() + `
		first_at = least(r.first_at, excluded.first_at),
		last_at = greatest(r.last_at, excluded.last_at),
		minutes = r.minutes || excluded.minutes,
		apps = CASE WHEN cardinality(r.apps) < ` + appsJoinedFrom + ` THEN r.apps || excluded.apps ELSE ARRAY(
			SELECT u.app FROM unnest(r.apps || excluded.apps) AS u(app) GROUP BY u.app ORDER BY u.app) END,
		app_ms = ` + joined("app_ms") + `,
		app_active_ms = CASE WHEN cardinality(r.app_active_ms) = cardinality(r.apps) THEN ` + joined("app_active_ms") + ` ELSE '{}' END`
}

// joined is an array of applications' times with what is added.
func joined(column string) string {
	both := "r." + column + " || excluded." + column
	return `CASE WHEN cardinality(r.apps) < ` + appsJoinedFrom + ` THEN ` + both + ` ELSE ARRAY(
			SELECT sum(u.ms)::bigint FROM unnest(r.apps || excluded.apps, ` + both + `) AS u(app, ms) GROUP BY u.app ORDER BY u.app) END`
}

// rollupArrays are sums as arrays for unnest.
type rollupArrays struct {
	machines    []int32
	buckets     []time.Time
	numbers     [codec.SumNumbers][]int64
	first, last []*time.Time
	minutes     [][]byte
	// apps and their times are those of all rows, one after the other; a row's begin
	// and end at these places, counted from 1.
	apps          []int32
	focus, active []int64
	begins, ends  []int32
}

func arraysOf(b codec.Buckets) *rollupArrays {
	list := b.Keys()
	n := len(list)
	c := &rollupArrays{
		machines: make([]int32, n), buckets: make([]time.Time, n), first: make([]*time.Time, n), last: make([]*time.Time, n),
		minutes: make([][]byte, n), apps: []int32{}, focus: []int64{}, active: []int64{}, begins: make([]int32, n), ends: make([]int32, n),
	}
	for i := range c.numbers {
		c.numbers[i] = make([]int64, n)
	}
	for i, k := range list {
		t := b[k]
		c.machines[i], c.buckets[i] = k.Machine, time.UnixMicro(k.Bucket)
		for j, v := range t.Numbers() {
			c.numbers[j][i] = *v
		}
		c.first[i], c.last[i] = codec.Instant(t.First), codec.Instant(t.Last)
		c.minutes[i] = append([]byte{}, minutes.Joined(t.Minutes)...)
		c.begins[i] = int32(len(c.apps)) + 1
		for _, of := range t.Apps {
			c.apps, c.focus, c.active = append(c.apps, int32(of.App)), append(c.focus, of.Focus), append(c.active, of.Active)
		}
		c.ends[i] = int32(len(c.apps))
	}
	return c
}

// QueueSums queues the statement that adds these sums.
func QueueSums(batch *pgx.Batch, b codec.Buckets) {
	var args arguments
	batch.Queue(addRollups("rollup", "", &args, b), args...)
}
