package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestConfigurationMistake has an administrator make a mistake, correct it, and
// take the package away and back.
func TestConfigurationMistake(t *testing.T) {
	t.Parallel()
	configurationMistake(t, debian.Bookworm)
}

func configurationMistake(t *testing.T, suite debian.Suite) {
	h := bareHost(t, suite, nil)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)

	h.run(t, "sh", "-c", "echo 'collect_interval_sec: 7' >>/etc/trackerd/config.yaml")
	if _, err := h.Run(t.Context(), "systemctl", "restart", "trackerd"); err == nil {
		t.Error("trackerd starts with collect_interval_sec: 7")
	}
	// Failed, and not about to be started again and again.
	eventually(t, 10*time.Second, "the unit has failed for good", func() error {
		if state := h.run(t, "systemctl", "show", "--property=ActiveState", "--value", "trackerd"); state != "failed" {
			return fmt.Errorf("its state is %s", state)
		}
		return nil
	})
	journal := h.run(t, "journalctl", "-b", "-u", "trackerd", "-o", "cat", "--no-pager")
	for _, part := range []string{"/etc/trackerd/config.yaml:", "collect_interval_sec", "3600"} {
		if !strings.Contains(journal, part) {
			t.Errorf("the journal does not name %s:\n%s", part, journal)
		}
	}
	h.configure(t, config)

	// Removed and installed again it starts by itself, as the first time.
	h.run(t, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "remove", "--yes", "trackerd")
	h.install(t, debPath)
	waitsForEnrolment(t, h)
	if got := h.run(t, "cat", "/etc/trackerd/config.yaml"); got+"\n" != config {
		t.Errorf("installed again, the configuration is %q, want what the administrator left", got)
	}
}
