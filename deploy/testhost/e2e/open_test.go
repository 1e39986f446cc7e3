package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// Idleness comes quickly, and with it time in which a window is only open.
const idleConfig = config + "idle_after_sec: 10\n"

// TestOpenIsNotUsed leaves a window in front, first with a client that sends nothing,
// then without a client. The application has the time of the person who was there, and
// the rest apart.
func TestOpenIsNotUsed(t *testing.T) {
	t.Parallel()
	h := trackedHost(t, debian.Trixie, newServer(t))
	defer h.showLogOnFailure(t)
	h.configure(t, idleConfig)
	p := h.login(t, "alice")
	p.mustWork(t, 50, 2, 2, 2)
	wantTold(t, p)

	var open float64
	left := func(least float64) {
		t.Helper()
		eventually(t, 2*time.Minute, fmt.Sprintf("the window is open for %.0f s", least), func() (err error) {
			open, err = p.wantTimesOf(t.Context(), "XTerm")
			if err == nil && open < least {
				err = fmt.Errorf("it has been open for %.3f s", open)
			}
			return err
		})
	}
	left(15)
	if err := p.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	left(open + 15)
	p.compare(t)
	for _, e := range p.records(t) {
		if e.Locked != nil {
			t.Errorf("without a locker the record of %s has locked = %v", e.Timestamp, *e.Locked)
		}
	}
}

// wantTimesOf checks that an application's active time and its rest are together the
// time that it had the focus, and no more active than the person was. It returns for
// how many seconds it was only open.
func (p *person) wantTimesOf(ctx context.Context, app string) (open float64, err error) {
	events, err := p.host.srv.Events(ctx, p.machine)
	if err != nil {
		return 0, err
	}
	// What comes meanwhile would be in one answer and not in the other.
	sum, err := p.host.srv.summaries(ctx, p.machine, p.host.began)
	if err != nil {
		return 0, err
	}
	again, err := p.host.srv.Events(ctx, p.machine)
	if err != nil || len(again) != len(events) {
		return 0, errors.Join(errors.New("a record came meanwhile"), err)
	}
	var focus, active, there float64
	for _, e := range events {
		there += *e.ActiveSeconds
		for _, f := range e.Focus {
			if f.App != app {
				continue
			}
			if f.ActiveSeconds == nil {
				return 0, fmt.Errorf("the record of %s does not say how much of the focus was active", e.Timestamp)
			}
			focus, active = focus+f.Seconds, active+*f.ActiveSeconds
		}
	}
	var of api.AppMinutes
	for _, a := range sum.TopApps {
		if a.App == app {
			of.Seconds, of.OpenSeconds = of.Seconds+a.Seconds, of.OpenSeconds+a.OpenSeconds
		}
	}
	const rounding = 0.01 // a millisecond a record
	if math.Abs(of.Seconds-active) > rounding || math.Abs(of.Seconds+of.OpenSeconds-focus) > rounding || of.Seconds > there+rounding {
		return 0, fmt.Errorf("%s has %+v, the records %.3f s of focus, %.3f s of them active, of %.3f active seconds", app, of, focus, active, there)
	}
	return of.OpenSeconds, nil
}

// TestTwoSessionsOfOnePerson has one person in two sessions at once, each with a window
// in front. Applications have no more time together than there was.
func TestTwoSessionsOfOnePerson(t *testing.T) {
	t.Parallel()
	h := trackedHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	other := &person{host: h, name: "alice", server: testhost.SessionXvnc, beside: p.Session.Display, machine: p.machine}
	other.loginAgain(t)
	p.mustWork(t, 60, 1, 1, 1)
	other.mustWork(t, 40, 1, 1, 1)
	p.did.Keys += other.did.Keys
	p.did.Clicks += other.did.Clicks
	p.did.Scrolls += other.did.Scrolls
	p.did.Distance += other.did.Distance
	wantTold(t, p)
	p.settled(t, time.Now().Add(interval*time.Second))

	for _, e := range p.records(t) {
		if focus := focusOf(e); focus > interval+0.1 {
			t.Errorf("the record of %s has %.3f s of focus", e.Timestamp, focus)
		}
	}
	sum, err := h.srv.summaries(t.Context(), p.machine, h.began)
	if err != nil {
		t.Fatal(err)
	}
	var apps api.AppMinutes
	for _, a := range sum.TopApps {
		apps.Seconds, apps.OpenSeconds = apps.Seconds+a.Seconds, apps.OpenSeconds+a.OpenSeconds
	}
	if all := sum.ActiveSeconds + sum.IdleSeconds; apps.Seconds > sum.ActiveSeconds+0.1 || apps.Seconds+apps.OpenSeconds > all+0.1 {
		t.Errorf("applications have %.3f and %.3f s of %.3f s, %.3f of them active", apps.Seconds, apps.OpenSeconds, all, sum.ActiveSeconds)
	}
}

// focusOf is for how many seconds a record's windows had the focus.
func focusOf(e api.Event) (seconds float64) {
	for _, f := range e.Focus {
		seconds += f.Seconds
	}
	return seconds
}
