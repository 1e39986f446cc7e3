package events

import (
	"strconv"
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
	names := codec.NumberNames()
	columns := strings.Join(names[:], ", ")
	all := args.add(c.numbers) + "::bigint[]"
	var numbers, added strings.Builder
	for i, name := range names {
		numbers.WriteString("(" + all + ")[n.nth::int * " + strconv.Itoa(len(names)) + " - " + strconv.Itoa(len(names)-1-i) + "], ")
		added.WriteString(name + " = r." + name + " + excluded." + name + ", ")
	}
	// unnest takes no arrays of arrays of different lengths: each row has a part
	// of one array, which is empty where it ends where it begins.
	ends := args.add(c.ends) + "::int[]"
	part := "[(" + ends + ")[n.nth::int] + 1:(" + ends + ")[n.nth::int + 1]]"
	return `INSERT INTO ` + table + ` AS r (machine, bucket, ` + columns + `, first_at, last_at, minutes, apps, app_ms, app_active_ms)
	SELECT ` + args.nth(c.machines, "int") + `, ` + args.nth(c.buckets, "timestamptz") + `, ` + numbers.String() + `n.first_at, n.last_at, n.minutes,
		(` + args.add(c.apps) + `::int[])` + part + `, (` + args.add(c.focus) + `::bigint[])` + part + `, (` + args.add(c.active) + `::bigint[])` + part + `
	FROM ` + from + `unnest(` + args.add(c.first) + `::timestamptz[], ` + args.add(c.last) + `::timestamptz[], ` + args.add(c.minutes) + `::bytea[])
		WITH ORDINALITY AS n(first_at, last_at, minutes, nth)
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

// rollupArrays are sums as arrays, with an entry for each row where nothing else stands.
type rollupArrays struct {
	machines []int32
	buckets  []time.Time
	// numbers are those of all rows, one row after the other.
	numbers     []int64
	first, last []*time.Time
	minutes     [][]byte
	// apps and their times are those of all rows, one after the other; ends begins with
	// zero, and then has where each row's end.
	apps          []int32
	focus, active []int64
	ends          []int32
}

func arraysOf(b codec.Buckets) *rollupArrays {
	list := b.Keys()
	n := len(list)
	c := &rollupArrays{
		machines: make([]int32, n), buckets: make([]time.Time, n), numbers: make([]int64, 0, n*codec.SumNumbers),
		first: make([]*time.Time, n), last: make([]*time.Time, n), minutes: make([][]byte, n),
		apps: []int32{}, focus: []int64{}, active: []int64{}, ends: make([]int32, 1, n+1),
	}
	for i, k := range list {
		t := b[k]
		c.machines[i], c.buckets[i] = k.Machine, time.UnixMicro(k.Bucket)
		for _, v := range t.Numbers() {
			c.numbers = append(c.numbers, *v)
		}
		c.first[i], c.last[i] = codec.Instant(t.First), codec.Instant(t.Last)
		c.minutes[i] = append([]byte{}, minutes.Joined(t.Minutes)...)
		for _, of := range t.Apps {
			c.apps, c.focus, c.active = append(c.apps, int32(of.App)), append(c.focus, of.Focus), append(c.active, of.Active)
		}
		c.ends = append(c.ends, int32(len(c.apps)))
	}
	return c
}

// QueueSums queues the statement that adds these sums.
func QueueSums(batch *pgx.Batch, b codec.Buckets) {
	var args arguments
	batch.Queue(addRollups("rollup", "", &args, b), args...)
}
