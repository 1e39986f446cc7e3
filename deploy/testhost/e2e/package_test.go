package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// daemonExposure is the most exposure that systemd-analyze may find, of 10.
const daemonExposure = 2.5

// TestPackage follows the package from apt install to purge.
func TestPackage(t *testing.T) { onSuites(t, packageLife) }

func packageLife(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	h := bareHost(t, suite, srv)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)

	t.Run("waits to be enrolled", func(t *testing.T) { waitsForEnrolment(t, h) })
	h.configure(t, config)
	// Who works before that is counted all the same.
	p := h.login(t, "alice")
	p.mustWork(t, 80, 3, 3, 2)
	eventually(t, 30*time.Second, "records wait", func() error {
		if n := h.waiting(t); n < 2 {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
	h.enroll(t)
	wantTold(t, p)
	t.Run("doctor", func(t *testing.T) { h.run(t, "trackctl", "doctor") })
	t.Run("hardening", func(t *testing.T) { wantExposure(t, h, "trackerd.service", daemonExposure) })
	t.Run("status line", func(t *testing.T) { wantStatusLine(t, h) })
	t.Run("upgrade", func(t *testing.T) { upgrade(t, h, p) })
	t.Run("remove and purge", func(t *testing.T) { removeAndPurge(t, h, p) })
}

func waitsForEnrolment(t *testing.T, h *host) {
	for _, want := range []struct{ verb, says string }{{"is-enabled", "enabled"}, {"is-active", "active"}} {
		if got := h.run(t, "systemctl", want.verb, "trackerd"); got != want.says {
			t.Errorf("systemctl %s trackerd says %q", want.verb, got)
		}
	}
	if line := h.statusText(t); !strings.Contains(line, "trackctl enroll") {
		t.Errorf("the status line is %q: it must say how to enrol", line)
	}
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "doctor"}})
	if err != nil || res.Code != 1 || !strings.Contains(res.Stdout, "trackctl enroll") {
		t.Errorf("trackctl doctor: %v, exit code %d: %s; want 1 and how to enrol", err, res.Code, res.Stdout)
	}
}

func (h *host) statusText(t *testing.T) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=StatusText", "--value", "trackerd")
}

// wantStatusLine reads what systemctl status shows first.
func wantStatusLine(t *testing.T, h *host) {
	eventually(t, 20*time.Second, "the status line is complete", func() error {
		line := h.statusText(t)
		for _, part := range []string{"1 session", "waiting", "upload"} {
			if !strings.Contains(line, part) {
				return fmt.Errorf("%q lacks %q", line, part)
			}
		}
		return nil
	})
}

// wantExposure asks systemd how well a unit is locked in.
func wantExposure(t *testing.T, h *host, unit string, most float64) {
	t.Helper()
	out := h.run(t, "systemd-analyze", "security", "--no-pager", "--json=short", unit)
	var checks []struct {
		Name     string `json:"name"`
		Exposure any    `json:"exposure"`
	}
	if err := json.Unmarshal([]byte(out), &checks); err != nil || len(checks) < 20 {
		t.Fatalf("systemd-analyze security %s: %v: %s", unit, err, out)
	}
	// The sum is in the text only.
	text := h.run(t, "systemd-analyze", "security", "--no-pager", unit)
	_, rest, ok := strings.Cut(text, "Overall exposure level for "+unit+": ")
	if !ok {
		t.Fatalf("systemd-analyze says nothing overall:\n%s", text)
	}
	got, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil || got > most {
		t.Errorf("the exposure of %s is %v, %v; want at most %v", unit, got, err, most)
	}
	t.Logf("exposure of %s: %v", unit, got)
}

// upgrade installs a later version while somebody types.
func upgrade(t *testing.T, h *host, p *person) {
	later := reversioned(t, debPath, "99:1")
	before := h.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd")
	helper := h.helperPID(t, p.Session.ID)
	conf := h.run(t, "cat", "/etc/trackerd/config.yaml")
	stop := keepTyping(t, p)
	at := time.Now()
	h.install(t, later)
	h.waitTracked(t, p.Session.ID, at)
	stop()
	wantTold(t, p)
	if after := h.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd"); after == before || after == "0" {
		t.Errorf("trackerd was process %s and is %s after the upgrade", before, after)
	}
	t.Logf("the helper was process %s and is %s", helper, h.helperPID(t, p.Session.ID))
	if now := h.run(t, "cat", "/etc/trackerd/config.yaml"); now != conf {
		t.Errorf("the upgrade changed the configuration to %q", now)
	}
}

// reversioned is a package under another version.
func reversioned(t *testing.T, path, version string) string {
	t.Helper()
	dir := t.TempDir()
	tree, deb := filepath.Join(dir, "tree"), filepath.Join(dir, "reversioned.deb")
	for _, args := range [][]string{
		{"dpkg-deb", "--raw-extract", path, tree},
		{"sed", "-i", "s/^Version: .*/Version: " + version + "/", filepath.Join(tree, "DEBIAN/control")},
		{"dpkg-deb", "--build", "--root-owner-group", "-Zgzip", "-z1", tree, deb},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	return deb
}

// removeAndPurge checks what stays and what goes.
func removeAndPurge(t *testing.T, h *host, p *person) {
	kept := []string{"/etc/trackerd/config.yaml", "/var/lib/trackerd/buffer.db", "/var/lib/trackerd/credential"}
	h.apt(t, "remove", "trackerd")
	for _, path := range kept {
		h.run(t, "test", "-s", path)
	}
	for _, path := range []string{"/usr/sbin/trackerd", "/usr/bin/trackctl", "/usr/libexec/trackerd/sessiond", "/run/trackerd"} {
		h.run(t, "test", "!", "-e", path)
	}
	eventually(t, helperGone, "the helper is gone with the package", func() error { return h.unitGone(t, p.Session.ID) })
	// The session is none of the package's business.
	if connected, err := p.Connected(t.Context()); err != nil || !connected {
		t.Errorf("removing the package ended the session: %v", err)
	}
	if said := h.apt(t, "purge", "trackerd"); strings.Contains(said, "dpkg: warning") {
		t.Errorf("apt-get purge warns:\n%s", said)
	}
	h.wantNothingLeft(t, "*trackerd*", "trackctl")
	if units := h.run(t, "systemctl", "list-units", "--all", "--no-legend", "*trackerd*"); units != "" {
		t.Errorf("systemd still has %s", units)
	}
}

// apt runs apt-get remove or purge, and returns what it printed.
func (h *host) apt(t *testing.T, verb, name string) string {
	t.Helper()
	return h.run(t, "sh", "-c", "DEBIAN_FRONTEND=noninteractive apt-get "+verb+" --yes "+name+" 2>&1")
}

// wantNothingLeft looks for files by their names.
func (h *host) wantNothingLeft(t *testing.T, names ...string) {
	t.Helper()
	left := h.run(t, "sh", "-c", "find / -xdev -path /proc -prune -o -path /tmp -prune -o "+
		"-path /var/lib/dpkg -prune -o -path /var/log -prune -o -path /var/cache -prune -o "+
		`\( -name '`+strings.Join(names, "' -o -name '")+`' \) -print`)
	if left != "" {
		t.Error(errors.New("purge leaves " + left))
	}
}
