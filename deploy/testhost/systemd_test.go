package testhost

import (
	_ "embed" // the script
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

//go:embed testdata/machine.sh
var machineScript string

// TestOnSystemdMachine runs the tests of booting and cleaning up on a machine
// that systemd runs: a copy of this one, booted in a container, with nothing
// but cgroup v2. Where systemd runs this machine, the tests themselves show it.
func TestOnSystemdMachine(t *testing.T) {
	if info, err := os.Stat("/run/systemd/system"); err == nil && info.IsDir() {
		t.Log("this machine is run by systemd")
		return
	}
	root, err := cgroupRoot()
	if err != nil {
		t.Fatal(err)
	}
	// Its own cgroup, removed as a host's is.
	h := &Host{info: hostInfo{ID: newID()}}
	h.info.Cgroup = filepath.Join(root, "activity-tracker-testmachine-"+h.info.ID)
	dir := t.TempDir()
	for _, path := range []string{h.info.Cgroup, h.info.Cgroup + "/host"} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/cgroup", []byte(h.info.Cgroup), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out, err := exec.Command("sh", "-c", guardScript, "guard", dir, "0").CombinedOutput()
		if err != nil {
			t.Errorf("clean up: %v: %s", err, out)
		}
	})
	bootMachine(t, h, dir)

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CopyIn(t.Context(), self, "/root/testhost.test"); err != nil {
		t.Fatal(err)
	}
	out, err := h.Run(timeout(t, 3*time.Minute), "/root/testhost.test", "-test.v", "-test.run",
		"^(TestTwoHostsAtOnce|TestKilledCaller|TestKilledGuard|TestForward)$")
	t.Logf("on the machine that systemd runs:\n%s", out)
	if err != nil || strings.Count(out, "--- PASS: ") != 4 {
		t.Errorf("the tests fail there: %v", err)
	}
}

// bootMachine boots the copy and waits until systemd is up.
func bootMachine(t *testing.T, h *Host, dir string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--mount", "--propagation=private", "sh", "-c", machineScript, "machine", dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := h.startIn("host", cmd); err != nil {
		t.Fatal(err)
	}
	ctx := timeout(t, time.Minute)
	if err := wait.Until(ctx, h.findLeader); err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("the machine does not boot: %v: %s", err, said)
	}
	err = wait.Until(ctx, func() (bool, error) {
		res, err := h.Exec(ctx, Command{Args: []string{"systemctl", "is-system-running", "--wait"}})
		state := strings.TrimSpace(res.Stdout)
		return state == "running" || state == "degraded", err
	})
	if err != nil {
		t.Fatalf("the machine does not come up: %v", err)
	}
	if _, err := h.Run(ctx, "test", "-d", "/run/systemd/system"); err != nil {
		t.Fatal(err)
	}
}
