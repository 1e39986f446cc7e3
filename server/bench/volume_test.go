package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// sizesEnv chooses the sizes of requests, as in "5,100".
const sizesEnv = "TRACKERD_SERVER_BENCH_SIZES"

// copyRows is how many rows raw COPY gets: a second or two.
const copyRows = 300_000

// BenchmarkVolume prints all figures of one run. Processor time for an event
// counts the server and PostgreSQL: client, server and PostgreSQL share the
// machine here, so that it is what another machine's figures follow from.
func BenchmarkVolume(b *testing.B) {
	pg := startPostgres(b)
	conn := connect(b, pg.URL())
	ours, credentials := startServer(b, pg.URL())
	makePlainTable(b, conn)
	makeCopiesTable(b, conn)
	mine := newLoad(b, ours, pg, credentials)
	rival := func(kind rivalKind) *load { return newLoad(b, startRival(b, kind, pg.URL()), pg, credentials) }
	theirs, bound, none := rival(rivalPlain), rival(rivalCopies), rival(rivalNothing)

	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	for range b.N {
		before := stolenSoFar(b)
		fmt.Fprintf(out, "\n%d clients over HTTP; processor time for an event: server + PostgreSQL (client)\n", clients)
		for _, size := range sizes(b) {
			a, p, c, n := mine.run(b, size), theirs.run(b, size), bound.run(b, size), none.run(b, size)
			line := func(name string, f figure) {
				fmt.Fprintf(out, "%5d a request, %-13s %8.0f events/s, p50 %7v, p99 %7v, %6.1f + %5.1f µs (%.1f)\n", size, name,
					f.perSecond, f.p50, f.p99, micros(f.server), micros(f.postgres), micros(f.client))
			}
			line("this server", a)
			line("plain design", p)
			line("COPY alone", c)
			line("no work at all", n)
			fmt.Fprintf(out, "%5d a request: %.1f times the plain design's events/s, at 1/%.1f of its processor time; COPY alone %.1f times, %.1f ours\n",
				size, a.perSecond/p.perSecond, micros(p.cost())/micros(a.cost()), c.perSecond/p.perSecond, c.perSecond/a.perSecond)
			b.ReportMetric(a.perSecond, fmt.Sprintf("events/s@%d", size))
			b.ReportMetric(micros(a.cost()), fmt.Sprintf("CPU-µs/event@%d", size))
			_ = out.Flush()
		}
		packed, columns := copyPacked(b, conn), copyColumns(b, conn)
		fmt.Fprintf(out, "raw COPY into a table keyed (machine, ts): %.0f events/s as columns of the contract, %.0f as this server packs them\n", columns, packed)
		fmt.Fprintf(out, "other guests of this hardware took %.1f %% of the processor time wanted meanwhile\n", stolenSoFar(b).percentSince(before))
		b.ReportMetric(columns, "copied/s")
		printBytes(b, conn, ours.program, pg.URL(), out)
	}
}

// printBytes prints what an event takes as it was written, compacted, and in the
// plain design, of all that was written before.
func printBytes(b *testing.B, conn *connection, program, url string, out io.Writer) {
	b.Helper()
	events := conn.count(b, "event")
	perEvent := func(table string) float64 { return conn.bytesOf(b, table) / events }
	fresh, names, sums := perEvent("event"), perEvent("title"), perEvent("rollup")+perEvent("rollup_day")
	cmd := exec.CommandContext(b.Context(), program, "compact", "--compact-after-days", "1")
	cmd.Env, cmd.Stderr = append(os.Environ(), "DATABASE_URL="+url), os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("compacting: %v", err)
	}
	took := time.Since(start)
	// Those of the last day are left on a fast machine.
	packed := events - conn.number(b, "SELECT count(*)::float8 FROM event")
	compacted := conn.bytesOf(b, "event_hour") / packed
	fmt.Fprintf(out, "bytes an event, indexes included: %.0f fresh, %.0f compacted, plain design %.0f; beside it titles %.0f, roll-ups %.0f\n",
		fresh, compacted, conn.bytesOf(b, "plain")/conn.count(b, "plain"), names, sums)
	fmt.Fprintf(out, "compacting: %.0f events/s, of which it rests the half\n\n", packed/took.Seconds())
	b.ReportMetric(fresh, "B/event")
	b.ReportMetric(compacted, "B/compacted-event")
}

func sizes(b *testing.B) []int {
	b.Helper()
	text := os.Getenv(sizesEnv)
	if text == "" {
		return []int{5, 100, 1000}
	}
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// connection is the benchmark's own to the database.
type connection struct {
	*pgx.Conn
}

func connect(b *testing.B, url string) *connection {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.WithoutCancel(b.Context())) })
	return &connection{conn}
}

func (c *connection) run(b *testing.B, sql string) {
	b.Helper()
	if _, err := c.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

func (c *connection) number(b *testing.B, sql string) float64 {
	b.Helper()
	var n float64
	if err := c.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func (c *connection) count(b *testing.B, table string) float64 {
	b.Helper()
	return max(1, c.number(b, "SELECT count(*)::float8 FROM "+table))
}

// bytesOf counts a table with its partitions and indexes.
func (c *connection) bytesOf(b *testing.B, table string) float64 {
	b.Helper()
	return c.number(b, "SELECT (pg_total_relation_size('"+table+"') + coalesce(sum(pg_total_relation_size(inhrelid)), 0))::float8 "+
		"FROM pg_inherits WHERE inhparent = '"+table+"'::regclass")
}

// copyPacked copies what the server stored into one table of the same shape.
func copyPacked(b *testing.B, conn *connection) float64 {
	b.Helper()
	rows := conn.rows(b, "SELECT machine, ts, body FROM event ORDER BY ts LIMIT $1")
	conn.run(b, "DROP TABLE IF EXISTS event_copy; CREATE TABLE event_copy (LIKE event INCLUDING ALL)")
	return conn.copy(b, "event_copy", []string{"machine", "ts", "body"}, rows)
}

// copyColumns copies what the plain design stored into one table of the contract's
// fields with no other index than its key.
func copyColumns(b *testing.B, conn *connection) float64 {
	b.Helper()
	const columns = `ts, key_count, mouse_clicks, mouse_distance_px, scroll_count, active_window, active_app, is_idle,
		cpu_percent, ram_used_percent, disk_used_percent`
	rows := conn.rows(b, "SELECT hashtext(machine_id), "+columns+" FROM plain ORDER BY ts LIMIT $1")
	conn.run(b, "DROP TABLE IF EXISTS columns_copy; CREATE TABLE columns_copy AS SELECT 0 AS machine, "+columns+
		" FROM plain LIMIT 0; ALTER TABLE columns_copy ADD PRIMARY KEY (machine, ts)")
	return conn.copy(b, "columns_copy", append([]string{"machine"}, strings.Fields(strings.ReplaceAll(columns, ",", " "))...), rows)
}

func (c *connection) rows(b *testing.B, sql string) [][]any {
	b.Helper()
	rows, err := c.Query(b.Context(), sql, copyRows)
	if err != nil {
		b.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		b.Fatal(err)
	}
	return list
}

func (c *connection) copy(b *testing.B, table string, columns []string, rows [][]any) float64 {
	b.Helper()
	c.run(b, "CHECKPOINT")
	start := time.Now()
	n, err := c.CopyFrom(b.Context(), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	if err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(start).Seconds()
}
