package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// TestSlowHelperOfAnotherVersion upgrades the daemon while somebody types, and puts
// the earlier one back. Each reads on from the other's helper; the newer one then
// replaces the older helper when nobody types. Nothing is lost.
func TestSlowHelperOfAnotherVersion(t *testing.T) {
	t.Parallel()
	earlier, err := e2etest.Earlier(t.Context(), earlierVersion)
	if err != nil {
		t.Fatal(err)
	}
	h := bareHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	h.install(t, earlier.Agent)
	// As one who upgrades unattended: a configuration of one's own stays.
	h.run(t, "sh", "-c", `echo 'force-confold' >/etc/dpkg/dpkg.cfg.d/keep`)
	h.configure(t, config)
	h.getCredential(t) // that agent knows of no policy
	p := h.login(t, "alice")
	old := h.helperPID(t, p.Session.ID)

	whileTyping := func(what string, do func()) {
		stop := keepTyping(t, p)
		at := time.Now()
		do()
		h.waitTracked(t, p.Session.ID, at.Add(time.Second))
		stop()
		wantTold(t, p)
		if t.Failed() {
			t.Fatalf("%s lost or made something", what)
		}
	}
	whileTyping("the upgrade", func() { h.install(t, debPath) })
	// Its hands are still, so at the next end of an interval.
	eventually(t, 60*time.Second, "the older helper is replaced", func() error {
		if now := h.helperPID(t, p.Session.ID); now == old || now == "0" {
			return fmt.Errorf("the helper is process %s", now)
		}
		return nil
	})
	newer := h.helperPID(t, p.Session.ID)
	h.waitTracked(t, p.Session.ID, time.Now())
	p.mustWork(t, 60, 2, 2, 2)
	wantTold(t, p)

	whileTyping("the downgrade", func() { h.install(t, earlier.Agent) })
	if now := h.helperPID(t, p.Session.ID); now != newer {
		t.Errorf("the helper was process %s and is %s after the downgrade", newer, now)
	}
	if log := h.run(t, "journalctl", "--no-pager", "-u", "trackerd"); strings.Contains(log, "malformed") {
		t.Errorf("the earlier version refused the newer helper:\n%s", log)
	}
}
