package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/localpg"
)

const (
	clients = 16
	// machinesPerHost are the users of one host; a client is a host.
	machinesPerHost = 20
	// window is how long each figure is measured; with the start of two
	// servers all of them take under a minute.
	window = 4 * time.Second
	// warmUp fills caches and makes partitions before a figure.
	warmUp = 500 * time.Millisecond
	// titles are the different windows of one host.
	titles = 200
	// daysBack is where the events begin: inside of what is kept.
	daysBack = 60
)

// figure is what one load gave.
type figure struct {
	perSecond float64
	p50, p99  time.Duration
}

// BenchmarkVolume prints all figures of one run.
func BenchmarkVolume(b *testing.B) {
	pg, url := startPostgres(b)
	defer func() {
		if err := pg.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	}()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(b.Context())) }()
	ours, credentials, stop := startServer(b, url)
	defer stop()
	plain := startPlain(b, url, conn)
	defer plain.Close()

	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	fmt.Fprintf(out, "\n%d clients over HTTP%20s %20s\n", clients, "this server", "plain design")
	loads := map[string]*load{"ours": newLoad(ours, credentials), "plain": newLoad(plain.URL, credentials)}
	for range b.N {
		for _, size := range []int{5, 100, 1000} {
			mine, theirs := loads["ours"].run(b, size), loads["plain"].run(b, size)
			fmt.Fprintf(out, "%5d events a request %9.0f events/s %9.0f events/s   %4.1f times; p50 %v, p99 %v; plain p50 %v, p99 %v\n",
				size, mine.perSecond, theirs.perSecond, mine.perSecond/theirs.perSecond, mine.p50, mine.p99, theirs.p50, theirs.p99)
			b.ReportMetric(mine.perSecond, fmt.Sprintf("events/s@%d", size))
		}
		raw := rawCopy(b, conn)
		fmt.Fprintf(out, "raw COPY of the same rows into the same keyed table: %.0f events/s\n", raw)
		b.ReportMetric(raw, "copied/s")
		size, roll := bytesPerEvent(b, conn, "event"), bytesOf(b, conn, "rollup")/count(b, conn, "event")
		fmt.Fprintf(out, "bytes an event, indexes included: %.0f, and %.0f of roll-ups, titles %.0f; plain design %.0f\n\n",
			size, roll, bytesOf(b, conn, "title")/count(b, conn, "event"), bytesPerEvent(b, conn, "plain"))
		b.ReportMetric(size, "B/event")
	}
}

