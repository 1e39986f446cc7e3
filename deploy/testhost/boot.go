package testhost

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"activity-tracker.example/testhost/internal/netns"
	"activity-tracker.example/testhost/internal/wait"
)

//go:embed boot.sh
var bootScript string

// boot makes the namespaces, boots the host in them and waits until it is up.
func (h *Host) boot(ctx context.Context, base string, opts Options) error {
	var err error
	if h.client, err = netns.New(); err != nil {
		return err
	}
	if h.host, err = netns.New(); err != nil {
		return err
	}
	err = netns.Join(ctx, netns.End{Netns: h.client, Addr: ClientAddr}, netns.End{Netns: h.host, Addr: HostAddr})
	if err != nil {
		return err
	}
	if err := h.holdClientNetns(); err != nil {
		return err
	}
	if err := h.startSystemd(base, opts); err != nil {
		return err
	}
	if err := wait.Until(ctx, h.findLeader); err != nil {
		return fmt.Errorf("wait for the host's systemd: %w", err)
	}
	if err := h.waitRunning(ctx); err != nil {
		return err
	}
	// Not every tree has it.
	if _, err := os.Stat(filepath.Join(base, "usr/sbin/xrdp")); err == nil {
		if err := h.WaitRDP(ctx); err != nil {
			return err
		}
	}
	info, err := json.Marshal(h.info)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.dir(), "host.json"), info, 0o600)
}

// holdClientNetns keeps the clients' namespace findable for other processes.
func (h *Host) holdClientNetns() error {
	cmd := exec.Command("nsenter", "--net=/proc/self/fd/3", "sleep", "infinity")
	cmd.ExtraFiles = []*os.File{h.client}
	if err := h.startIn("client", cmd); err != nil {
		return fmt.Errorf("hold the clients' network namespace: %w", err)
	}
	h.info.Holder = cmd.Process.Pid
	return nil
}

// startSystemd starts nspawn, which boots the host.
func (h *Host) startSystemd(base string, opts Options) error {
	name := opts.Hostname
	if name == "" {
		name = "testhost"
	}
	memory := opts.Memory
	if memory == "" {
		memory = defaultMemory
	}
	log, err := os.Create(filepath.Join(h.dir(), "console.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--mount", "--propagation=private",
		"sh", "-c", bootScript, "testhost-boot", h.dir(), base, memory,
		fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.host.Fd()), name)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + hostPath, "SYSTEMD_LOG_LEVEL=warning"}
	cmd.Stdout, cmd.Stderr = log, log
	if err := h.startIn("host", cmd); err != nil {
		return fmt.Errorf("start systemd-nspawn: %w", err)
	}
	return nil
}

// startIn starts cmd within the part of the host's cgroup that sub names. It
// is reaped when it ends; it ends with the host at the latest.
func (h *Host) startIn(sub string, cmd *exec.Cmd) error {
	dir, err := os.Open(filepath.Join(h.info.Cgroup, sub))
	if err != nil {
		return err
	}
	defer dir.Close()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // reaps it; its end shows elsewhere
	return nil
}

// findLeader looks for the host's process 1.
func (h *Host) findLeader() (bool, error) {
	procs, err := os.ReadFile(filepath.Join(h.info.Cgroup, "host/payload/init.scope/cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) {
		return false, h.bootFailed()
	}
	if err != nil {
		return false, err
	}
	for _, line := range strings.Fields(string(procs)) {
		status, err := os.ReadFile("/proc/" + line + "/status")
		if err != nil || !isInit(string(status)) {
			continue
		}
		h.info.Leader, err = strconv.Atoi(line)
		return err == nil, err
	}
	return false, nil
}

// bootFailed is an error once nothing of the boot is left running.
func (h *Host) bootFailed() error {
	events, err := os.ReadFile(filepath.Join(h.info.Cgroup, "host/cgroup.events"))
	if err != nil {
		return err
	}
	if strings.Contains(string(events), "populated 0") {
		return errors.New("systemd-nspawn ended")
	}
	return nil
}

// isInit reports whether a /proc/PID/status is that of a process 1 in a process
// id namespace below this one.
func isInit(status string) bool {
	for line := range strings.Lines(status) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(ids)
			return len(f) >= 2 && f[len(f)-1] == "1"
		}
	}
	return false
}

// waitRunning waits until the host's start-up jobs are done.
func (h *Host) waitRunning(ctx context.Context) error {
	var state string
	err := wait.Until(ctx, func() (bool, error) {
		res, err := h.Exec(ctx, Command{Args: []string{"systemctl", "is-system-running", "--wait"}})
		state = strings.TrimSpace(res.Stdout)
		return state == "running" || state == "degraded", err
	})
	if err != nil {
		return fmt.Errorf("wait until the host is up, it is %q: %w", state, err)
	}
	if state == "degraded" {
		failed, err := h.Run(ctx, "systemctl", "--failed", "--no-legend", "--plain")
		return errors.Join(fmt.Errorf("the host came up with failed units:\n%s", failed), err)
	}
	return nil
}

// WaitRDP waits until xrdp listens, as Start does; after a restart of xrdp it
// is needed again. xrdp begins about a second after its unit is up.
func (h *Host) WaitRDP(ctx context.Context) error {
	if err := wait.Until(ctx, h.rdpListens); err != nil {
		return fmt.Errorf("wait for xrdp to listen: %w", err)
	}
	return nil
}

func (h *Host) rdpListens() (bool, error) {
	const listening = ":0D3D 00000000000000000000000000000000:0000 0A" // port 3389
	sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp6", h.info.Leader))
	return strings.Contains(string(sockets), listening), err
}

// console is the end of what the host printed while it booted.
func (h *Host) console() string {
	log, err := os.ReadFile(filepath.Join(h.dir(), "console.log"))
	if err != nil {
		return err.Error()
	}
	return tail(string(log), 4000)
}

// tail returns at most the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
