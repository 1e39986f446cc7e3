package e2e

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

const (
	// wayGroup is whom the manager sees.
	wayGroup = "Office"
	// manager is her login.
	manager, managerPassword = "olga", "a quiet way home 7"
	// wayConfig ends activity soon after the last key, so that minutes without any come.
	wayConfig = config + "idle_after_sec: 5\n"
)

// TestWholeWay goes the whole way. Two people log in over RDP and work; one locks with
// xss-lock and i3lock, which report to logind, the other's connection ends; both leave. A
// manager with a browser sees that while it happens, and afterwards exactly what they did.
// One of them opens their own page by `trackctl web`: it has the same figures, and that the
// manager looked.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	wholeWay(t, debian.Bookworm)
}

func wholeWay(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	srv.Stop(t)
	srv.Env = []string{"TRACKERD_SERVER_BASE_URL=http://" + srv.Addr} // links to one's own page lead there
	srv.Start(t)
	h := startHost(t, srv, debian.XRDP(suite).With("lockers", "xss-lock", "i3lock"))
	h.install(t, debPath)
	h.configure(t, wayConfig)
	h.enroll(t)
	defer h.showLogOnFailure(t)
	h.run(t, "sh", "-c", `echo '[ "$USER" != alice ] || xss-lock -- i3lock -n -c 335577 &' >>/etc/xdg/openbox/autostart`)
	people := loginAtOnce(t, h, "alice", "bob")
	w := &way{srv: srv, alice: people[0], bob: people[1], zone: noon(t), browser: newBrowser(t), began: time.Now()}
	stop := keepTyping(t, w.alice, w.bob)
	w.logIn(t)
	w.live(t, stop)
	w.leave(t)
	w.day(t)
	for _, p := range people {
		w.figures(t, p)
	}
	w.own(t)
}

// way is what the test is about.
type way struct {
	srv        *server
	alice, bob *person
	// zone is where it is noon, so that a day is whole.
	zone    *time.Location
	browser *browser
	began   time.Time
	olga    *visitor
	// seen is what the manager's page has of somebody.
	seen map[*person]pageOf
}

func (w *way) date() string { return w.began.In(w.zone).Format(time.DateOnly) }

