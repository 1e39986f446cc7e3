package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// TestSlowSwitching has two people take turns at one seat. What is typed counts
// for whoever is in front, and for nobody at the greeter.
func TestSlowSwitching(t *testing.T) { onEach(t, switching) }

func switching(t *testing.T, suite debian.Suite) {
	t.Helper()
	m := trackedMachine(t, suite)
	alice := m.waitTracked(t, testmachine.Alice)
	one := counts{keys: 12, clicks: 2, scroll: 2, distance: 30}
	m.work(t, one)
	m.wantTotal(t, alice.MachineID, one)

	m.switchUser(t, testmachine.Bob)
	bob := m.waitTracked(t, testmachine.Bob)
	if bob.MachineID == alice.MachineID {
		t.Fatalf("two people are %s", bob.MachineID)
	}
	m.work(t, one)
	m.wantTotal(t, bob.MachineID, one)

	m.run(t, "loginctl", "unlock-session", alice.ID)
	m.run(t, "loginctl", "activate", alice.ID)
	m.waitFront(t, testmachine.Alice)
	m.work(t, one)
	m.wantTotal(t, alice.MachineID, one.add(one))
	m.wantTotal(t, bob.MachineID, one)
}

// switchUser has a greeter ask for the user's password, and types it there.
func (m *machine) switchUser(t *testing.T, user string) {
	t.Helper()
	res, err := m.Exec(t.Context(), testhost.Command{
		Env:  []string{"XDG_SEAT_PATH=/org/freedesktop/DisplayManager/Seat0"},
		Args: []string{"dm-tool", "switch-to-user", user},
	})
	if err != nil || res.Code != 0 {
		t.Fatalf("dm-tool: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	eventually(t, patience, user+" is logged in", func() error {
		front, err := m.front(t.Context())
		if err != nil || front == user {
			return err
		}
		if front == greeter {
			err = m.answerGreeter(t, user)
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("in front is %s", front)
	})
}

// answerTimeout is how long a line may take to a greeter; 0.1 s is usual.
const answerTimeout = 30 * time.Second

// answerGreeter types a line if the greeter waits for one, and waits until it has
// it. What is typed before the greeter's window has the focus is lost, as it is
// for a person, who then types again.
func (m *machine) answerGreeter(t *testing.T, line string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	waits, err := m.greeterWaits(ctx)
	if err != nil || !waits {
		return err
	}
	if _, err := m.Type(ctx, line+"\n"); err != nil {
		return err
	}
	for waits && err == nil {
		waits, err = m.greeterWaits(ctx)
	}
	return err
}

// greeterWaits reports whether a greeter waits for a line, as LightDM has it.
func (m *machine) greeterWaits(ctx context.Context) (bool, error) {
	log, err := m.Run(ctx, "cat", "/var/log/lightdm/lightdm.log")
	asked, answered := strings.LastIndex(log, "Prompt greeter"), strings.LastIndex(log, "Continue authentication")
	return asked > answered, err
}
