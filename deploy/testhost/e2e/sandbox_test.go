package e2e

import (
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// Most exposure of a helper's unit that systemd-analyze may find, of 10. It does not
// see what a program gives up by itself.
const (
	confinedExposure = 2.5
	mountedExposure  = 1.6
)

// TestHelperSandbox has the helper of a session try to get out, by whoever took it
// over: each of its threads makes system calls that it has no need of. The same
// calls work in a process of the same user that is in no sandbox.
func TestHelperSandbox(t *testing.T) { onSuites(t, helperSandbox) }

func helperSandbox(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 30, 1, 1, 1)
	helper := h.helperPID(t, p.Session.ID)
	e2etest.WantConfined(t, h, p.name, helper)
	// It has survived that, and counts.
	p.mustWork(t, 30, 1, 1, 1)
	wantTold(t, p)
	if now := h.helperPID(t, p.Session.ID); now != helper {
		t.Errorf("the helper was process %s and is %s", helper, now)
	}

	// Where the kernel has no Landlock, files are taken away by mounts.
	if got := h.protects(t, p); got != "no" {
		t.Errorf("the helper confines itself and has ProtectSystem=%s", got)
	}
	wantExposure(t, h, unit(p.Session.ID), confinedExposure)
	h.run(t, "bash", "-euc", `mkdir -p /etc/systemd/system/trackerd.service.d
		printf '[Service]\nSystemCallFilter=~landlock_create_ruleset\n' >/etc/systemd/system/trackerd.service.d/old.conf
		systemctl daemon-reload; systemctl restart trackerd; systemctl kill --signal=KILL `+unit(p.Session.ID))
	h.waitTracked(t, p.Session.ID, time.Now())
	if got := h.protects(t, p); got != "strict" {
		t.Errorf("the helper does not confine itself and has ProtectSystem=%s", got)
	}
	wantExposure(t, h, unit(p.Session.ID), mountedExposure)
	p.mustWork(t, 30, 1, 1, 1)
	wantTold(t, p)
}

// protects is how the unit of a person's helper takes files away.
func (h *host) protects(t *testing.T, p *person) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=ProtectSystem", "--value", unit(p.Session.ID))
}