// noon returns a zone where the clock shows 12 or soon after.
func noon(t *testing.T) *time.Location {
	t.Helper()
	// The signs are those of POSIX: Etc/GMT-3 is three hours before Greenwich's.
	west := time.Now().UTC().Hour() - 12
	if west == 0 {
		return time.UTC
	}
	zone, err := time.LoadLocation(fmt.Sprintf("Etc/GMT%+d", west))
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// logIn invites a manager of a group of both, and has her log in.
func (w *way) logIn(t *testing.T) {
	t.Helper()
	admin := w.srv.command(t, "token", "create", "--name", "way", "--role", "admin")
	for _, p := range []*person{w.alice, w.bob} {
		p.settled(t, w.began) // the server knows them by a record
	}
	w.put(t, admin, "/api/groups/"+wayGroup, nil)
	w.put(t, admin, "/api/groups/"+wayGroup+"/machines", api.GroupMembers{Machines: []string{w.alice.machine, w.bob.machine}})
	w.olga = w.browser.visitor(t, manager, "http://"+w.srv.Addr, w.zone.String())
	w.accept(t, w.srv.command(t, "user", "invite", "--role", "manager", "--group", wayGroup, manager))
}

// accept has the manager take an invitation, set a password, log out, and log in by it.
func (w *way) accept(t *testing.T, link string) {
	t.Helper()
	o := w.olga
	const password, again, login = `input[name="password"]`, `input[name="again"]`, `input[name="login"]`
	o.visit(t, link)
	o.await(t, "the invitation is in the form", `document.querySelector('input[name="invitation"]').value !== "" && location.hash === ""`)
	o.keep(t, "invitation")
	o.do(t, chromedp.SendKeys(password, managerPassword), chromedp.SendKeys(again, managerPassword+kb.Enter))
	o.await(t, "the invitation logs in", at("/"))
	o.do(t, chromedp.Click(`details.own summary`), chromedp.Click(`form[action$="logout"] button`))
	o.await(t, "the manager is logged out", at("/login"))
	o.keep(t, "login")
	o.do(t, chromedp.SendKeys(login, manager), chromedp.SendKeys(password, managerPassword+kb.Enter))
	o.await(t, "the manager is logged in", at("/"))
}

// put changes something by the API.
func (w *way) put(t *testing.T, token, path string, body any) {
	t.Helper()
	if code, r, err := w.srv.Request(t.Context(), http.MethodPut, path, token, body); err != nil || code >= http.StatusBadRequest {
		t.Fatalf("PUT %s: %d, %v: %s", path, code, err, r.Body)
	}
}

// at is true on a page that is whole.
func at(path string) string {
	return fmt.Sprintf(`location.pathname === %q && document.readyState === "complete"`, path)
}

// shows is true where Now has somebody in a state, and that many in it.
func (p *person) shows(state string, all int) string {
	return fmt.Sprintf(`document.querySelector('tr[data-key="%s"] .state')?.className === "state %s" &&
		document.querySelector('.counts li[data-state="%[2]s"] b').textContent === "%[3]d"`, p.machine, state, all)
}

// live has both work, lock and go while the manager looks at Now, which she does not load again.
func (w *way) live(t *testing.T, stopTyping func()) {
	t.Helper()
	o := w.olga
	o.await(t, "Now has both active", w.alice.shows("active", 2)+"&&"+w.bob.shows("active", 2))
	o.keep(t, "now-active")
	var ignored bool
	o.read(t, `window.same = true`, &ignored)
	stopTyping()
	w.alice.start(t, "xterm", "-class", "Ledger", "-xrm", "*allowTitleOps: false", "-T", "Budget", "-e", "sleep", "600")
	awaitWindow(t, w.alice, "Ledger", "Budget")
	w.alice.mustWork(t, 240, 0, 0, 0)
	w.bob.mustWork(t, 125, 2, 1, 2)

	if _, err := w.alice.RunInSession(t.Context(), "loginctl", "lock-session", w.alice.Session.ID); err != nil {
		t.Fatal(err)
	}
	took := o.await(t, "Now has the one locked", "window.same && "+w.alice.shows("locked", 1))
	o.keep(t, "now-locked")
	if file := pageFile(t, "way-alice-screen-locked.png"); file != "" {
		if err := w.alice.Screenshot(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.bob.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	tookOther := o.await(t, "Now has the other disconnected", "window.same && "+w.bob.shows("disconnected", 1)+"&&"+w.alice.shows("locked", 1))
	o.keep(t, "now-disconnected")
	t.Logf("Now has the lock after %s and the end of a connection after %s", took.Round(time.Millisecond), tookOther.Round(time.Millisecond))
}

// leave waits until both have had a whole minute so, which is what a day shows, and logs both
// out; then until the server has all of it.
func (w *way) leave(t *testing.T) {
	t.Helper()
	locked := func(e *api.Event) bool { return e.Locked != nil && *e.Locked }
	w.alice.awaitMinute(t, "locked", locked)
	w.bob.awaitMinute(t, "disconnected", func(e *api.Event) bool { return e.Connected != nil && !*e.Connected })
	wantTold(t, w.alice, w.bob)
	for _, p := range []*person{w.alice, w.bob} {
		if err := p.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, helperGone, "the helper of "+p.name+" is gone", func() error { return p.host.unitGone(t, p.Session.ID) })
	}
	last := time.Now().Truncate(interval * time.Second).Add(interval * time.Second)
	eventually(t, time.Minute, "the last record has ended and nothing waits", func() error {
		if n := w.alice.host.waiting(t); n > 0 || time.Now().Before(last) {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
}

// awaitMinute waits for a minute of the clock all of whose records are so, and without activity.
func (p *person) awaitMinute(t *testing.T, what string, is func(*api.Event) bool) {
	t.Helper()
	eventually(t, 3*time.Minute, p.name+" has a minute of "+what, func() error {
		minutes := map[time.Time]int{}
		for _, e := range p.records(t) {
			if is(&e) && e.ActiveSeconds != nil && *e.ActiveSeconds == 0 {
				minutes[e.Timestamp.Truncate(time.Minute)]++
			}
		}
		most := slices.Max(append(slices.Collect(maps.Values(minutes)), 0))
		if most < int(time.Minute/(interval*time.Second)) {
			return fmt.Errorf("at most %d records of a minute", most)
		}
		return nil
	})
}

// day checks the lanes of both.
func (w *way) day(t *testing.T) {
	t.Helper()
	w.olga.visit(t, "/day?date="+w.date())
	w.olga.keep(t, "day")
	var rows []struct {
		Name   string
		Cells  []string
		States []string
	}
	w.olga.read(t, `Array.from(document.querySelectorAll("table.lanes tbody tr"), (r) => ({
		Name: r.cells[0].textContent.trim(), Cells: Array.from(r.querySelectorAll("td.num"), (c) => c.textContent.trim()),
		States: Array.from(r.querySelectorAll("path[data-state]"), (p) => p.dataset.state)}))`, &rows)
	if len(rows) != 2 {
		t.Fatalf("the day has %+v", rows)
	}
	for i, p := range []*person{w.alice, w.bob} {
		r, away := rows[i], []string{"locked", "disconnected"}[i]
		first, last, active := p.activity(t)
		states := slices.DeleteFunc(r.States, func(s string) bool { return s == "no_input" })
		if !slices.Equal(states, []string{"active", away}) {
			t.Errorf("the lane of %s has %q, want active and %s", p.name, r.States, away)
		}
		clock := func(at time.Time) string { return at.In(w.zone).Format("15:04") }
		if r.Name != p.name || len(r.Cells) != 4 || r.Cells[0] != clock(first) || r.Cells[1] != clock(last) || !isLength(t, r.Cells[2], active) {
			t.Errorf("the day has %+v, want %s from %s to %s, active %.0f s", r, p.name, clock(first), clock(last), active)
		}
	}
}

// activity returns the first and the last time that p's records have activity, and for how
// many seconds.
func (p *person) activity(t *testing.T) (first, last time.Time, seconds float64) {
	t.Helper()
	for _, e := range p.records(t) {
		if e.ActiveSeconds == nil || *e.ActiveSeconds == 0 {
			continue
		}
		if first.IsZero() {
			first = e.Timestamp
		}
		last = e.Timestamp
		seconds += *e.ActiveSeconds
	}
	return first, last, seconds
}

// applications returns for how many seconds somebody was there in each application.
func (p *person) applications(t *testing.T) map[string]float64 {
	t.Helper()
	apps := map[string]float64{}
	for _, e := range p.records(t) {
		for _, f := range e.Focus {
			if f.ActiveSeconds != nil && *f.ActiveSeconds > 0 {
				apps[f.App] += *f.ActiveSeconds
			}
		}
	}
	return apps
}

// lengthForm is a length of time as pages have it.
var lengthForm = regexp.MustCompile(`^(?:(\d+) h )?(\d+) (min|s)$`)

// isLength reports whether a page's length is that of so many seconds.
func isLength(t *testing.T, text string, seconds float64) bool {
	t.Helper()
	m := lengthForm.FindStringSubmatch(text)
	if m == nil {
		t.Errorf("%q is no length", text)
		return false
	}
	hours, _ := strconv.Atoi("0" + m[1])
	n, _ := strconv.Atoi(m[2])
	if m[3] == "s" {
		return math.Abs(float64(n)-seconds) <= 1
	}
	return math.Abs(float64(60*(60*hours+n))-seconds) <= 30
}

// pageOf is what a page has of somebody: its tables by their headings, and what is drawn.
type pageOf struct {
	Tables map[string][][]string
	Drawn  [][2]string
}

// readPage is an expression for a pageOf. A day of the month has what it was in its label.
const readPage = `(() => {
	const tables = {};
	for (const table of document.querySelectorAll("main table")) {
		const heading = table.closest("details")?.querySelector("summary") ?? table.closest("section")?.querySelector("h2");
		tables[heading.firstChild.textContent.trim()] = Array.from(table.rows, (r) => Array.from(r.cells,
			(c) => c.querySelector("a[aria-label]")?.getAttribute("aria-label") ?? c.textContent.trim()));
	}
	return {Tables: tables, Drawn: Array.from(document.querySelectorAll(".drawn path[d]"), (p) => [p.getAttribute("class") ?? "", p.getAttribute("d")])};
})()`

// Headings of the tables that the test knows.
const (
	sumsTable  = "In sum"
	appsTable  = "Applications"
	hoursTable = "The day by hours, as a table"
	looksTable = "Who looked"
)

// figures opens somebody's page from the day, as one does by a click, and compares what it has
// with what they did.
func (w *way) figures(t *testing.T, p *person) {
	t.Helper()
	o := w.olga
	o.visit(t, "/day?date="+w.date())
	o.do(t, chromedp.Click(fmt.Sprintf(`//table[contains(@class, "lanes")]//a[text()="%s"]`, p.name), chromedp.BySearch))
	o.await(t, "the page of "+p.name, `location.pathname.startsWith("/people/") && document.readyState === "complete"`)
	o.keep(t, p.name)
	var page pageOf
	o.read(t, readPage, &page)
	sums := page.rows(sumsTable)
	for name, want := range map[string]int64{"keys": p.did.Keys, "clicks": p.did.Clicks, "scrolling": p.did.Scrolls} {
		if got := figure(sums[name]); got != want {
			t.Errorf("the page of %s has %d %s, did %d", p.name, got, name, want)
		}
	}
	if _, _, active := p.activity(t); !isLength(t, sums["active"], active) {
		t.Errorf("%s was active %.0f s, the page has %q", p.name, active, sums["active"])
	}
	if away := map[*person]string{w.alice: "locked", w.bob: "disconnected"}[p]; isLength(t, sums[away], 0) {
		t.Errorf("the page of %s has no time %s: %q", p.name, away, sums)
	}
	hours := page.Tables[hoursTable]
	for column, want := range map[string]int64{"keys": p.did.Keys, "clicks": p.did.Clicks, "scrolling": p.did.Scrolls} {
		var all int64
		at := slices.Index(hours[0], column)
		for _, row := range hours[1:] {
			all += figure(row[at])
		}
		if all != want {
			t.Errorf("the hours of %s have %d %s, did %d", p.name, all, column, want)
		}
	}
	apps, worked := page.rows(appsTable), p.applications(t)
	if len(apps) != len(worked) {
		t.Errorf("%s has applications %q, worked in %v", p.name, apps, worked)
	}
	for name, seconds := range worked {
		if !isLength(t, apps[name], seconds) {
			t.Errorf("%s worked in %s for %.0f s, the page has %q", p.name, name, seconds, apps)
		}
	}
	if w.seen == nil {
		w.seen = map[*person]pageOf{}
	}
	w.seen[p] = page
}

// rows returns a table of two columns by the first; the last cell counts.
func (p *pageOf) rows(table string) map[string]string {
	rows := map[string]string{}
	for _, r := range p.Tables[table] {
		rows[r[0]] = r[len(r)-1]
	}
	return rows
}

// figure reads a number of a page, with its marks for thousands.
func figure(text string) int64 {
	n, err := strconv.ParseInt(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// own has alice get a link to her page on the host, and open it.
func (w *way) own(t *testing.T) {
	t.Helper()
	var link struct{ URL string }
	w.alice.trackctl(t, &link, "web")
	w.open(t, link.URL)
}

// open opens one's own page by a link, and compares it with what the manager saw.
func (w *way) open(t *testing.T, link string) {
	t.Helper()
	a := w.browser.visitor(t, w.alice.name, "http://"+w.srv.Addr, w.zone.String())
	a.do(t, chromedp.Navigate(link))
	a.await(t, "the link opens", at("/self")+`&& document.querySelector('a[href="me"]') !== null`)
	a.keep(t, "self")
	w.wantSelf(t, a)
	a.do(t, chromedp.Click(`a[href="me"]`))
	a.await(t, "one's own page", at("/me"))
	a.keep(t, "me")
	var mine pageOf
	a.read(t, readPage, &mine)
	seen := w.seen[w.alice]
	if len(seen.Tables) < 6 || len(seen.Drawn) == 0 {
		t.Errorf("the manager sees %d tables and %d paths", len(seen.Tables), len(seen.Drawn))
	}
	for name, table := range seen.Tables {
		if !reflect.DeepEqual(table, mine.Tables[name]) {
			t.Errorf("of %q the manager sees %q, alice %q", name, table, mine.Tables[name])
		}
	}
	if !reflect.DeepEqual(seen.Drawn, mine.Drawn) {
		t.Errorf("the manager sees %q drawn, alice %q", seen.Drawn, mine.Drawn)
	}
	w.wantLooks(t, mine.Tables[looksTable])
	var whole string
	a.read(t, `document.documentElement.outerHTML`, &whole)
	if strings.Contains(whole, w.bob.name) {
		t.Error("the page of alice has something of bob")
	}
	a.content(t)
	w.olga.content(t)
}

// wantSelf checks that the page that a link opens has what the manager saw.
func (w *way) wantSelf(t *testing.T, a *visitor) {
	t.Helper()
	var has map[string]string
	a.read(t, `Object.fromEntries(Array.from(document.querySelectorAll('th[scope="row"]'), (th) => [th.textContent, th.nextElementSibling.textContent]))`, &has)
	seen := w.seen[w.alice]
	sums := seen.rows(sumsTable)
	want := map[string]string{"Active": sums["active"], "Keys pressed": sums["keys"], "Clicks": sums["clicks"], "Steps scrolled": sums["scrolling"]}
	maps.Copy(want, seen.rows(appsTable))
	for name, text := range want {
		if has[name] != text {
			t.Errorf("of %q the manager sees %q, the link opens %q", name, text, has[name])
		}
	}
}

// wantLooks checks that the manager's looks are listed, with when they were.
func (w *way) wantLooks(t *testing.T, table [][]string) {
	t.Helper()
	looks := map[string]string{}
	for _, r := range table {
		if len(r) == 3 && r[1] == manager+" (user)" {
			looks[r[2]] = r[0]
		}
	}
	for _, what := range []string{"what is now", "the day"} {
		at, err := time.ParseInLocation("2006-01-02 15:04", w.date()+" "+looks[what], w.zone)
		if err != nil || at.Before(w.began.Truncate(time.Minute)) || at.After(time.Now()) {
			t.Errorf("that %s looked at %s since %s is not listed: %q, %v", manager, what, w.began.In(w.zone), table, err)
		}
	}
}
