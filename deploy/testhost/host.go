package testhost

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

//go:embed boot.sh
var bootScript string

//go:embed guard.sh
var guardScript string

// StateDir holds one folder for each host that runs, named by its id.
const StateDir = "/run/activity-tracker-testhost"

// Limits of a host, unless Options say otherwise.
const (
	// defaultLife is longer than any test run; a forgotten host ends then.
	defaultLife = 30 * time.Minute
	// defaultMemory bounds what a host may write, all of it kept in memory.
	defaultMemory = "2G"
	// bootTimeout is for a machine under heavy load; 3 s is usual.
	bootTimeout = 90 * time.Second
	// closeTimeout is for the guard: it waits 10 s for processes to end.
	closeTimeout = 20 * time.Second
)

// Options say what kind of host Start boots. The zero value is a good one.
type Options struct {
	// Base is what is on the host; debian.XRDP of Debian 12 unless given.
	Base debian.Recipe
	// Hostname is the host's name; "testhost" unless given.
	Hostname string
	// MaxLife is after what time the host is removed whatever happens; half an
	// hour unless given.
	MaxLife time.Duration
	// Memory is the size of the host's writable layer, as tmpfs takes it; "2G"
	// unless given.
	Memory string
	// Progress takes lines for people; nil throws them away.
	Progress io.Writer
}

// Host is a booted host. Its methods may be called from several goroutines.
type Host struct {
	info hostInfo
	// guard and release are the caller's only: closing release makes the guard
	// clean up. An attached host has neither.
	guard   *exec.Cmd
	release io.Closer
	// client and host are the network namespaces.
	client, host *os.File
}

// hostInfo is what another process needs to know to drive the host; it lies in
// the host's folder.
type hostInfo struct {
	ID string `json:"id"`
	// Suite is the release of Debian that the host is.
	Suite debian.Suite `json:"suite"`
	// Leader is the process id of the host's systemd.
	Leader int `json:"leader"`
	// Holder is a process in the clients' network namespace.
	Holder int    `json:"holder"`
	Cgroup string `json:"cgroup"`
}

// ID is the host's id, which names its folder and its cgroup.
func (h *Host) ID() string { return h.info.ID }

// Suite is the release of Debian that the host is.
func (h *Host) Suite() debian.Suite { return h.info.Suite }

// Leader is the process id of the host's systemd, as the machine sees it.
func (h *Host) Leader() int { return h.info.Leader }

func (h *Host) dir() string { return filepath.Join(StateDir, h.info.ID) }

