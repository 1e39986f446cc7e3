package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// compositor is a Wayland desktop with one window, foot's, which has the focus.
type compositor struct {
	session, config, content string
	suite                    debian.Suite
}

// TestSlowWaylandSeat has a person log in to a compositor through LightDM and work
// there. What the seat's devices did is counted exactly, beside the window in
// focus; while the screen is locked or another terminal is in front, nothing.
func TestSlowWaylandSeat(t *testing.T) {
	for _, c := range []compositor{
		{session: "sway", config: "/etc/sway/config", content: "xwayland disable\nexec foot\n", suite: debian.Bookworm},
		{session: "labwc", config: "/etc/xdg/labwc/autostart", content: "foot &\n", suite: debian.Trixie},
	} {
		t.Run(c.session, func(t *testing.T) { waylandSeat(t, c) })
	}
}

func waylandSeat(t *testing.T, c compositor) {
	t.Helper()
	m := trackedMachine(t, c.suite)
	m.loginTo(t, c, testmachine.Bob)
	bob := m.waitTracked(t, testmachine.Bob)
	m.waitSeatInput(t, true)
	m.waitApp(t, bob, "foot")
	one := counts{keys: 12, clicks: 2, scroll: 3, distance: 50}
	m.work(t, one)
	for _, e := range m.wantTotal(t, bob.MachineID, one) {
		if e.SessionKind != api.SessionLocal || e.MouseDistancePx > 0 && e.DistanceUnit != api.UnitDevice {
			t.Errorf("a record of the seat's devices is %+v", e)
		}
		if e.KeyCount > 0 && e.ActiveApp != "foot" {
			t.Errorf("the keys are in the record %+v", e)
		}
	}
	m.setLocked(t, bob.ID, true)
	m.waitSeatInput(t, false)
	m.work(t, one)
	m.setLocked(t, bob.ID, false)
	m.waitSeatInput(t, true)
	m.work(t, one)
	m.wantTotal(t, bob.MachineID, one.add(one))
	m.switchAwayAndBack(t, bob, one.add(one))
}

// switchAwayAndBack types at a console and then in the session again, which had
// so much before.
func (m *machine) switchAwayAndBack(t *testing.T, s session, before counts) {
	t.Helper()
	// logind asks polkit, and refuses when that has not started within 25 s.
	m.run(t, "systemctl", "start", "polkit")
	must(t, m.SwitchVT(t.Context(), 3))
	m.waitSeatInput(t, false)
	_, err := m.Type(t.Context(), "nobody")
	must(t, err)
	m.run(t, "loginctl", "activate", s.ID)
	m.waitFront(t, s.User)
	m.waitSeatInput(t, true)
	more := counts{keys: 10, clicks: 1, scroll: 2, distance: 40}
	m.work(t, more)
	// Of Ctrl, Alt and F3, pressed to switch, as many count as were read before.
	const chord = 3
	eventually(t, patience, "the server has what was done in front", func() error {
		events, err := m.srv.Events(t.Context(), s.MachineID)
		if err != nil {
			return err
		}
		want, got := before.add(more), total(events)
		extra := got.keys - want.keys
		if got.keys = want.keys; got != want || extra < 0 || extra > chord {
			return fmt.Errorf("it has %+v and %d keys more, want %+v and at most %d", got, extra, want, chord)
		}
		return nil
	})
}

// loginTo has LightDM start anew and log a user in to the compositor.
func (m *machine) loginTo(t *testing.T, c compositor, user string) {
	t.Helper()
	must(t, m.UseSecondScreen(t.Context()))
	login := "[Seat:*]\nautologin-user=" + user + "\nautologin-session=" + c.session + "\n"
	must(t, m.WriteFile(t.Context(), "/etc/lightdm/lightdm.conf.d/test.conf", strings.NewReader(login), 0o644))
	must(t, m.WriteFile(t.Context(), c.config, strings.NewReader(c.content), 0o644))
	m.run(t, "systemctl", "restart", "lightdm")
	m.waitFront(t, user)
}

// waitApp waits until the server has a record with that application in focus.
func (m *machine) waitApp(t *testing.T, s session, app string) {
	t.Helper()
	eventually(t, patience, app+" is in focus", func() error {
		events, err := m.srv.Events(t.Context(), s.MachineID)
		if err == nil && !slices.ContainsFunc(events, func(e api.Event) bool { return e.ActiveApp == app }) {
			err = fmt.Errorf("it is in none of %d records", len(events))
		}
		return err
	})
}

// setLocked sets the session's LockedHint, as a screen locker would.
func (m *machine) setLocked(t *testing.T, id string, locked bool) {
	t.Helper()
	m.run(t, "sh", "-c", `busctl call org.freedesktop.login1 \
		"$(busctl call --json=short org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager GetSession s "$1" | sed 's/.*\["//; s/"\].*//')" \
		org.freedesktop.login1.Session SetLockedHint b "$2"`, "sh", id, fmt.Sprint(locked))
}

// waitSeatInput waits until the devices of the seat are read, or are not.
func (m *machine) waitSeatInput(t *testing.T, want bool) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("the seat's devices are read: %v", want), func() error {
		out, err := m.Run(t.Context(), "sh", "-c",
			`for p in $(pgrep -x seatinput); do ls -l /proc/$p/fd | grep -o '/dev/input/event.*'; done; true`)
		if err == nil && (out != "") != want {
			err = fmt.Errorf("open are %q", out)
		}
		return err
	})
}
