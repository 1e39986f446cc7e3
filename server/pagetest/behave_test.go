package pagetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/sample"
)

// enter logs somebody in by the form.
func (x *tab) enter(login string) {
	x.t.Helper()
	x.do(chromedp.SendKeys(`input[name="login"]`, login), chromedp.SendKeys(`input[name="password"]`, servertest.Password+kb.Enter))
}

// back presses the button of the browser.
func (x *tab) back() {
	x.t.Helper()
	x.do(chromedp.ActionFunc(func(ctx context.Context) error {
		at, entries, err := page.GetNavigationHistory().Do(ctx)
		if err != nil {
			return err
		}
		return page.NavigateToHistoryEntry(entries[at-1].ID).Do(ctx)
	}))
}

// awaitPath waits until the tab is at that path.
func (x *tab) awaitPath(path string) {
	x.t.Helper()
	servertest.Await(x.t, "the page "+path, func() bool { return x.at() == path })
}

// Who logs in comes to the page that they wanted; after they have logged out, going back shows
// nothing of it.
func TestBackAfterLogout(t *testing.T) {
	o := newOffice(t, sample.People(3, ""), 1)
	p := newTLSProxy(t, o.URL)
	b := newBrowser(t)
	for _, script := range []bool{true, false} {
		l := usual()
		l.script = script
		x := b.tab(t, p.URL, l, nil)
		x.visit("/day")
		if !strings.HasPrefix(x.at(), "/login?to=day") {
			t.Fatalf("without a login the page is at %s", x.at())
		}
		x.enter("olga")
		x.awaitPath("/day")
		name := o.people[0].Account
		x.await("the day", fmt.Sprintf(`document.readyState === "complete" && document.body.textContent.includes(%q)`, name))
		// By hand: what a script clicks leaves no page behind to go back to.
		x.do(chromedp.Evaluate(`document.querySelector(".own").open = true, document.querySelector('form[action$="logout"] button').focus()`, nil), chromedp.KeyEvent(kb.Enter))
		x.awaitPath("/login")
		const there = `document.querySelector('input[name="password"]') !== null && document.readyState === "complete"`
		x.await("the login", there)
		x.back()
		x.awaitPath("/login?to=day")
		x.await("the login again", there)
		var shows bool
		x.do(chromedp.Evaluate(fmt.Sprintf(`document.body.textContent.includes(%q)`, name), &shows))
		if shows {
			t.Errorf("script %t: after logging out, going back shows the day", script)
		}
		for _, wrong := range x.complaints() {
			t.Error(wrong)
		}
	}
}

// A proxy may have anything before the path.
func TestBehindProxy(t *testing.T) {
	const prefix = "/tools/tracker"
	o := newOffice(t, sample.People(3, ""), 1)
	p := newProxy(t, o.URL, prefix)
	x := newBrowser(t).tab(t, p.URL, usual(), nil)
	x.visit(prefix + "/people/" + o.person)
	x.enter("olga")
	x.awaitPath(prefix + "/people/" + o.person)
	for _, a := range o.addresses() {
		if a.status != 200 {
			continue
		}
		x.visit(prefix + a.path)
		var outside []string
		x.eval(fmt.Sprintf(`Array.from(document.querySelectorAll("[href], [src], form"), (e) => e.href || e.src || e.action)
			.map((u) => new URL(u.baseVal ?? u, document.baseURI)).filter((u) => u.origin !== location.origin || !u.pathname.startsWith(%q)).map(String)`, prefix+"/"), &outside)
		if x.status != 200 || len(outside) > 0 {
			t.Errorf("%s: status %d, and leads out to %q", a.path, x.status, outside)
		}
	}
	for _, wrong := range x.complaints() {
		t.Error(wrong)
	}
}

// state is what Now shows of somebody.
func state(account string) string {
	return fmt.Sprintf(`document.querySelector('tr[data-key="%s"] .state')?.className`, account)
}

// Now changes by itself, also after the connection was cut, and not while it is paused.
func TestNowChanges(t *testing.T) {
	o := newOffice(t, sample.People(4, ""), 0)
	p := newProxy(t, o.URL, "")
	x := newBrowser(t).tab(t, p.URL, usual(), o.admin)
	who := &o.people[1]
	minute := time.Now().UTC().Truncate(time.Minute)
	report := func(connected bool) {
		t.Helper()
		minute = minute.Add(time.Second)
		e := servertest.Minute(who.MachineID, 0)
		e.Timestamp, e.Username, e.Connected, e.ActiveSeconds = minute, who.Account, &connected, new(1.0)
		e.IntervalSec = new(int64(1))
		o.send(who, []api.Event{e})
	}
	is := func(what string) {
		t.Helper()
		x.await(who.Account+" "+what, state(who.MachineID)+fmt.Sprintf(` === "state %s"`, what))
	}
	report(true)
	x.visit("/")
	is("active")
	x.do(chromedp.Evaluate(`window.same = true`, nil))
	report(false)
	is("disconnected")
	p.sever()
	report(true)
	p.mend()
	is("active")
	x.do(chromedp.Click("#pause"))
	report(false)
	x.await("the other tab", `true`)
	other := x.beside()
	other.visit("/")
	other.await("the change", state(who.MachineID)+` === "state disconnected"`)
	is("active") // it was paused
	x.do(chromedp.Click("#pause"))
	is("disconnected")
	x.await("the same document", `window.same === true`)
}

// berlin is where clocks change.
const berlin = "Europe/Berlin"

