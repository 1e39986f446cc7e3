package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// TestSlowStartx has a person log in at a console and start X from there: logind
// takes that for a session without a screen. What is typed at the console counts
// for nobody, what is done in X is counted exactly.
func TestSlowStartx(t *testing.T) { onEach(t, startx) }

func startx(t *testing.T, suite debian.Suite) {
	t.Helper()
	m := trackedMachine(t, suite)
	const console = 2
	must(t, m.SwitchVT(t.Context(), console))
	m.typeAt(t, console, "login:", testmachine.Bob)
	m.typeAt(t, console, "Password:", testmachine.Bob)
	m.typeAt(t, console, testmachine.Bob+"@", "startx")
	bob := m.waitTracked(t, testmachine.Bob)
	// Before a window manager runs, nothing shows that a person works there.
	eventually(t, patience, "a window of X has the focus", func() error {
		focused, err := m.HasFocus(t.Context(), testmachine.Bob, ":1")
		if err == nil && !focused {
			err = errors.New("none has")
		}
		return err
	})
	did := counts{keys: 20, clicks: 3, scroll: 4, distance: 60}
	m.work(t, did)
	for _, e := range m.wantTotal(t, bob.MachineID, did) {
		if e.SessionKind != api.SessionLocal || e.Username != testmachine.Bob || e.KeyCount > 0 && e.ActiveApp != "XTerm" {
			t.Errorf("a record of X from a console is %+v", e)
		}
	}
}

// typeAt waits until the console shows a prompt, and types a line there.
func (m *machine) typeAt(t *testing.T, console int, prompt, line string) {
	t.Helper()
	eventually(t, patience, "the console shows "+prompt, func() error {
		shown, err := m.Run(t.Context(), "cat", fmt.Sprintf("/dev/vcs%d", console))
		if err == nil && !strings.Contains(shown, prompt) {
			err = fmt.Errorf("it shows %q", strings.Join(strings.Fields(shown), " "))
		}
		return err
	})
	_, err := m.Type(t.Context(), line+"\n")
	must(t, err)
}
