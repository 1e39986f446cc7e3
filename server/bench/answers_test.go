package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/localpg"
)

const (
	// eventsEnv is how many events the larger database has.
	eventsEnv = "TRACKERD_SERVER_BENCH_EVENTS"
	// eventsUsually takes two minutes to make; `make bench-answers` makes 50
	// million.
	eventsUsually = 5_000_000
	// reportDays is how far back machines report: five weeks of days and nights.
	reportDays = 35
	// smallMachines are those of the smaller database: a million events.
	smallMachines = 20
	// questions are asked of each kind, one after the other; enough for a p99.
	questions = 2000
	// listedMachines are in the list that is paged to its end.
	listedMachines = 100_000
	yearDays       = 365
	yearMachine    = "the-year"
	yearQuestions  = 100
	// packTimeout bounds waiting for the server's housekeeping: millions of
	// roll-ups take minutes.
	packTimeout = 20 * time.Minute
	minutesADay = 24 * 60
	// warmQuestions come before those that count: they fill caches.
	warmQuestions = 200
)

// answers is a server with its database, and a token to ask with.
type answers struct {
	*connection
	base, token string
	client      *http.Client
	random      *rand.Rand
	// today is midnight; days before it have events.
	today time.Time
	// reporting is how many machines have events on each of them.
	reporting int
	out       *bufio.Writer
	// cursors are those of the pages of people's days.
	cursors []string
	// used is the processor time of the server that is asked, and of PostgreSQL.
	used func() cpu
	// pid is that of the server, which program runs on the database of that url.
	pid          int
	program, url string
}

// BenchmarkAnswers prints how long the server takes to answer with a million
// events and with many: the same machines' days, beside 50 times as many others.
// Two servers, each with its database, are asked by turns, so that the machine's
// moods strike both.
func BenchmarkAnswers(b *testing.B) {
	// Raw events stay where queries are slowest.
	b.Setenv("TRACKERD_SERVER_COMPACT_AFTER_DAYS", "0")
	pg := startPostgres(b)
	connect(b, pg.URL()).run(b, "CREATE DATABASE small")
	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	machines := max(smallMachines+1, manyEvents(b)/(reportDays*minutesADay))
	program := buildServer(b)
	small := newAnswers(b, program, pg, pg.DatabaseURL("small"), smallMachines, out)
	large := newAnswers(b, program, pg, pg.URL(), machines, out)
	large.awaitWritten(b)
	for b.Loop() {
		before := stolenSoFar(b)
		compare(b, small, large)
		large.list(b)
		large.year(b)
		fmt.Fprintf(out, "other guests of this hardware took %.1f %% of the processor time wanted meanwhile\n", stolenSoFar(b).percentSince(before))
	}
}

// newAnswers makes a database in which that many machines have reported, as it is
// once its server has kept house.
func newAnswers(b *testing.B, program string, pg *localpg.Server, databaseURL string, machines int, out *bufio.Writer) *answers {
	b.Helper()
	server, credentials := startProgram(b, program, databaseURL)
	reporter := newLoad(b, server, pg, credentials[:1]).clients[0]
	a := &answers{
		connection: connect(b, databaseURL), token: viewerToken(b, server, databaseURL), reporting: machines,
		client: &http.Client{}, random: rand.New(rand.NewPCG(1, 2)), today: time.Now().UTC().Truncate(24 * time.Hour), out: out,
	}
	a.report(b, reporter, name(1), reportDays)
	a.report(b, reporter, yearMachine, yearDays)
	a.clone(b, 2, machines)
	// A server keeps house when it starts.
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), server.program)
	address := freeAddress(b)
	cmd.Args = append(cmd.Args, "serve", "--listen", address)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+databaseURL)
	asked := start(b, address, cmd)
	a.base, a.used = "http://"+asked.address, func() cpu { return cpuOf(b, asked.pid, pg) }
	a.pid, a.program, a.url = asked.pid, program, databaseURL
	a.awaitPacked(b)
	a.run(b, "VACUUM ANALYZE")
	return a
}

// awaitWritten waits until PostgreSQL has written what was made in minutes and
// looked through it: that would take from the processors what is measured.
func (a *answers) awaitWritten(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), packTimeout)
	defer cancel()
	a.run(b, "CHECKPOINT")
	for a.number(b, "SELECT count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'") > 0 {
		progress("PostgreSQL looks through its tables")
		select {
		case <-ctx.Done():
			b.Fatal("autovacuum does not come to an end")
		case <-time.After(time.Second):
		}
	}
}

