package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestWhoTheHostIs renames a host, and then makes it the clone of another.
func TestWhoTheHostIs(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 20, 1, 1, 1)
	before := h.waitTracked(t, p.Session.ID, h.began)

	t.Run("renamed", func(t *testing.T) {
		at := time.Now()
		h.run(t, "hostname", "office2.corp.example")
		h.run(t, "systemctl", "restart", "trackerd")
		if after := h.waitTracked(t, p.Session.ID, at); after.MachineID != before.MachineID {
			t.Errorf("alice was %s and is %s: renaming the host makes no other account", before.MachineID, after.MachineID)
		}
		if got := h.status(t).Hostname; got != "office2.corp.example" {
			t.Errorf("status shows the host as %q", got)
		}
	})
	t.Run("cloned", func(t *testing.T) {
		h.run(t, "sh", "-c", "echo 0123456789abcdef0123456789abcdef >/etc/machine-id && systemctl restart trackerd")
		if s := h.status(t); s.Server.Enrolled || !strings.Contains(s.Server.Problem, "issued to another machine") {
			t.Errorf("a clone speaks for the host that it was cloned from: %+v", s)
		}
		res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "doctor"}})
		if err != nil || res.Code != 1 || !strings.Contains(res.Stdout, "trackctl enroll") {
			t.Errorf("trackctl doctor: %v, exit code %d: %s", err, res.Code, res.Stdout)
		}
		h.enroll(t)
		eventually(t, 30*time.Second, "the clone's people have names of their own", func() error {
			list, err := h.sessions(t)
			if err != nil || len(list) != 1 || list[0].MachineID == before.MachineID {
				return fmt.Errorf("the sessions are %+v (%v)", list, err)
			}
			return nil
		})
	})
}
