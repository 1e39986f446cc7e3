package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// helperGone is how long after a logout a helper's unit may still be there.
const helperGone = 10 * time.Second

// TestReconnectAndLogout follows one user through the ends and beginnings of
// connections and sessions.
func TestReconnectAndLogout(t *testing.T) { onSuites(t, reconnectAndLogout) }

func reconnectAndLogout(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 120, 3, 4, 2)
	first, helper := p.Session, h.helperPID(t, p.Session.ID)

	// The laptop is shut: the session goes on, and so does its helper.
	if err := p.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, time.Now().Add(interval*time.Second)) // a whole record without
	wantConnected(t, p, false)
	if err := p.Reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Session != first {
		t.Errorf("the session was %+v and is %+v after the reconnect", first, p.Session)
	}
	if now := h.helperPID(t, p.Session.ID); now != helper {
		t.Errorf("the helper was process %s and is %s after the reconnect", helper, now)
	}
	p.mustWork(t, 90, 2, 3, 2)
	wantTold(t, p)
	wantConnected(t, p, true)

	// Logged out, and in again at once: X takes the display for another while
	// logind still is closing the first session.
	if err := p.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := time.Now()
	p.loginAgain(t)
	if p.Session.ID == first.ID || p.Session.Display != first.Display {
		t.Errorf("the session was %+v and is %+v after the new login: want another on the same display", first, p.Session)
	}
	eventually(t, time.Until(out.Add(helperGone)), "the first session's helper is gone", func() error { return h.unitGone(t, first.ID) })
	p.mustWork(t, 70, 1, 2, 1)
	wantTold(t, p)

	// The last words of a session arrive as well.
	p.mustWork(t, 33, 1, 1, 1)
	if err := p.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, helperGone, "the last session's helper is gone", func() error { return h.unitGone(t, p.Session.ID) })
	eventually(t, 30*time.Second, "what was typed right before the logout is told", func() error {
		events, err := h.srv.Events(t.Context(), p.machine)
		if got := add(events); err == nil && (got.Keys != p.did.Keys || got.Clicks != p.did.Clicks || got.Scrolls != p.did.Scrolls) {
			err = fmt.Errorf("the API tells of %+v, did %+v", got, p.did)
		}
		return err
	})
}

// unitGone is an error while a session's helper has a unit.
func (h *host) unitGone(t *testing.T, sessionID string) error {
	state, err := h.Run(t.Context(), "systemctl", "list-units", "--all", "--no-legend", "--plain", unit(sessionID))
	if err == nil && strings.TrimSpace(state) != "" {
		err = fmt.Errorf("systemd has %q", state)
	}
	return err
}

// wantConnected checks what the newest record has of the client.
func wantConnected(t *testing.T, p *person, want bool) {
	t.Helper()
	events := p.records(t)
	if got := events[len(events)-1].Connected; got == nil || *got != want {
		t.Errorf("the newest record of %s has connected = %v, want %v", p.name, got, want)
	}
}
