package e2e

import (
	"testing"
	"time"

	"activity-tracker.example/sessiond/wire"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// TestSlowGNOMEFocus runs GNOME Shell without a screen in a real session, opens
// and closes windows, and holds what the helper reports against the clock. Before
// trackerd-gnome is installed it reports what is missing.
func TestSlowGNOMEFocus(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		h := desk(t, debian.GNOME(suite))
		h.startGNOME(t)
		r := h.startFocusHelper(t)
		r.until(t, "word that the extension is missing", func() bool { return r.last.Trouble == wire.TroubleNoGNOMEExtension })
		h.install(t, gnomeDeb(t))
		h.startGNOME(t)
		r = h.startFocusHelper(t)
		r.until(t, "word from the extension", func() bool { return r.last.Trouble == wire.TroubleNone })
		measureWindows(t, h, r, func() {
			if err := h.leaveOverview(t); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// gnomeDeb is the package with the extension.
func gnomeDeb(t *testing.T) string {
	t.Helper()
	path, err := e2etest.Artifact(t.Context(), "ACTIVITY_TRACKER_GNOME_DEB", "dist/trackerd-gnome_*.deb", "deb-trackerd-gnome")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startGNOME starts GNOME Shell, or starts it anew.
func (h *host) startGNOME(t *testing.T) {
	t.Helper()
	// A Shell that ended within its first minute has crashed, to the next one,
	// which then takes no extensions.
	h.startDesktop(t, "sh", "-c",
		"rm -f $XDG_RUNTIME_DIR/gnome-shell-disable-extensions; exec gnome-shell --headless --wayland --virtual-monitor 1024x768")
	eventually(t, 2*time.Minute, "GNOME Shell is on the bus", func() error { return h.leaveOverview(t) })
}

// leaveOverview leaves the overview, with which GNOME Shell begins and in which no
// window has the focus. While it still starts that lasts only a moment.
func (h *host) leaveOverview(t *testing.T) error {
	t.Helper()
	_, err := h.RunAs(t.Context(), deskUser, "busctl", "--address=unix:path="+deskRuntime+"/bus", "set-property",
		"org.gnome.Shell", "/org/gnome/Shell", "org.gnome.Shell", "OverviewActive", "b", "false")
	return err
}
