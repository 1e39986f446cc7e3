package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestSlowLockers locks the screens of two people. The locker of one reports to
// logind, from within the session that it locks, and the records have it. That of the
// other reports to nobody: whether that screen is locked is unknown.
func TestSlowLockers(t *testing.T) { onSuites(t, lockers) }

func lockers(t *testing.T, suite debian.Suite) {
	h := startHost(t, newServer(t), debian.XRDP(suite).With("lockers", "xss-lock", "i3lock"))
	h.install(t, debPath)
	h.configure(t, config)
	h.enroll(t)
	defer h.showLogOnFailure(t)
	h.run(t, "sh", "-c", `echo '[ "$USER" != alice ] || xss-lock -- i3lock -n &' >>/etc/xdg/openbox/autostart`)
	people := loginAtOnce(t, h, "alice", "bob")
	alice, bob := people[0], people[1]

	for _, e := range alice.settled(t, time.Now()) {
		if e.Locked != nil {
			t.Errorf("before the first lock a record has locked: %t", *e.Locked)
		}
	}
	h.run(t, "loginctl", "lock-session", alice.Session.ID)
	alice.waitLocked(t, true)
	h.run(t, "pkill", "-u", "alice", "-x", "i3lock")
	alice.waitLocked(t, false)

	if _, err := bob.RunInSession(t.Context(), "sh", "-c", "i3lock >/dev/null 2>&1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the screen of bob is locked", func() error {
		shown, err := bob.RunInSession(t.Context(), "xwininfo", "-root", "-tree")
		if err == nil && !strings.Contains(shown, `("i3lock" "i3lock")`) {
			err = errors.New("no window of i3lock is there")
		}
		return err
	})
	const whole = 2 * interval * time.Second // the interval that follows, at least
	for _, e := range bob.settled(t, time.Now().Add(whole)) {
		if e.Locked != nil {
			t.Errorf("of a locker that tells nobody, a record has locked: %t", *e.Locked)
		}
	}
}

// waitLocked waits until the newest record has that of the screen.
func (p *person) waitLocked(t *testing.T, want bool) {
	t.Helper()
	eventually(t, 30*time.Second, fmt.Sprintf("the newest record has locked: %t", want), func() error {
		events := p.records(t)
		if got := events[len(events)-1].Locked; got == nil || *got != want {
			return fmt.Errorf("of %d it has not", len(events))
		}
		return nil
	})
}
