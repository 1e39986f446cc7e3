package testhost

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

// holderEnv makes this test program boot a host and wait to be killed.
const holderEnv = "TESTHOST_TEST_HOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holderEnv) != "" {
		hold()
		return
	}
	os.Exit(m.Run())
}

func hold() {
	h, err := Start(context.Background(), Options{MaxLife: 5 * time.Minute})
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	fmt.Println(h.ID(), h.guard.Process.Pid)
	select {}
}

// start boots a host for a test and checks afterwards that nothing of it is
// left.
func start(t *testing.T) *Host {
	t.Helper()
	return startBase(t, debian.XRDP(debian.Bookworm))
}

func startBase(t *testing.T, base debian.Recipe) *Host {
	t.Helper()
	h, err := Start(t.Context(), Options{Base: base, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	fp := footprintOf(t, h)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		fp.mustBeGone(t)
	})
	return h
}

// footprint is what a host occupies on the machine.
type footprint struct {
	id string
	// netns are its two network namespaces, as /proc/PID/ns/net names them.
	netns []string
}

func footprintOf(t *testing.T, h *Host) footprint {
	t.Helper()
	fp := footprint{id: h.ID()}
	for _, pid := range []int{h.info.Leader, h.info.Holder} {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			t.Fatal(err)
		}
		fp.netns = append(fp.netns, ns)
	}
	if left := fp.left(t); len(left) < 5 {
		t.Fatalf("a running host shows only as %q: this test sees too little", left)
	}
	return fp
}

// left lists what there is of the host.
func (fp footprint) left(t *testing.T) []string {
	t.Helper()
	var left []string
	root, err := cgroupRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{root + "/*" + fp.id, "/sys/fs/cgroup/*/*" + fp.id, StateDir + "/" + fp.id} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, proc := range procs {
		left = append(left, fp.inProcess(proc)...)
	}
	return left
}

// inProcess lists what a process shows of the host; one that ended meanwhile
// shows nothing.
func (fp footprint) inProcess(proc string) []string {
	var left []string
	status, _ := os.ReadFile(proc + "/stat")
	if strings.Contains(string(status), ") Z ") {
		return nil // ended; its parent only has not looked yet
	}
	for _, file := range []string{"cgroup", "mounts", "cmdline"} {
		b, _ := os.ReadFile(filepath.Join(proc, file))
		if strings.Contains(string(b), fp.id) {
			left = append(left, filepath.Join(proc, file))
		}
	}
	ns, _ := os.Readlink(proc + "/ns/net")
	for _, own := range fp.netns {
		if ns == own {
			left = append(left, proc+"/ns/net")
		}
	}
	return left
}

func (fp footprint) mustBeGone(t *testing.T) {
	t.Helper()
	// Killed children of this process stay in /proc until it has reaped them.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
	defer cancel()
	var left []string
	if wait.Until(ctx, func() (bool, error) { left = fp.left(t); return left == nil, nil }) != nil {
		t.Errorf("host %s left behind: %q", fp.id, left)
	}
}

func TestTwoHostsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	hosts := make([]*Host, 2)
	errs := make([]error, 2)
	for i := range hosts {
		wg.Go(func() {
			hosts[i], errs[i] = Start(t.Context(), Options{Hostname: fmt.Sprintf("host%d", i)})
		})
	}
	wg.Wait()
	var ids [2]string
	for i, h := range hosts {
		if errs[i] != nil {
			t.Error(errs[i])
			continue
		}
		fp := footprintOf(t, h)
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			fp.mustBeGone(t)
		}()
		name, err := h.Run(t.Context(), "hostname")
		if want := fmt.Sprintf("host%d", i); err != nil || name != want {
			t.Errorf("hostname = %q, %v, want %q", name, err, want)
		}
		if ids[i], err = h.Run(t.Context(), "cat", "/etc/machine-id"); err != nil || len(ids[i]) != 32 {
			t.Errorf("machine id = %q, %v, want 32 digits", ids[i], err)
		}
	}
	if ids[0] == ids[1] {
		t.Errorf("both hosts have the machine id %s", ids[0])
	}
}

// TestKilledCaller kills the process that has a host; the guard cleans up.
func TestKilledCaller(t *testing.T) {
	holder, id, _ := startHolder(t)
	fp := attachedFootprint(t, id)
	kill(t, holder.Process.Pid)
	waitGone(t, fp)
}

// TestKilledGuard kills both; the next sweep cleans up, and not before.
func TestKilledGuard(t *testing.T) {
	holder, id, guard := startHolder(t)
	fp := attachedFootprint(t, id)
	if swept, err := Sweep(t.Context()); err != nil || contains(swept, id) {
		t.Fatalf("Sweep = %v, %v with host %s in use", swept, err, id)
	}
	kill(t, guard)
	kill(t, holder.Process.Pid)
	err := wait.Until(timeout(t, 20*time.Second), func() (bool, error) {
		swept, err := Sweep(t.Context())
		return contains(swept, id), err
	})
	if err != nil {
		t.Fatalf("host %s is not swept: %v", id, err)
	}
	fp.mustBeGone(t)
}

// TestMaxLife has a host that its caller forgets.
func TestMaxLife(t *testing.T) {
	const life = 10 * time.Second
	h, err := Start(t.Context(), Options{MaxLife: life})
	if err != nil {
		t.Fatal(err)
	}
	fp := footprintOf(t, h)
	waitGone(t, fp)
	if err := h.Close(); err != nil {
		t.Errorf("Close after the host's end: %v", err)
	}
}

func startHolder(t *testing.T) (holder *exec.Cmd, id string, guard int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), holderEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	id, pid, ok := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !ok {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	if guard, err = strconv.Atoi(pid); err != nil {
		t.Fatalf("the holder said %q", line)
	}
	return cmd, id, guard
}

func attachedFootprint(t *testing.T, id string) footprint {
	t.Helper()
	h, err := Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Run(t.Context(), "true"); err != nil {
		t.Fatal(err)
	}
	return footprintOf(t, h)
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func waitGone(t *testing.T, fp footprint) {
	t.Helper()
	err := wait.Until(timeout(t, 30*time.Second), func() (bool, error) { return fp.left(t) == nil, nil })
	if err != nil {
		t.Errorf("host %s is still there: %q", fp.id, fp.left(t))
	}
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