// newClockOffice starts an office in which somebody worked for ten minutes from each of these on.
func newClockOffice(t *testing.T, starts ...string) *office {
	t.Helper()
	o := newOffice(t, sample.People(2, ""), 0)
	p := &o.people[0]
	for _, start := range starts {
		var list []api.Event
		for m := range 10 {
			e := servertest.Minute(p.MachineID, 0)
			e.Timestamp, e.Username, e.ActiveSeconds = servertest.At(start).Add(time.Duration(m)*time.Minute), p.Account, new(60.0)
			list = append(list, e)
		}
		o.send(p, list)
	}
	return o
}

// On days on which clocks change lanes, hours and the spans that arrow keys lead to are of one
// clock, which shows an hour twice or leaves it out; the table below has each hour that there was.
func TestDaysOfOtherLengths(t *testing.T) {
	o := newClockOffice(t, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-03-29T00:50:00Z", "2026-03-29T01:20:00Z")
	b := newBrowser(t)
	for _, c := range []struct {
		date, hours string
		tips        []string
		rows        int
		twice       int // rows of the hour that there was twice
	}{
		{"2026-10-25", "0 3 6 9 12 15 18 21", []string{"02:30–02:40", "02:30–02:40", "02:30–02:40"}, 25, 2},
		{"2026-03-29", "0 3 6 9 12 15 18 21", []string{"01:50–03:00", "03:20–03:30", "03:20–03:30"}, 23, 0},
	} {
		for _, path := range []string{"/day?", "/people/" + o.person + "?"} {
			x := b.tab(t, o.URL, usual(), o.admin)
			x.keep("activity-tracker-tz", berlin)
			x.visit(path + "date=" + c.date)
			var hours string
			x.eval(`Array.from(document.querySelectorAll("svg.axis text"), (e) => e.textContent).join(" ")`, &hours)
			if hours != c.hours {
				t.Errorf("%s%s: hours %q", path, c.date, hours)
			}
			x.do(chromedp.Evaluate(`Array.from(document.querySelectorAll("[data-start] svg.day")).find((s) => s.querySelector("path[data-state]")).focus()`, nil))
			for i, tip := range c.tips {
				if i > 0 {
					x.do(chromedp.KeyEvent(kb.ArrowRight))
				}
				x.await(fmt.Sprintf("%s%s, span %d: %s", path, c.date, i, tip), fmt.Sprintf(`document.querySelector(".tip").textContent.startsWith(%q)`, tip))
			}
			if path != "/day?" {
				var rows [2]int
				x.eval(`(() => { const all = Array.from(document.querySelectorAll("details.table tbody")[0].rows, (r) => r.cells[0].textContent); return [all.length, all.filter((h) => h === "02:00").length]; })()`, &rows)
				if rows != [2]int{c.rows, c.twice} {
					t.Errorf("%s%s: %d rows of hours, %d of 02:00", path, c.date, rows[0], rows[1])
				}
			}
			x.save("clocks-" + c.date)
			x.fits()
			x.accessible(c.date)
			for _, wrong := range x.complaints() {
				t.Error(wrong)
			}
		}
	}
}

// What opens is as accessible as what is there.
func TestMenus(t *testing.T) {
	o := newOffice(t, sample.People(2, ""), 0)
	b := newBrowser(t)
	for _, l := range []look{{"en", "light", 1440, true}, {"ru", "dark", 320, true}} {
		x := b.tab(t, o.URL, l, o.admin)
		x.visit("/day")
		var n int
		x.eval(`document.querySelectorAll("details.who").length`, &n)
		if n < 2 {
			t.Fatalf("%d menus", n)
		}
		for i := range n {
			x.eval(fmt.Sprintf(`document.querySelectorAll("details.who").forEach((d, i) => { d.open = i === %d; })`, i), nil)
			x.save(fmt.Sprintf("menu-%d", i))
			x.fits()
			x.accessibleWithin("menu", "details.who[open] > :not(summary)")
		}
	}
}

// A server that nobody has reported to shows what to do.
func TestSlowEmptyOffice(t *testing.T) {
	o := newOffice(t, nil, 0)
	b := newBrowser(t)
	for i, a := range o.addresses() {
		b.looksAt(t, o.URL, a, covering()[i%len(covering())])
	}
}

// Of two tabs that edit one list, the later one is refused, and keeps what was typed.
func TestTwoTabs(t *testing.T) {
	o := newOffice(t, sample.People(2, ""), 1)
	first := newBrowser(t).tab(t, o.URL, usual(), o.admin)
	second := first.beside()
	write := func(x *tab, category, then string) {
		t.Helper()
		const field, button = `document.querySelector('textarea[name="text"]')`, `document.querySelector('button[value="write"]')`
		text := fmt.Sprintf(`[{"name": %q, "colour": "#0b5cad", "rating": "neutral", "patterns": []}]`, category)
		x.do(chromedp.Evaluate(fmt.Sprintf(`window.before = true, %s.value = %q, %s.click()`, field, text, button), nil))
		x.await("the answer", `document.readyState === "complete" && window.before === undefined && `+then)
	}
	first.visit("/categories")
	second.visit("/categories")
	write(first, "Letters", `document.querySelector('[role="status"]') !== null`)
	write(second, "Typing", `document.querySelector('[role="alert"]') !== null && document.querySelector('textarea[name="text"]').value.includes("Typing")`)
	second.enterWorld()
	second.accessible("where it was changed meanwhile")
	var list api.CategoryList
	o.Do(http.MethodGet, "/api/categories", o.token, nil).Wants(http.StatusOK, &list)
	if len(list.Categories) != 1 || list.Categories[0].Name != "Letters" {
		t.Errorf("the first tab's list is gone: %+v", list)
	}
	for _, wrong := range second.complaints() {
		t.Error(wrong)
	}
}
