package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestDamagedBuffer damages the file in which records wait, while the host cannot send
// them. All that can be read arrives, and status reports the damage.
func TestDamagedBuffer(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := bareHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)
	h.configure(t, config)
	p := h.login(t, "alice")
	p.mustWork(t, 60, 2, 2, 2)
	eventually(t, 30*time.Second, "records wait", func() error {
		if n := h.waiting(t); n < 2 {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
	at := time.Now()
	h.run(t, "sh", "-ec", "systemctl stop trackerd; LC_ALL=C sed -i s/waiting_bytes/waiting_bites/g /var/lib/trackerd/buffer.db; systemctl start trackerd")
	h.waitTracked(t, p.Session.ID, at)
	if st := h.status(t); !strings.Contains(strings.Join(st.Host.Problems, "\n"), "the buffer was damaged and replaced") {
		t.Errorf("status tells nothing of the damage: %+v", st.Host.Problems)
	}
	h.enroll(t)
	p.mustWork(t, 30, 1, 1, 1)
	wantTold(t, p)
}
