package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

// virtualConfig measures the virtual displays of carol.
const virtualConfig = config + "sessions: [rdp, local, virtual]\nvirtual_user: carol\n"

// TestVirtualDisplay: one user's TigerVNC is measured exactly. Neither a display
// without a window manager is, nor another user's, nor one on which another user
// listens; each is reported, and RDP sessions beside them are measured.
func TestVirtualDisplay(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		h := trackedHost(t, suite, newServer(t))
		defer h.showLogOnFailure(t)
		for _, name := range []string{"carol", "dave"} {
			if _, err := h.AddUser(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		h.configure(t, virtualConfig)
		began := time.Now()
		for display, user := range map[string]string{":1": "carol", ":5": "carol", ":6": "dave", ":7": "dave"} {
			h.background(t, user, "display"+strings.TrimPrefix(display, ":"), "Xvnc", display, "-SecurityTypes", "None", "-localhost")
			h.awaitDisplay(t, display)
		}
		h.run(t, "chown", "carol", "/tmp/.X11-unix/X7")
		h.background(t, "carol", "wm", "env", "DISPLAY=:1", "openbox", "--sm-disable")
		h.background(t, "dave", "daves-wm", "env", "DISPLAY=:6", "openbox", "--sm-disable")
		s := h.waitTracked(t, "x1", began)
		carol := &person{host: h, name: "carol", machine: s.MachineID}
		eventually(t, 30*time.Second, "the window manager is seen", func() error { return h.wantProblem(t, "x1", "") })

		alice := h.login(t, "alice")
		v := h.view(t, 1)
		for what, err := range map[string]error{"keys": v.keys(150), "clicks": v.press(6, 0), "wheel": v.press(9, 4)} {
			if err != nil {
				t.Fatalf("%s through VNC: %v", what, err)
			}
		}
		carol.did = counts{Keys: 150, Clicks: 6, Scrolls: 9}
		alice.mustWork(t, 60, 2, 3, 2)
		wantTold(t, alice)
		carol.wantVirtual(t)
		if err := h.wantProblem(t, "x5", "as soon as a window manager runs"); err != nil {
			t.Error(err)
		}
		h.wantMeasured(t, "x1", "x5", alice.Session.ID)
		h.wantDoctor(t, "sessions", "display :6 is not measured: it belongs to another user")
		h.wantDoctor(t, "sessions", "display :7 is not measured: the owner of its socket and whoever listens there are two users")
		h.wantDoctor(t, "clients", "a virtual display does not show whether a viewer is connected")
	})
}

// background starts a program of a user's that is in no session.
func (h *host) background(t *testing.T, user, name string, args ...string) {
	t.Helper()
	h.run(t, append([]string{"systemd-run", "--quiet", "--uid=" + user, "--unit=background-" + name, "--"}, args...)...)
}

// awaitDisplay waits until an X server listens.
func (h *host) awaitDisplay(t *testing.T, display string) {
	t.Helper()
	eventually(t, 30*time.Second, "display "+display+" is there", func() error {
		_, err := h.Run(t.Context(), "test", "-S", "/tmp/.X11-unix/X"+strings.TrimPrefix(display, ":"))
		return err
	})
}

// wantProblem is an error unless trackctl shows this problem of a session; ""
// is none.
func (h *host) wantProblem(t *testing.T, id, problem string) error {
	t.Helper()
	list, err := h.sessions(t)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID == id && strings.Contains(s.Problem, problem) && (s.Problem == "") == (problem == "") {
			return nil
		}
	}
	return fmt.Errorf("the sessions are %+v; want %q of %s", list, problem, id)
}

// wantMeasured checks which sessions have a helper.
func (h *host) wantMeasured(t *testing.T, want ...string) {
	t.Helper()
	list, err := h.sessions(t)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("measured are %q, want %q", got, want)
	}
}

// wantVirtual waits until all of a person's work on a virtual display is reported,
// exactly.
func (p *person) wantVirtual(t *testing.T) {
	t.Helper()
	events := p.settled(t, time.Now())
	eventually(t, 20*time.Second, "all of "+p.name+"'s work is told", func() error {
		events = p.records(t)
		if got := add(events); got.Keys < p.did.Keys || got.Clicks < p.did.Clicks || got.Scrolls < p.did.Scrolls {
			return fmt.Errorf("told are %+v, did %+v", got, p.did)
		}
		return nil
	})
	got := add(events)
	if got.Distance = 0; got != p.did {
		t.Errorf("%s: told are %+v, did %+v", p.name, got, p.did)
	}
	for _, e := range events {
		if e.SessionKind != api.SessionVirtual || e.Connected != nil || e.SyntheticCount == nil || *e.SyntheticCount != 0 {
			t.Errorf("%s: a record of the kind %q, connected %v, %v synthetic", p.name, e.SessionKind, e.Connected, e.SyntheticCount)
		}
	}
	wantDistinct(t, events)
}
