package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

// TestTwoUsers has two users log in at once and work, each another known
// amount. The API must have exactly that of each, and nothing of the other.
func TestTwoUsers(t *testing.T) { onSuites(t, twoUsers) }

func twoUsers(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	h := trackedHost(t, suite, srv)
	defer h.showLogOnFailure(t)
	people := loginAtOnce(t, h, "alice", "bob")
	alice, bob := people[0], people[1]

	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = alice.work(t.Context(), 700, 11, 23, 6) })
	wg.Go(func() { errs[1] = bob.work(t.Context(), 300, 5, 7, 3) })
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s at work: %v", people[i].name, err)
		}
	}
	wantTold(t, alice, bob)
	wantWindow(t, alice, "XTerm", "alice@office: ~")
	wantWindow(t, bob, "XTerm", "bob@office: ~")

	// Another application comes to the front.
	const app, title = "Ledger", "Budget 2026 – Grüße"
	alice.start(t, "xterm", "-class", app, "-xrm", "*allowTitleOps: false", "-T", title, "-e", "sleep", "300")
	awaitWindow(t, alice, app, title)
	alice.mustWork(t, 40, 0, 0, 0)
	wantTold(t, alice, bob)
	wantFocus(t, alice.records(t), app, title)
	wantApart(t, srv, alice, bob)
}

// loginAtOnce logs users in side by side.
func loginAtOnce(t *testing.T, h *host, names ...string) []*person {
	t.Helper()
	people := make([]*person, len(names))
	t.Run("login", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				people[i] = h.login(t, name)
			})
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return people
}

// wantWindow checks the window of the records in which keys were typed.
func wantWindow(t *testing.T, p *person, app, title string) {
	t.Helper()
	typed := 0
	for _, e := range p.records(t) {
		if e.KeyCount == 0 {
			continue
		}
		typed++
		if e.ActiveApp != app || e.ActiveWindow != title {
			t.Errorf("%s typed in %q, %q; want %q, %q", p.name, e.ActiveApp, e.ActiveWindow, app, title)
		}
		if e.Username != p.name || e.SessionKind != api.SessionRDP || e.IsIdle {
			t.Errorf("a record in which %s typed is %+v", p.name, e)
		}
		if e.Connected == nil || !*e.Connected {
			t.Errorf("a record in which %s typed does not have connected: %+v, among %d", p.name, e, len(p.records(t)))
		}
		if e.CPUPercent == nil || e.RAMUsedPercent == nil || e.DiskUsedPercent == nil {
			t.Errorf("a record of %s has no figures of the host: %+v", p.name, e)
		}
	}
	if typed == 0 {
		t.Errorf("no record of %s has keys", p.name)
	}
}

// awaitWindow waits until the newest record has the window.
func awaitWindow(t *testing.T, p *person, app, title string) {
	t.Helper()
	eventually(t, 30*time.Second, "a record with the new window arrives", func() error { return lastWindow(t, p, app, title) })
}

// lastWindow returns an error unless the newest record has the window.
func lastWindow(t *testing.T, p *person, app, title string) error {
	t.Helper()
	events, err := p.host.srv.Events(t.Context(), p.machine)
	if err != nil || len(events) == 0 {
		return fmt.Errorf("no events: %w", err)
	}
	last := events[len(events)-1]
	if last.ActiveApp != app || last.ActiveWindow != title {
		return fmt.Errorf("the last record has %q, %q; want %q, %q", last.ActiveApp, last.ActiveWindow, app, title)
	}
	return nil
}

// wantFocus checks that focus times are whole: no interval has more than its
// length, and the window has had some.
func wantFocus(t *testing.T, events []api.Event, app, title string) {
	t.Helper()
	var seconds float64
	for _, e := range events {
		for _, f := range e.Focus {
			if f.App == app && f.Title == title {
				seconds += f.Seconds
			}
		}
		if all := focusOf(e); all > interval+0.1 {
			t.Errorf("the record of %s has %.3f s of focus", e.Timestamp, all)
		}
	}
	if seconds < interval {
		t.Errorf("%s had the focus for %.3f s, want at least one whole record", app, seconds)
	}
}

// wantApart checks that each machine has its own user alone.
func wantApart(t *testing.T, srv *server, people ...*person) {
	t.Helper()
	var list api.MachineList
	if err := srv.Get(t.Context(), "/api/machines", &list); err != nil {
		t.Fatal(err)
	}
	var ids, want []string
	for _, m := range list.Machines {
		ids = append(ids, m.MachineID)
	}
	for _, p := range people {
		want = append(want, p.machine)
		events, err := srv.Events(t.Context(), p.machine)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			for _, other := range people {
				if other != p && strings.Contains(fmt.Sprintf("%+v", e), other.name) {
					t.Errorf("a record of %s has something of %s: %+v", p.name, other.name, e)
				}
			}
		}
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("the machines are %q, want %q", ids, want)
	}
}