// awaitPacked waits until the roll-ups of quiet days are packed.
func (a *answers) awaitPacked(b *testing.B) {
	b.Helper()
	const cold = 6 * time.Hour
	before := time.Now().UTC().Add(-cold).Format(time.DateOnly)
	ctx, cancel := context.WithTimeout(b.Context(), packTimeout)
	defer cancel()
	for {
		left := a.number(b, "SELECT count(*)::float8 FROM rollup WHERE bucket < '"+before+"'")
		if left == 0 {
			return
		}
		progress("packing: %.0f roll-ups left", left)
		select {
		case <-ctx.Done():
			b.Fatalf("%.0f roll-ups of quiet days are not packed", left)
		case <-time.After(time.Second):
		}
	}
}

func manyEvents(b *testing.B) int {
	b.Helper()
	text := os.Getenv(eventsEnv)
	if text == "" {
		return eventsUsually
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("%s: %v", eventsEnv, err)
	}
	return n
}

func viewerToken(b *testing.B, p process, url string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), p.program, "token", "create", "--name", "bench", "--role", "viewer")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
	cmd.Stderr = os.Stderr
	token, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

// report sends a machine's days through the server, as its host would.
func (a *answers) report(b *testing.B, c *client, machine string, days int) {
	b.Helper()
	const atOnce = 1000
	begin := a.today.AddDate(0, 0, -days)
	for minute := 0; minute < days*minutesADay; minute += atOnce {
		c.body = append(c.body[:0], `{"events":[`...)
		for i := minute; i < min(minute+atOnce, days*minutesADay); i++ {
			if i > minute {
				c.body = append(c.body, ',')
			}
			c.body = appendEvent(c.body, machine, 0, 0, i, begin)
		}
		c.body = append(c.body, `]}`...)
		if err := c.post(); err != nil {
			b.Fatal(err)
		}
	}
}

// clone copies the days of the first to more machines, in the order in which hosts
// would have reported them.
func (a *answers) clone(b *testing.B, first, last int) {
	b.Helper()
	a.machines(b, "machine-", first, last)
	const of = ` t, machine m WHERE t.machine = $1 AND m.machine_id BETWEEN $4 AND $5 AND `
	columns := a.rollupColumns(b)
	for day := range reportDays {
		start := a.today.AddDate(0, 0, day-reportDays)
		for _, sql := range []string{
			`INSERT INTO event (ts, machine, body) SELECT t.ts, m.id, t.body FROM event` + of +
				`t.ts >= $2 AND t.ts < $3 ORDER BY t.ts, m.id`,
			`INSERT INTO rollup (machine, ` + columns + `) SELECT m.id, ` + ofTable(columns) + ` FROM rollup` + of +
				`t.bucket >= $2 AND t.bucket < $3 ORDER BY t.bucket, m.id`,
		} {
			if _, err := a.Exec(b.Context(), sql, a.first(b), start, start.AddDate(0, 0, 1), name(first), name(last)); err != nil {
				b.Fatal(err)
			}
		}
		progress("making events of %d machines: day %d of %d", last-first+1, day+1, reportDays)
	}
}

// progress shows a person who waits how far it is; a file has no use for it.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r"+format+" ", args...)
	}
}

// rollupColumns are those of a roll-up but its machine: another version has others.
func (a *answers) rollupColumns(b *testing.B) string {
	b.Helper()
	var columns string
	if err := a.QueryRow(b.Context(), `SELECT string_agg(column_name, ', ' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_name = 'rollup' AND column_name <> 'machine'`).Scan(&columns); err != nil {
		b.Fatal(err)
	}
	return columns
}

// ofTable names columns of the table t.
func ofTable(columns string) string { return "t." + strings.ReplaceAll(columns, ", ", ", t.") }

func name(number int) string { return fmt.Sprintf("machine-%06d", number) }

// first is the key of the machine that reported for itself.
func (a *answers) first(b *testing.B) int {
	b.Helper()
	return int(a.number(b, "SELECT id::float8 FROM machine WHERE machine_id = '"+name(1)+"'"))
}

// machines makes more rows like the first machine's.
func (a *answers) machines(b *testing.B, prefix string, first, last int) {
	b.Helper()
	if _, err := a.Exec(b.Context(), `
		INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
		SELECT $1 || lpad(n::text, 6, '0'), m.host, m.first_seen, m.last_seen, m.last_ts, m.last_interval, m.last_idle
		FROM machine m, generate_series($2::int, $3::int) n WHERE m.id = $4`, prefix, first, last, a.first(b)); err != nil {
		b.Fatal(err)
	}
}

// question is one kind of question, about a machine at a time.
type question struct {
	name string
	path func(machine string, at time.Time) string
}

