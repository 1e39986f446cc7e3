package lifecycle

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
)

// What `systemd-analyze security` may find at most, of 10.
const (
	daemonExposure = 2.5
	helperExposure = 1.6
)

// How long something may take on the host.
const (
	// settleTime is for what follows within a few seconds.
	settleTime = 20 * time.Second
	// goneTime is for helpers to end after the daemon.
	goneTime = 10 * time.Second
)

// helpers matches the units of all sessions' helpers.
const helpers = "trackerd-session-*.service"

// TestLifecycle takes one host through a package's life.
func TestLifecycle(t *testing.T) {
	deb := os.Getenv("ACTIVITY_TRACKER_DEB")
	if deb == "" {
		t.Fatal("ACTIVITY_TRACKER_DEB names no package; run this with make test-host")
	}
	h := &host{Host: boot(t)}
	stages := []struct {
		name string
		run  func(*testing.T)
	}{
		{"install", func(t *testing.T) { h.install(t, deb) }},
		{"exposure", h.exposure},
		{"upgrade", func(t *testing.T) { h.upgrade(t, deb) }},
		{"wrong configuration", h.wrongConfiguration},
		{"remove", h.remove},
		{"install again", func(t *testing.T) { h.installAgain(t, deb) }},
		{"purge", h.purge},
	}
	for _, stage := range stages {
		if !t.Run(stage.name, stage.run) {
			t.Fatalf("%s failed, so what follows it means nothing; the journal:\n%s", stage.name, h.journal(t))
		}
	}
}

// host is a booted host with shorter ways to ask it.
type host struct {
	*testhost.Host
	// alice works there once she has logged in.
	alice *testhost.RDP
}