func startPostgres(b *testing.B) (*localpg.Server, string) {
	b.Helper()
	dir := b.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		b.Fatal(err)
	}
	pg, err := localpg.Start(b.Context(), localpg.Options{StateDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return pg, pg.URL()
}

// startServer builds and runs the server and enrols the clients' hosts.
func startServer(b *testing.B, url string) (base string, credentials []string, stop func()) {
	b.Helper()
	program := filepath.Join(b.TempDir(), "trackerd-server")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(b.Context(), name, args...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		cmd.Stderr = os.Stderr
		return cmd
	}
	if err := command("go", "build", "-o", program, "../cmd/trackerd-server").Run(); err != nil {
		b.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	token, err := command(program, "enrollment", "create", "--uses", fmt.Sprint(clients)).Output()
	if err != nil {
		b.Fatal(err)
	}
	serve := command(program, "serve", "--listen", addr)
	serve.Stderr = nil
	if err := serve.Start(); err != nil {
		b.Fatal(err)
	}
	stop = func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		_ = serve.Wait()
	}
	base = "http://" + addr
	for i := range clients {
		credentials = append(credentials, enroll(b, base, strings.TrimSpace(string(token)), fmt.Sprintf("host%d", i)))
	}
	return base, credentials, stop
}

// enroll asks until the server is ready.
func enroll(b *testing.B, base, token, host string) string {
	b.Helper()
	body := fmt.Sprintf(`{"enrollment_token":%q,"host_id":%q,"hostname":%q}`, token, host, host)
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	for {
		answer, err := post(ctx, &http.Client{}, base+"/api/enroll", "", []byte(body))
		if _, rest, ok := strings.Cut(string(answer), `"credential":"`); ok {
			credential, _, _ := strings.Cut(rest, `"`)
			return credential
		}
		select {
		case <-ctx.Done():
			b.Fatalf("enrolling: %v %s", err, answer)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, c *http.Client, url, bearer string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	return answer, err
}

// load is the clients, each of which goes on where it stopped.
type load struct {
	url     string
	clients []*client
}

type client struct {
	http       *http.Client
	credential string
	host       int
	// minute and machine are what is reported next.
	minute, machine int
	body            []byte
}

func newLoad(url string, credentials []string) *load {
	l := &load{url: url + "/api/events"}
	for i, c := range credentials {
		l.clients = append(l.clients, &client{http: &http.Client{Transport: &http.Transport{}}, credential: c, host: i})
	}
	return l
}

// run sends requests of that many events from all clients at once.
func (l *load) run(b *testing.B, size int) figure {
	b.Helper()
	l.during(b, size, warmUp)
	took := l.during(b, size, window)
	slices.Sort(took)
	n := len(took)
	if n == 0 {
		b.Fatal("nothing was answered")
	}
	return figure{
		perSecond: float64(n*size) / window.Seconds(),
		p50:       took[n/2].Round(100 * time.Microsecond), p99: took[n*99/100].Round(100 * time.Microsecond),
	}
}

func (l *load) during(b *testing.B, size int, span time.Duration) []time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), span)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var wait sync.WaitGroup
	for _, c := range l.clients {
		wait.Go(func() {
			var took []time.Duration
			for ctx.Err() == nil {
				c.next(size)
				start := time.Now()
				if _, err := post(ctx, c.http, l.url, c.credential, c.body); err == nil {
					took = append(took, time.Since(start))
				} else if !errors.Is(err, context.DeadlineExceeded) {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wait.Wait()
	return all
}

// next makes a body: five minutes of each machine in turn.
func (c *client) next(size int) {
	const run = 5
	begin := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -daysBack)
	c.body = append(c.body[:0], `{"events":[`...)
	for i := range size {
		if i > 0 {
			c.body = append(c.body, ',')
		}
		c.body = appendEvent(c.body, c.host, c.machine, c.minute+i%run, begin)
		if i%run == run-1 {
			if c.machine++; c.machine == machinesPerHost {
				c.machine, c.minute = 0, c.minute+run
			}
		}
	}
	c.body = append(c.body, `]}`...)
}

// appendEvent is a usual minute, as trackerd reports it; every third is idle.
func appendEvent(b []byte, host, machine, minute int, begin time.Time) []byte {
	b = fmt.Appendf(b, `{"machine_id":"vm-%06x-user%d","timestamp":"`, host*7919, machine)
	b = begin.Add(time.Duration(minute)*time.Minute).AppendFormat(b, time.RFC3339)
	app, title := (host+minute/7)%12, (machine*31+minute/3)%titles
	if minute%3 == 0 {
		return fmt.Appendf(b, `","key_count":0,"mouse_clicks":0,"mouse_distance_px":0,"scroll_count":0,"active_window":"Document %d of host %d - Writer",`+
			`"active_app":"app-%d","is_idle":true,"cpu_percent":%d.5,"ram_used_percent":41.25,"disk_used_percent":63.1,"interval_sec":60,`+
			`"active_seconds":0,"connected":true,"session_kind":"rdp","username":"user%d"}`, title, host, app, minute%90, machine)
	}
	first := 20000 + minute*37%30000
	return fmt.Appendf(b, `","key_count":%d,"mouse_clicks":%d,"mouse_distance_px":%d,"scroll_count":%d,"active_window":"Document %d of host %d - Writer",`+
		`"active_app":"app-%d","is_idle":false,"cpu_percent":%d.5,"ram_used_percent":41.25,"disk_used_percent":63.1,"interval_sec":60,`+
		`"active_seconds":%d.%03d,"connected":true,"session_kind":"rdp","focus":[{"app":"app-%d","title":"Document %d of host %d - Writer","seconds":%d.%03d},`+
		`{"app":"app-%d","title":"Inbox %d","seconds":%d.%03d}],"username":"user%d"}`,
		minute*17%240, minute*5%40, minute*131%9000, minute%25, title, host, app, minute%90, first/1000, first%1000,
		app, title, host, 30000/1000+first%20, first%1000, (app+5)%12, title%20, 9, minute*7%1000, machine)
}

// rawCopy copies what the server stored into one table of the same shape.
func rawCopy(b *testing.B, conn *pgx.Conn) float64 {
	b.Helper()
	rows, err := conn.Query(b.Context(), "SELECT ts, machine, body FROM event ORDER BY ts LIMIT 300000")
	if err != nil {
		b.Fatal(err)
	}
	type row struct {
		TS      time.Time
		Machine int32
		Body    []byte
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		b.Fatal(err)
	}
	run(b, conn, "DROP TABLE IF EXISTS event_copy; CREATE TABLE event_copy (LIKE event INCLUDING ALL); CHECKPOINT")
	start := time.Now()
	n, err := conn.CopyFrom(b.Context(), pgx.Identifier{"event_copy"}, []string{"ts", "machine", "body"},
		pgx.CopyFromSlice(len(list), func(i int) ([]any, error) { return []any{list[i].TS, list[i].Machine, list[i].Body}, nil }))
	if err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(start).Seconds()
}

func run(b *testing.B, conn *pgx.Conn, sql string) {
	b.Helper()
	if _, err := conn.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

func number(b *testing.B, conn *pgx.Conn, sql string) float64 {
	b.Helper()
	var n float64
	if err := conn.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func count(b *testing.B, conn *pgx.Conn, table string) float64 {
	b.Helper()
	return max(1, number(b, conn, "SELECT count(*)::float8 FROM "+table))
}

func bytesOf(b *testing.B, conn *pgx.Conn, table string) float64 {
	b.Helper()
	return number(b, conn, "SELECT sum(pg_total_relation_size(relid))::float8 FROM pg_partition_tree('"+table+"')")
}

func bytesPerEvent(b *testing.B, conn *pgx.Conn, table string) float64 {
	b.Helper()
	if table == "plain" {
		return number(b, conn, "SELECT pg_total_relation_size('plain')::float8") / count(b, conn, table)
	}
	return bytesOf(b, conn, table) / count(b, conn, table)
}
