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

// TestSlowGDM has a person work at a machine of GNOME's display manager, which starts
// the X server as that person, and log out. What is typed at the greeter then, a whole
// GNOME Shell, counts for nobody.
func TestSlowGDM(t *testing.T) { onEach(t, gdm) }

func gdm(t *testing.T, suite debian.Suite) {
	t.Helper()
	m := trackedMachineOf(t, testmachine.GDM(suite))
	alice := m.waitTracked(t, testmachine.Alice)
	did := counts{keys: 20, clicks: 3, scroll: 4, distance: 60}
	m.work(t, did)
	for _, e := range m.wantTotal(t, alice.MachineID, did) {
		if e.SessionKind != api.SessionLocal || e.Username != testmachine.Alice || e.KeyCount > 0 && e.ActiveApp != "XTerm" {
			t.Errorf("a record of GDM's session is %+v", e)
		}
	}

	m.run(t, "loginctl", "terminate-session", alice.ID)
	m.waitGreeter(t)
	_, err := m.Type(t.Context(), "nobody")
	must(t, err)
	eventually(t, patience, "nobody is tracked", func() error {
		list, err := m.sessions(t.Context())
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("there are %+v", list)
		}
		return err
	})
	m.wantTotal(t, alice.MachineID, did)
	var known api.MachineList
	if err := m.srv.Get(t.Context(), "/api/machines", &known); err != nil || len(known.Machines) != 1 {
		t.Errorf("%v: one person was there, and the server knows %+v", err, known.Machines)
	}
}

// waitGreeter waits until a greeter is in front, as logind has it.
func (m *machine) waitGreeter(t *testing.T) {
	t.Helper()
	eventually(t, patience, "a greeter is in front", func() error {
		out, err := m.Run(t.Context(), "sh", "-c",
			`loginctl show-session "$(loginctl show-seat seat0 --value -p ActiveSession)" -p Class -p State`)
		if err == nil && (!strings.Contains(out, "Class=greeter") || !strings.Contains(out, "State=active")) {
			err = errors.New(out)
		}
		return err
	})
}