func boot(t *testing.T) *testhost.Host {
	t.Helper()
	h, err := testhost.Start(t.Context(), testhost.Options{Hostname: "lifecycle"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// install expects the unit enabled, running and saying how to enrol.
func (h *host) install(t *testing.T, deb string) {
	if said, err := h.Install(t.Context(), deb); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	h.want(t, "enabled", "systemctl", "is-enabled", "trackerd")
	h.want(t, "active", "systemctl", "is-active", "trackerd")
	if status := h.run(t, "systemctl", "show", "-P", "StatusText", "trackerd"); !strings.Contains(status, "trackctl enroll") {
		t.Errorf("status line %q does not say how to enrol", status)
	}
	h.want(t, "700 root", "stat", "-c", "%a %U", "/var/lib/trackerd")
	h.want(t, "666 root", "stat", "-c", "%a %U", "/run/trackerd/control.sock")
	h.run(t, "bash", "-c", ". /usr/share/bash-completion/completions/trackctl")
}

// exposure logs somebody in, and holds both units to what is promised.
func (h *host) exposure(t *testing.T) {
	if _, err := h.AddUser(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	alice, err := h.Login(t.Context(), "alice", testhost.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.alice = alice
	h.waitReporting(t)
	h.wantExposure(t, "trackerd.service", daemonExposure)
	h.wantExposure(t, h.helperUnit(t), helperExposure)
}

// upgrade installs a newer version under a session: the daemon is another
// process afterwards, the helper the same, and it still is read.
func (h *host) upgrade(t *testing.T, deb string) {
	const edited = "# edited by the administrator\n"
	h.run(t, "sh", "-c", `printf '%s' "$1" >>/etc/trackerd/config.yaml`, "edit", edited)
	daemon, helper := h.mainPID(t, "trackerd.service"), h.mainPID(t, h.helperUnit(t))
	newer := rebuilt(t, deb, "99.0-1")
	if said, err := h.Install(t.Context(), newer); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	h.want(t, "99.0-1", "dpkg-query", "-W", "-f", "${Version}", "trackerd")
	h.want(t, "active", "systemctl", "is-active", "trackerd")
	if now := h.mainPID(t, "trackerd.service"); now == daemon {
		t.Error("the old daemon still runs")
	}
	h.waitReporting(t)
	if now := h.mainPID(t, h.helperUnit(t)); now != helper {
		t.Errorf("the session's helper was process %s and is %s; it should outlive the daemon", helper, now)
	}
	if text := h.run(t, "cat", "/etc/trackerd/config.yaml"); !strings.Contains(text, strings.TrimSpace(edited)) {
		t.Error("the administrator's change to config.yaml is gone")
	}
}

// wrongConfiguration expects one clear line and no endless restarting.
func (h *host) wrongConfiguration(t *testing.T) {
	h.run(t, "cp", "/etc/trackerd/config.yaml", "/root/config.yaml")
	h.run(t, "sh", "-c", "echo 'collect_interval_sec: 7' >>/etc/trackerd/config.yaml")
	if _, err := h.Run(t.Context(), "systemctl", "restart", "trackerd"); err == nil {
		t.Error("trackerd starts with collect_interval_sec: 7")
	}
	h.eventually(t, settleTime, "the unit has failed for good", func() bool {
		return h.run(t, "systemctl", "show", "-P", "ActiveState", "trackerd") == "failed"
	})
	if journal := h.journal(t); !strings.Contains(journal, "/etc/trackerd/config.yaml") || !strings.Contains(journal, "collect_interval_sec") {
		t.Errorf("the journal names neither file nor key:\n%s", journal)
	}
	h.run(t, "cp", "/root/config.yaml", "/etc/trackerd/config.yaml")
	h.run(t, "systemctl", "restart", "trackerd")
	h.waitReporting(t)
}

// remove expects nothing of the package to run, and all data to be there.
func (h *host) remove(t *testing.T) {
	h.run(t, "apt-get", "remove", "--yes", "trackerd")
	h.eventually(t, goneTime, "the helpers have ended", func() bool {
		return h.run(t, "systemctl", "list-units", "--plain", "--no-legend", "--state=active", helpers) == ""
	})
	h.wantGone(t, "/usr/sbin/trackerd", "/run/trackerd", "/lib/systemd/system/trackerd.service")
	h.run(t, "ls", "/var/lib/trackerd/buffer.db", "/etc/trackerd/config.yaml")
	if res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"pgrep", "-x", "trackerd|sessiond"}}); err != nil || res.Code == 0 {
		t.Errorf("still running: %s %v", res.Stdout, err)
	}
}

func (h *host) installAgain(t *testing.T, deb string) {
	if said, err := h.Install(t.Context(), deb); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	h.want(t, "enabled", "systemctl", "is-enabled", "trackerd")
	h.want(t, "active", "systemctl", "is-active", "trackerd")
	h.waitReporting(t)
}

// purge expects nothing to be left.
func (h *host) purge(t *testing.T) {
	// As if it had been enrolled.
	h.run(t, "touch", "/etc/trackerd/enrollment.yaml", "/var/lib/trackerd/credential")
	h.run(t, "apt-get", "purge", "--yes", "trackerd")
	h.wantGone(t, "/etc/trackerd", "/var/lib/trackerd", "/run/trackerd")
	if left := h.run(t, "find", "/var/lib/systemd", "/etc/systemd", "-name", "*trackerd*"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// run runs a command as root and returns what it printed.
func (h *host) run(t *testing.T, args ...string) string {
	t.Helper()
	said, err := h.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func (h *host) want(t *testing.T, want string, args ...string) {
	t.Helper()
	if got := h.run(t, args...); got != want {
		t.Errorf("%s: %q, want %q", strings.Join(args, " "), got, want)
	}
}

func (h *host) wantGone(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"ls", "-d", path}}); err != nil || res.Code == 0 {
			t.Errorf("%s is still there %v", path, err)
		}
	}
}

var exposureLevel = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

func (h *host) wantExposure(t *testing.T, unit string, atMost float64) {
	t.Helper()
	report := h.run(t, "systemd-analyze", "security", "--no-pager", unit)
	m := exposureLevel.FindStringSubmatch(report)
	if m == nil {
		t.Fatalf("no exposure level in:\n%s", report)
	}
	level, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: exposure level %.1f", unit, level)
	if level > atMost {
		t.Errorf("%s: exposure level %.1f, want at most %.1f\n%s", unit, level, atMost, report)
	}
}

func (h *host) mainPID(t *testing.T, unit string) string {
	t.Helper()
	pid := h.run(t, "systemctl", "show", "-P", "MainPID", unit)
	if pid == "" || pid == "0" {
		t.Fatalf("%s does not run", unit)
	}
	return pid
}

// helperUnit is the one helper's unit.
func (h *host) helperUnit(t *testing.T) string {
	t.Helper()
	units := strings.Fields(h.run(t, "systemctl", "list-units", "--plain", "--no-legend", "--state=active", helpers))
	if len(units) == 0 {
		t.Fatal("no session has a helper")
	}
	return units[0]
}

// waitReporting waits until trackctl says that alice's session is measured.
// She types, since a helper that has nothing new says nothing for a minute.
func (h *host) waitReporting(t *testing.T) {
	t.Helper()
	if _, err := h.alice.Type(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	h.eventually(t, settleTime, "trackctl says that the session reports", func() bool {
		res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "--json", "sessions"}})
		return err == nil && strings.Contains(res.Stdout, `"reporting"`)
	})
}

// eventually waits for a condition that needs a while.
func (h *host) eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

func (h *host) journal(t *testing.T) string {
	t.Helper()
	// Also after a failure, when t's own context may be over.
	said, err := h.Run(context.WithoutCancel(t.Context()), "journalctl", "-b", "-u", "trackerd", "-n", "40", "--no-pager")
	if err != nil {
		return err.Error()
	}
	return said
}

// rebuilt makes the same package with another version.
func rebuilt(t *testing.T, deb, version string) string {
	t.Helper()
	dir := t.TempDir()
	tree, newer := filepath.Join(dir, "tree"), filepath.Join(dir, "trackerd_newer.deb")
	command(t, "dpkg-deb", "-R", deb, tree)
	control := filepath.Join(tree, "DEBIAN", "control")
	text, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(text, []byte("Version: "+version))
	if err := os.WriteFile(control, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, newer)
	return newer
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
