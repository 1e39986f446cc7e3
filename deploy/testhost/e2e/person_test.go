package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
)

// counts is an amount of work.
type counts struct{ Keys, Clicks, Scrolls, Distance, Repeats int64 }

// person is a user at work on a host. did adds up what the client was asked to
// send.
type person struct {
	*testhost.RDP
	host    *host
	name    string
	machine string
	server  string // what draws the session: testhost.SessionXorg or …Xvnc
	beside  string // the display of another session of theirs
	bare    bool   // the session has no window manager that names the window in front
	locks   bool   // the lock keys are on where p logs in from
	// password is what a script made; empty is what AddUser made.
	password string
	did      counts
	// open is of how many presses it is open whether they were keys.
	open int64
}

// login logs a user in, whom it makes first, and waits until the session is
// tracked.
func (h *host) login(t *testing.T, name string) *person {
	t.Helper()
	return h.loginTo(t, name, testhost.SessionXorg)
}

// loginTo is login to a session that the named server draws.
func (h *host) loginTo(t *testing.T, name, server string) *person {
	t.Helper()
	if _, err := h.AddUser(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	p := &person{host: h, name: name, server: server}
	p.loginAgain(t)
	return p
}

// loginAgain logs a user in who was logged in before.
func (p *person) loginAgain(t *testing.T) {
	t.Helper()
	began := time.Now()
	rdp, err := p.host.Login(t.Context(), p.name, testhost.LoginOptions{
		Password: p.password, Server: p.server, Beside: p.beside, Bare: p.bare, LockKeys: p.locks,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.RDP = rdp
	s := p.host.waitTracked(t, rdp.Session.ID, began)
	t.Logf("%s is logged in and tracked after %s", p.name, time.Since(began).Round(10*time.Millisecond))
	if s.User != p.name || s.Display != rdp.Session.Display {
		t.Errorf("trackctl says %+v of session %+v", s, rdp.Session)
	}
	if m := machineForm.FindStringSubmatch(s.MachineID); m == nil || m[1] != p.name {
		t.Errorf("machine_id of %s is %q", p.name, s.MachineID)
	}
	if p.machine != "" && p.machine != s.MachineID {
		t.Errorf("machine_id of %s was %q and is %q", p.name, p.machine, s.MachineID)
	}
	p.machine = s.MachineID
}

// work does an amount of work in the terminal, and adds it up. The way is
// there and back between two points of the terminal, so often as it takes.
func (p *person) work(ctx context.Context, keys, clicks, notches, ways int) error {
	// Neither a command nor the end of a line: the shell does nothing with it.
	n, err := p.Type(ctx, strings.Repeat("a", keys))
	p.did.Keys += int64(n)
	if err != nil {
		return err
	}
	for i := range ways {
		to := [][2]int{{600, 400}, {100, 150}}[i%2]
		n, err := p.MoveTo(ctx, to[0], to[1])
		p.did.Distance += int64(n)
		if err != nil {
			return err
		}
	}
	if err := p.Click(ctx, clicks, 1); err != nil {
		return err
	}
	p.did.Clicks += int64(clicks)
	n, err = p.Scroll(ctx, -notches)
	p.did.Scrolls += int64(n)
	return err
}

// mustWork is work that must not fail.
func (p *person) mustWork(t *testing.T, keys, clicks, notches, ways int) {
	t.Helper()
	if err := p.work(t.Context(), keys, clicks, notches, ways); err != nil {
		t.Fatalf("%s at work: %v", p.name, err)
	}
}

// settled waits until the server has the records of the intervals up to at,
// and returns all records.
func (p *person) settled(t *testing.T, at time.Time) []api.Event {
	t.Helper()
	last := at.Truncate(interval * time.Second)
	var events []api.Event
	eventually(t, 60*time.Second, "the record of "+p.name+"'s last interval arrives", func() error {
		var err error
		events, err = p.host.srv.Events(t.Context(), p.machine)
		if err == nil && (len(events) == 0 || events[len(events)-1].Timestamp.Before(last)) {
			err = fmt.Errorf("%d records so far, none of %s", len(events), last)
		}
		return err
	})
	return events
}

// wantTold waits until the server has everything that people did, and compares. A
// count that comes late belongs to a later record, so it waits a while for
// what is missing; what is too much stays too much.
func wantTold(t *testing.T, people ...*person) {
	t.Helper()
	now := time.Now()
	for _, p := range people {
		p.settled(t, now)
		eventually(t, 20*time.Second, "all of "+p.name+"'s work is told", func() error {
			told, err := p.told(t)
			if err == nil && (told.Keys < p.did.Keys || told.Clicks < p.did.Clicks || told.Scrolls < p.did.Scrolls) {
				err = fmt.Errorf("told are %+v, did %+v", told, p.did)
			}
			return err
		})
		p.compare(t)
	}
}

// told returns what the summaries have.
func (p *person) told(t *testing.T) (counts, error) {
	sum, err := p.host.srv.summaries(t.Context(), p.machine, p.host.began)
	return counts{sum.KeyCount, sum.MouseClicks, sum.ScrollCount, sum.MouseDistancePx, sum.RepeatCount}, err
}

// compare checks that the API has exactly what p did.
func (p *person) compare(t *testing.T) {
	t.Helper()
	// The records first: they only grow.
	events, err := p.host.srv.Events(t.Context(), p.machine)
	if err != nil {
		t.Fatal(err)
	}
	told, err := p.told(t)
	if err != nil {
		t.Fatal(err)
	}
	if added := add(events); added != told {
		t.Errorf("%s: the summary says %+v, the events add up to %+v", p.name, told, added)
	}
	if late := told.Keys - p.did.Keys; late > 0 && late <= p.open {
		t.Logf("%s: %d presses that were open are keys", p.name, late)
		p.did.Keys, p.open = p.did.Keys+late, p.open-late
	}
	exact, want := told, p.did
	exact.Distance, want.Distance = 0, 0
	if exact != want {
		t.Errorf("%s: the API tells of %+v, did %+v", p.name, told, p.did)
	}
	if off := told.Distance - p.did.Distance; off*100 > p.did.Distance || -off*100 > p.did.Distance {
		t.Errorf("%s: the API tells of %d px, moved %d px: more than 1 %% off", p.name, told.Distance, p.did.Distance)
	}
	for _, e := range events {
		if e.SyntheticCount != nil && *e.SyntheticCount != 0 {
			t.Errorf("%s: %d presses count as synthetic", p.name, *e.SyntheticCount)
		}
	}
	wantDistinct(t, events)
}

// records are all of p's.
func (p *person) records(t *testing.T) []api.Event {
	t.Helper()
	events, err := p.host.srv.Events(t.Context(), p.machine)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func add(events []api.Event) counts {
	var c counts
	for _, e := range events {
		c.Keys += e.KeyCount
		c.Clicks += e.MouseClicks
		c.Scrolls += e.ScrollCount
		c.Distance += e.MouseDistancePx
		if e.RepeatCount != nil {
			c.Repeats += *e.RepeatCount
		}
	}
	return c
}

// wantDistinct checks that no minute is there twice, and all begin on time.
func wantDistinct(t *testing.T, events []api.Event) {
	t.Helper()
	var last time.Time
	for _, e := range events {
		if !e.Timestamp.After(last) {
			t.Errorf("a record of %s follows one of %s", e.Timestamp, last)
		}
		last = e.Timestamp
		if last.Unix()%interval != 0 || last.Nanosecond() != 0 || e.IntervalSec == nil || *e.IntervalSec != interval {
			t.Errorf("a record begins at %s and lasts %v s", last, e.IntervalSec)
		}
	}
}
