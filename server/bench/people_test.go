package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"activity-tracker.example/server/internal/localpg"
)

const (
	// peopleCount are the people of each kind, with so many accounts.
	peopleCount    = 1000
	peopleAccounts = 3
	// peopleDays is how far back they report: a month.
	peopleDays = 31
	// clockDays is how far back those do who work round the clock, but for the first of them.
	clockDays = 9
	daysAWeek = 7
	// dayPeople are on a page of days, as many as may be.
	dayPeople = 50
	// zones are Etc/GMT-0 to -12: another zone is another span in the access log.
	zones = 13
)

// worker is a kind of people: each account's hours of a day in UTC, from and to.
type worker struct {
	name, told string
	hours      [peopleAccounts][2]int
	// weekends are worked too.
	weekends bool
	// days is how far back all report, asked how often a question is asked.
	days, asked int
}

// workers are those of working days, eight hours in which two accounts share one, and those
// of whom each account works day and night.
func workers() []worker {
	return []worker{
		{"working", "8 h a day", [peopleAccounts][2]int{{9, 12}, {11, 15}, {15, 17}}, false, peopleDays, 1000},
		{"clock", "round the clock", [peopleAccounts][2]int{{0, 24}, {0, 24}, {0, 24}}, true, clockDays, 100},
	}
}

// BenchmarkPeople prints how long answers about people take, where it is written who looks
// and where it was written within the same minute. Their events are not kept: answers are
// made of roll-ups.
func BenchmarkPeople(b *testing.B) {
	b.Setenv("TRACKERD_SERVER_COMPACT_AFTER_DAYS", "0")
	pg := startPostgres(b)
	out := bufio.NewWriter(os.Stdout)
	defer func() { _ = out.Flush() }()
	a := newPeople(b, pg, out)
	for b.Loop() {
		for _, w := range workers() {
			a.askPeople(b, w)
		}
	}
}

// newPeople makes a database of people as it is once its server has kept house.
func newPeople(b *testing.B, pg *localpg.Server, out *bufio.Writer) *answers {
	b.Helper()
	server, credentials := startServer(b, pg.URL())
	reporter := newLoad(b, server, pg, credentials[:1]).clients[0]
	a := &answers{
		connection: connect(b, pg.URL()), token: viewerToken(b, server, pg.URL()), client: &http.Client{},
		random: rand.New(rand.NewPCG(1, 2)), today: time.Now().UTC().Truncate(24 * time.Hour), out: out,
	}
	for _, w := range workers() {
		for account := range peopleAccounts {
			a.reportHours(b, reporter, w, account)
		}
	}
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), server.program)
	address := freeAddress(b)
	cmd.Args = append(cmd.Args, "serve", "--listen", address)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+pg.URL())
	asked := start(b, address, cmd)
	a.base, a.used = "http://"+asked.address, func() cpu { return cpuOf(b, asked.pid, pg) }
	a.awaitPacked(b)
	for _, w := range workers() {
		a.clonePerson(b, w)
	}
	a.run(b, "VACUUM ANALYZE")
	a.awaitWritten(b)
	return a
}

// account names one of a person's.
func (w worker) account(person, account int) string {
	return fmt.Sprintf("%s-%06d-%d", w.name, person, account)
}

// reportHours sends what the first of them did on one account.
func (a *answers) reportHours(b *testing.B, c *client, w worker, account int) {
	b.Helper()
	for day := range peopleDays {
		start := a.today.AddDate(0, 0, day-peopleDays)
		if !w.weekends && (start.Weekday() == time.Saturday || start.Weekday() == time.Sunday) {
			continue
		}
		c.body = append(c.body[:0], `{"events":[`...)
		for minute := w.hours[account][0] * 60; minute < w.hours[account][1]*60; minute++ {
			if minute > w.hours[account][0]*60 {
				c.body = append(c.body, ',')
			}
			c.body = appendEvent(c.body, w.account(1, account), account, 0, minute, start)
		}
		c.body = append(c.body, `]}`...)
		if err := c.post(); err != nil {
			b.Fatal(err)
		}
	}
}