// Start boots a host and returns when its services are up. It sweeps what
// killed callers left first. Close removes the host; so does the end of this
// process, however it ends.
func Start(ctx context.Context, opts Options) (*Host, error) {
	if err := checkMachine(); err != nil {
		return nil, err
	}
	base, err := debian.Build(ctx, opts.base(), opts.Progress)
	if err != nil {
		return nil, err
	}
	if _, err := Sweep(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	h, err := reserve(ctx, opts.life())
	if err != nil {
		return nil, err
	}
	h.info.Suite = opts.base().Suite
	if err := h.boot(ctx, base, opts); err != nil {
		err = fmt.Errorf("boot test host: %w\nconsole:\n%s", err, h.console())
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (o Options) base() debian.Recipe {
	if o.Base.Suite == "" {
		return debian.XRDP(debian.Bookworm)
	}
	return o.Base
}

func (o Options) life() time.Duration {
	if o.MaxLife > 0 {
		return o.MaxLife
	}
	return defaultLife
}

// reserve makes the host's folder and its cgroup, and starts the guard that
// removes both.
func reserve(ctx context.Context, life time.Duration) (*Host, error) {
	root, err := cgroupRoot()
	if err != nil {
		return nil, err
	}
	unlock, err := lockState(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	id := newID()
	h := &Host{info: hostInfo{ID: id, Cgroup: filepath.Join(root, "activity-tracker-testhost-"+id)}}
	if err := os.Mkdir(h.dir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the host's folder: %w", err)
	}
	lock, err := os.Create(filepath.Join(h.dir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("make the host's lock: %w", err)
	}
	defer lock.Close()
	if ok, err := wait.TryLock(lock); !ok {
		return nil, fmt.Errorf("lock the host's folder: %w", err)
	}
	if err := h.startGuard(lock, life); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	err = os.WriteFile(filepath.Join(h.dir(), "cgroup"), []byte(h.info.Cgroup), 0o600)
	for _, sub := range []string{"", "host", "client"} {
		err = errors.Join(err, ignoreExist(os.Mkdir(filepath.Join(h.info.Cgroup, sub), 0o755)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the host's cgroup: %w", err), h.Close())
	}
	return h, nil
}

func ignoreExist(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// startGuard starts the guard in a session of its own, so that Ctrl-C in the
// caller's terminal does not reach it.
func (h *Host) startGuard(lock *os.File, life time.Duration) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	log, err := os.Create(filepath.Join(h.dir(), "guard.log"))
	if err != nil {
		w.Close()
		return err
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", guardScript, "testhost-guard", h.dir(),
		strconv.Itoa(max(1, int(life.Seconds()))))
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	h.guard, h.release = cmd, w
	return nil
}

// Close removes the host and everything that belongs to it. On an attached
// host it only closes what Attach opened.
func (h *Host) Close() error {
	err := errors.Join(closeFile(h.client), closeFile(h.host))
	if h.guard == nil {
		return err
	}
	err = errors.Join(err, h.release.Close())
	done := make(chan error, 1)
	go func() { done <- h.guard.Wait() }()
	select {
	case waitErr := <-done:
		if waitErr != nil {
			log, _ := os.ReadFile(filepath.Join(h.dir(), "guard.log"))
			err = errors.Join(err, fmt.Errorf("clean up test host %s: %w: %s", h.info.ID, waitErr, log))
		}
	case <-time.After(closeTimeout):
		err = errors.Join(err, fmt.Errorf("clean up test host %s: not done after %s; try: testhost sweep", h.info.ID, closeTimeout))
	}
	h.guard = nil
	return err
}

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return ignoreClosed(f.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// boot makes the namespaces, boots the host in them and waits until it is up.
func (h *Host) boot(ctx context.Context, base string, opts Options) error {
	var err error
	if h.client, err = newNetns(); err != nil {
		return err
	}
	if h.host, err = newNetns(); err != nil {
		return err
	}
	if err := joinNetns(ctx, h.client, h.host); err != nil {
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

// isInit says whether a /proc/PID/status is that of a process 1 in a process
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

// Attach returns a host that another process started. The host ends with that
// process, not with this one.
func Attach(id string) (*Host, error) {
	if id == "" || strings.ContainsAny(id, "/.") {
		return nil, fmt.Errorf("test host %q: no such id", id)
	}
	h := &Host{}
	b, err := os.ReadFile(filepath.Join(StateDir, id, "host.json"))
	if err != nil {
		return nil, fmt.Errorf("no test host %q is up (testhost list shows them): %w", id, err)
	}
	if err := json.Unmarshal(b, &h.info); err != nil {
		return nil, fmt.Errorf("read test host %q: %w", id, err)
	}
	if h.client, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", h.info.Holder)); err != nil {
		return nil, fmt.Errorf("test host %q is gone: %w", id, err)
	}
	if h.host, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", h.info.Leader)); err != nil {
		return nil, errors.Join(fmt.Errorf("test host %q is gone: %w", id, err), h.client.Close())
	}
	return h, nil
}

func newID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// cgroupRoot is where the machine has its cgroup v2 hierarchy mounted:
// /sys/fs/cgroup, or a folder in it where both versions are in use.
func cgroupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("read the mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("no cgroup v2 hierarchy is mounted; try: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
}

// checkMachine says what is missing before anything is begun.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("test hosts need root: run this with sudo")
	}
	if err := unix.Access("/proc/self/ns/net", unix.R_OK); err != nil {
		return fmt.Errorf("the kernel has no network namespaces: %w", err)
	}
	if _, err := freeRDP(); err != nil {
		return err
	}
	return checkTools("systemd-nspawn", "nsenter", "unshare", "ip", "Xvfb")
}

// freeRDP returns the name of the machine's RDP client: Debian 12 has version 2,
// Debian 13 version 3.
func freeRDP() (string, error) {
	for _, name := range []string{"xfreerdp3", "xfreerdp"} {
		if _, err := exec.LookPath(name); err == nil {
			return name, nil
		}
	}
	return "", errors.New("an RDP client is missing; run: apt-get install freerdp3-x11, or freerdp2-x11 on Debian 12")
}

// toolPackages names the Debian package of each program that is used.
var toolPackages = map[string]string{
	"systemd-nspawn": "systemd-container",
	"nsenter":        "util-linux",
	"unshare":        "util-linux",
	"ip":             "iproute2",
	"Xvfb":           "xvfb",
}

func checkTools(names ...string) error {
	var missing []string
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, toolPackages[name])
		}
	}
	if missing != nil {
		return fmt.Errorf("programs are missing; run: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// tail returns at most the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
