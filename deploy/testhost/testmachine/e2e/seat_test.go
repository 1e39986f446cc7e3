package e2e

import (
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
	"activity-tracker.example/testhost/testmachine"
)

// TestX11Seat has a person work at a machine with LightDM, Xorg and openbox. The
// server must have exactly that, as a local session's. The kernel is Debian's, whose
// Landlock is older: the helper gets nowhere there either.
func TestX11Seat(t *testing.T) { x11Seat(t, debian.Bookworm) }

// TestSlowX11Seat is the same on Debian 13.
func TestSlowX11Seat(t *testing.T) { x11Seat(t, debian.Trixie) }

func x11Seat(t *testing.T, suite debian.Suite) {
	m := trackedMachine(t, suite)
	s := m.waitTracked(t, testmachine.Alice)
	did := counts{keys: 60, clicks: 9, scroll: 6, distance: 250}
	helper := m.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd-session-"+s.ID+".service")
	e2etest.WantConfined(t, m, testmachine.Alice, helper)
	m.work(t, did)
	for _, e := range m.wantTotal(t, s.MachineID, did) {
		if e.SessionKind != api.SessionLocal {
			t.Errorf("a record of a person at the machine is of kind %q", e.SessionKind)
		}
		if e.KeyCount > 0 && (e.ActiveApp != "XTerm" || e.IsIdle || e.Username != testmachine.Alice) {
			t.Errorf("the keys are in the record %+v", e)
		}
	}
}
