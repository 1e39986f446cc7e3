package e2e

import (
	"strings"
	"testing"

	"activity-tracker.example/testhost/debian"
)

// TestUpgradeMeasuresNobodyNew: an upgrade from a version that knew sessions of
// xrdp alone keeps to them, reports that once, and leaves a decision of the
// administrator's.
func TestUpgradeMeasuresNobodyNew(t *testing.T) {
	t.Parallel()
	h := bareHost(t, debian.Bookworm, nil)
	defer h.showLogOnFailure(t)
	const file, key = "/etc/trackerd/config.yaml", "\nsessions: [rdp]"
	h.install(t, debPath)
	if conf := h.run(t, "cat", file); strings.Contains(conf, key) {
		t.Errorf("a new installation has the configuration\n%s", conf)
	}
	h.run(t, "apt-get", "purge", "--yes", "trackerd")
	h.install(t, reversioned(t, debPath, "0.0.1"))
	said, err := h.Install(t.Context(), debPath)
	if err != nil || !strings.Contains(said, "wrote 'sessions: [rdp]'") {
		t.Errorf("the upgrade said %q, %v", said, err)
	}
	conf := h.run(t, "cat", file)
	if strings.Count(conf, key) != 1 {
		t.Errorf("after the upgrade the configuration is\n%s", conf)
	}
	h.run(t, "trackerd", "check-config")
	said, err = h.Install(t.Context(), reversioned(t, debPath, "99:1"))
	if err != nil || strings.Contains(said, "sessions:") || h.run(t, "cat", file) != conf {
		t.Errorf("the next upgrade said %q, %v, and the configuration is\n%s", said, err, h.run(t, "cat", file))
	}
}