// clonePerson copies the roll-ups of the first to more people, as they would have come, and
// their accounts; and puts all into a group.
func (a *answers) clonePerson(b *testing.B, w worker) {
	b.Helper()
	since, columns := a.today.AddDate(0, 0, -w.days), a.rollupColumns(b)
	const of = ` t JOIN machine o ON o.id = t.machine JOIN machine m ON m.machine_id LIKE $1 || '-%' AND m.id <> o.id
		AND right(m.machine_id, 2) = right(o.machine_id, 2) WHERE o.machine_id LIKE $1 || '-000001-%' AND `
	for _, sql := range []string{
		`INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT $1 || '-' || lpad(n::text, 6, '0') || right(m.machine_id, 2), m.host, m.first_seen, m.last_seen, m.last_ts, m.last_interval, m.last_idle
			FROM machine m, generate_series(2, ` + fmt.Sprint(peopleCount) + `) n WHERE m.machine_id LIKE $1 || '-000001-%' AND $2 < now() ORDER BY n, m.id`,
		`INSERT INTO rollup (machine, ` + columns + `) SELECT m.id, ` + ofTable(columns) +
			` FROM rollup` + of + `t.bucket >= $2 ORDER BY t.bucket, m.id`,
		`INSERT INTO rollup_day (machine, day, body, minutes) SELECT m.id, t.day, t.body, t.minutes FROM rollup_day` + of + `t.day >= $2 ORDER BY t.day, m.id`,
		`UPDATE account a SET person = f.person FROM machine m, machine n, account f WHERE a.machine = m.id AND m.machine_id LIKE $1 || '-%'
			AND n.machine_id = left(m.machine_id, -1) || '0' AND f.machine = n.id AND $2 < now()`,
		`WITH g AS (INSERT INTO machine_group (name) VALUES ($1) RETURNING id)
			INSERT INTO group_member (grp, machine, machine_id) SELECT g.id, m.id, m.machine_id FROM g, machine m
			WHERE m.machine_id LIKE $1 || '-%' AND $2 < now()`,
	} {
		if _, err := a.Exec(b.Context(), sql, w.name, since); err != nil {
			b.Fatalf("%v: %s", err, sql)
		}
	}
}

// askPeople asks all kinds of questions about people of one kind.
func (a *answers) askPeople(b *testing.B, w worker) {
	b.Helper()
	group := "&group=" + w.name
	ids := a.peopleOf(b, group)
	pages := len(ids) / dayPeople
	day := func(back int) string { return a.today.AddDate(0, 0, -back).Format(time.DateOnly) }
	zone := func(i int) string { return fmt.Sprintf("&tz=Etc/GMT-%d", i%zones) }
	a.askTwice(b, w, "segments of a day for 50 people", w.asked, func(i int) string {
		// The id after which a page begins is all that a cursor has.
		after := ""
		if page := i % pages; page > 0 {
			after = "&cursor=" + a.cursors[page]
		}
		return "/api/reports/day?date=" + day(2+i/pages%(w.days-2)) + group + zone(i/pages/(w.days-2)) + after
	})
	a.askTwice(b, w, "a week of hours for 1,000 people", w.asked/10, func(i int) string {
		last := 1 + i%max(1, w.days-daysAWeek-1)
		return "/api/reports/activity?per=person&limit=1000" + group + "&from=" + day(last+daysAWeek-1) + "&to=" + day(last) + zone(i/max(1, w.days-daysAWeek-1))
	})
	a.askTwice(b, w, "a month's rhythm of one person", w.asked, func(i int) string {
		id := ids[i%len(ids)]
		if w.days < peopleDays {
			id = ids[0]
		}
		return "/api/reports/rhythm?person=" + id + "&from=" + day(peopleDays-i%8) + "&to=" + day(1) + zone(i/8)
	})
	_ = a.out.Flush()
}

// peopleOf lists the people of a group by pages of days, and keeps the cursors.
func (a *answers) peopleOf(b *testing.B, group string) (ids []string) {
	b.Helper()
	var page struct {
		People []struct {
			Person string `json:"person"`
		} `json:"people"`
		Next string `json:"next_cursor"`
	}
	a.cursors = nil
	for first := true; first || page.Next != ""; first = false {
		a.cursors = append(a.cursors, page.Next)
		_, body := a.ask(b, "/api/reports/day?date="+a.today.AddDate(0, 0, -1).Format(time.DateOnly)+group+"&cursor="+page.Next)
		page.Next, page.People = "", nil
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
		for _, p := range page.People {
			ids = append(ids, p.Person)
		}
	}
	if len(ids) != peopleCount {
		b.Fatalf("%d people in %s", len(ids), group)
	}
	return ids
}

// askTwice asks questions, each twice in a row: before the first answer it is written who
// looks, before the second it has been, and nothing is written.
func (a *answers) askTwice(b *testing.B, w worker, what string, n int, path func(int) string) {
	b.Helper()
	var times [2]latencies
	var size int
	var begin cpu
	for i := range n + n/10 {
		if i == n/10 {
			begin = a.used()
		}
		for turn := range times {
			before := stolenSoFar(b)
			took, body := a.ask(b, path(i))
			if size = len(body); i >= n/10 {
				times[turn].add(took, stolenSoFar(b).taken > before.taken)
			}
		}
	}
	used := a.used().since(begin)
	times[0].sort()
	times[1].sort()
	fmt.Fprintf(a.out, "%s, %s: %v; without the access log %v; %d questions, the last answer %d kB; processor time of server and PostgreSQL %v + %v\n",
		what, w.told, &times[0], &times[1], n, size/1000, each(used.server, n*len(times)), each(used.postgres, n*len(times)))
}

// each is a part of a time, in tenths of a millisecond.
func each(all time.Duration, n int) time.Duration {
	return (all / time.Duration(n)).Round(100 * time.Microsecond)
}