func kinds() []question {
	return []question{
		{"summary", func(machine string, at time.Time) string {
			return "/api/activity/" + machine + "/summary?date=" + at.Format(time.DateOnly)
		}},
		{"timeline", func(machine string, at time.Time) string {
			return "/api/activity/" + machine + "/timeline?tz=Europe/Moscow&date=" + at.Format(time.DateOnly)
		}},
		{"an hour's events", func(machine string, at time.Time) string {
			return "/api/activity/" + machine + "/events?start=" + at.Format(time.RFC3339) + "&end=" + at.Add(time.Hour).Format(time.RFC3339)
		}},
	}
}

// latencies are how long answers to one kind of question took, and of them those
// during which no other guest of this hardware got processor time that this machine
// wanted.
type latencies struct {
	all, undisturbed []time.Duration
}

func (l *latencies) add(took time.Duration, disturbed bool) {
	l.all = append(l.all, took)
	if !disturbed {
		l.undisturbed = append(l.undisturbed, took)
	}
}

func (l *latencies) sort() {
	slices.Sort(l.all)
	slices.Sort(l.undisturbed)
}

func (l *latencies) String() string {
	if len(l.undisturbed) == 0 {
		return fmt.Sprintf("p50 %v, p99 %v (none undisturbed)", p50(l.all), p99(l.all))
	}
	return fmt.Sprintf("p50 %v, p99 %v (%v undisturbed)", p50(l.all), p99(l.all), p99(l.undisturbed))
}

// compare asks both about random hours of random machines, and prints how long
// the answers took.
func compare(b *testing.B, small, large *answers) {
	b.Helper()
	both := [2]*answers{small, large}
	times := make([][2]latencies, len(kinds()))
	for i := range warmQuestions + questions {
		for j, k := range kinds() {
			for side, a := range both {
				at := a.today.Add(-time.Duration(1+a.random.IntN(reportDays*24)) * time.Hour)
				before := stolenSoFar(b)
				took, _ := a.ask(b, k.path(name(1+a.random.IntN(a.reporting)), at))
				if i >= warmQuestions {
					times[j][side].add(took, stolenSoFar(b).taken > before.taken)
				}
			}
		}
	}
	fewer, more := small.count(b, "event")/1e6, large.count(b, "event")/1e6
	for j, k := range kinds() {
		s, l := &times[j][0], &times[j][1]
		s.sort()
		l.sort()
		ratio := float64(p50(l.all)) / float64(p50(s.all))
		fmt.Fprintf(large.out, "%s: %v with %.1f million events; %v with %.1f million; %.2f and %.2f times\n",
			k.name, s, fewer, l, more, ratio, float64(p99(l.all))/float64(p99(s.all)))
		b.ReportMetric(ratio, strings.ReplaceAll(k.name, " ", "-")+"-ratio")
	}
	_ = large.out.Flush()
}

func p50(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)/2].Round(10 * time.Microsecond)
}

func p99(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)*99/100].Round(10 * time.Microsecond)
}

// list pages through all machines, from the first to the last.
func (a *answers) list(b *testing.B) {
	b.Helper()
	a.machines(b, "other-", 1, listedMachines)
	a.run(b, "VACUUM ANALYZE machine")
	var took []time.Duration
	var page struct {
		Machines []struct{} `json:"machines"`
		Next     string     `json:"next_cursor"`
	}
	listed := 0
	for first := true; first || page.Next != ""; first = false {
		t, body := a.ask(b, "/api/machines?limit=100&cursor="+url.QueryEscape(page.Next))
		page.Next, page.Machines = "", nil
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
		took, listed = append(took, t), listed+len(page.Machines)
	}
	tenth := len(took) / 10
	begin, end := slices.Clone(took[:tenth]), slices.Clone(took[len(took)-tenth:])
	slices.Sort(begin)
	slices.Sort(end)
	fmt.Fprintf(a.out, "list of %d machines by hundreds: p50 %v in its first tenth, %v in its last\n", listed, p50(begin), p50(end))
}

// year asks for the hours sheet of a machine that reported day and night.
func (a *answers) year(b *testing.B) {
	b.Helper()
	from := a.today.AddDate(0, 0, -yearDays).Format(time.DateOnly)
	for _, report := range []string{"activity?by=day", "activity?by=month", "apps?by=app"} {
		var took []time.Duration
		for range yearQuestions {
			t, _ := a.ask(b, "/api/reports/"+report+"&tz=Europe/Moscow&machine_id="+yearMachine+"&from="+from+"&to="+a.today.Format(time.DateOnly))
			took = append(took, t)
		}
		slices.Sort(took)
		fmt.Fprintf(a.out, "a year of one machine, %-17s p50 %v, p99 %v\n", report, p50(took), p99(took))
	}
}

// ask returns the time to the end of the answer.
func (a *answers) ask(b *testing.B, path string) (time.Duration, []byte) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, a.base+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	start := time.Now()
	res, err := a.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	took := time.Since(start)
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: %v, status %d: %s", path, err, res.StatusCode, body)
	}
	return took, body
}
