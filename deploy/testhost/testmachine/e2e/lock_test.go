package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// greeter is the user whose session LightDM's greeter has.
const greeter = "lightdm"

// TestSlowLockAndSleep locks the screen and suspends the machine while a person
// works at it. What is typed at the greeter that unlocks counts for nobody, and
// the time asleep is no work.
func TestSlowLockAndSleep(t *testing.T) { onEach(t, lockAndSleep) }

func lockAndSleep(t *testing.T, suite debian.Suite) {
	t.Helper()
	m := trackedMachine(t, suite)
	alice := m.waitTracked(t, testmachine.Alice)
	one := counts{keys: 12, clicks: 2, scroll: 2, distance: 30}
	m.work(t, one)
	m.wantTotal(t, alice.MachineID, one)

	m.run(t, "loginctl", "lock-session", alice.ID)
	m.waitFront(t, greeter)
	_, err := m.Type(t.Context(), "nobody")
	must(t, err)
	m.run(t, "loginctl", "unlock-session", alice.ID)
	m.run(t, "loginctl", "activate", alice.ID)
	m.waitFront(t, testmachine.Alice)
	m.work(t, one)
	m.wantTotal(t, alice.MachineID, one.add(one))

	asleep, awake := m.sleep(t)
	m.waitFront(t, testmachine.Alice)
	m.work(t, one)
	events := m.wantTotal(t, alice.MachineID, one.add(one).add(one))
	wantQuiet(t, events, asleep, awake)
}

// waitFront waits until a session of that user is in front of the seat.
func (m *machine) waitFront(t *testing.T, user string) {
	t.Helper()
	eventually(t, patience, user+" is in front", func() error {
		front, err := m.front(t.Context())
		if err == nil && front != user {
			err = fmt.Errorf("in front is %q", front)
		}
		return err
	})
}

// front returns whose session is in front of the seat; empty while none is
// active.
func (m *machine) front(ctx context.Context) (user string, err error) {
	out, err := m.Run(ctx, "sh", "-c",
		`loginctl show-session "$(loginctl show-seat seat0 --value -p ActiveSession)" -p Name -p State`)
	if err != nil || !strings.Contains(out, "State=active") {
		return "", err
	}
	_, name, _ := strings.Cut(out, "Name=")
	user, _, _ = strings.Cut(name, "\n")
	return user, nil
}

// sleep suspends the machine for a few intervals, and returns from when to when
// it slept for certain.
func (m *machine) sleep(t *testing.T) (from, to time.Time) {
	t.Helper()
	must(t, m.Suspend(t.Context()))
	from = time.Now()
	// The time asleep is what is measured: there is nothing else to wait for.
	<-time.After(20 * time.Second)
	to = time.Now()
	must(t, m.Wake(t.Context()))
	return from, to
}

// wantQuiet checks that no record within that time has anything in it.
func wantQuiet(t *testing.T, events []api.Event, from, to time.Time) {
	t.Helper()
	for _, e := range events {
		if e.IntervalSec == nil || e.ActiveSeconds == nil {
			t.Fatalf("a record without its length: %+v", e)
		}
		end := e.Timestamp.Add(time.Duration(*e.IntervalSec) * time.Second)
		within := e.Timestamp.After(from) && end.Before(to)
		if within && (e.KeyCount > 0 || *e.ActiveSeconds > 0 || len(e.Focus) > 0) {
			t.Errorf("the machine slept from %s to %s, and a record is %+v", from, to, e)
		}
	}
}
