package e2e

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestClientsOfEveryXrdp: both versions of xrdp reach Xorg and Xvnc in ways of
// their own, and for each it is known whether a client is connected.
func TestClientsOfEveryXrdp(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		h := trackedHost(t, suite, newServer(t))
		defer h.showLogOnFailure(t)
		people := []*person{h.loginTo(t, "alice", testhost.SessionXorg), h.loginTo(t, "bob", testhost.SessionXvnc)}
		for _, p := range people {
			p.mustWork(t, 120, 3, 4, 2)
		}
		wantTold(t, people...)
		wantClients(t, true, people...)
		for _, p := range people {
			if err := p.Disconnect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantClients(t, false, people...)
		for _, p := range people {
			if err := p.Reconnect(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.mustWork(t, 60, 2, 2, 2)
		}
		wantTold(t, people...)
		wantClients(t, true, people...)
		// Beside each session Debian 13 has another one of the user's manager.
		if list, err := h.sessions(t); err != nil || len(list) != len(people) {
			t.Errorf("measured are %+v, %v; want one session of each", list, err)
		}
		h.wantDoctor(t, "clients", "known of every session")
	})
}

// wantClients waits for a whole record, and checks what is in it of the client.
func wantClients(t *testing.T, want bool, people ...*person) {
	t.Helper()
	for _, p := range people {
		p.settled(t, time.Now().Add(interval*time.Second))
		wantConnected(t, p, want)
	}
}

// wantDoctor checks the doctor's line of a check.
func (h *host) wantDoctor(t *testing.T, check, text string) {
	t.Helper()
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "doctor"}})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(res.Stdout) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == check && strings.Contains(line, text) {
			return
		}
	}
	t.Errorf("trackctl doctor has no %s with %q:\n%s", check, text, res.Stdout)
}
