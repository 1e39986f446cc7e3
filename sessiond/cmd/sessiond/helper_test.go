package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// patience is how long a test waits for what must happen: two of the shortest
// intervals, on a busy machine.
const patience = 30 * time.Second

// buildDir names the environment variable that says where binary builds.
const buildDir = "SESSIOND_TEST_BUILD_DIR"

// binary builds sessiond once for all tests that want it.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(buildDir), "sessiond")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = errors.New(string(out))
	}
	return path, err
})

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sessiond-test")
	if err == nil {
		err = os.Setenv(buildDir, dir)
	}
	if err != nil {
		println("making a folder for the tests:", err.Error())
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // in /tmp
	return m.Run()
}

// helper is a running sessiond and the daemon's end of its socket.
type helper struct {
	t      *testing.T
	fd     int
	cmd    *exec.Cmd
	stderr stderrFile
	done   chan struct{}
	last   wire.Report
	all    []wire.Report
}

// stderrFile is where a helper's errors go: a file can be read while it runs.
type stderrFile string

func (f stderrFile) String() string {
	b, err := os.ReadFile(string(f))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func startHelper(t *testing.T, s *xtest.Server, args ...string) *helper {
	t.Helper()
	h := newHelper(t, append([]string{"--display", s.Display, "--interval", "5s"}, args...)...)
	h.until("the first report", func() bool { return len(h.all) > 0 })
	return h
}

func newHelper(t *testing.T, args ...string) *helper {
	t.Helper()
	const buffer = 128 << 10 // as the system's
	return newHelperWith(t, buffer, args...)
}

// newHelperWith starts a helper whose socket's buffer has a size.
func newHelperWith(t *testing.T, buffer int, args ...string) *helper {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("building sessiond: %v", err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(pair[1], unix.SOL_SOCKET, unix.SO_SNDBUF, buffer); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), xtest.LifeLimit)
	h := &helper{t: t, fd: pair[0], cmd: exec.CommandContext(ctx, path, args...), done: make(chan struct{})}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	h.stderr = stderrFile(filepath.Join(t.TempDir(), "stderr"))
	stderr, err := os.Create(string(h.stderr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }() // the helper has its own
	h.cmd.Stdin, h.cmd.Stderr = theirs, stderr
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close() // the helper has its own
	go func() {
		defer close(h.done)
		_ = h.cmd.Wait() // the exit code is looked at where it matters
	}()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // ended already is as good
		<-h.done
		cancel()
		h.closeSocket()
	})
	return h
}

func (h *helper) closeSocket() {
	if h.fd >= 0 {
		_ = unix.Close(h.fd) // nothing was written
		h.fd = -1
	}
}

// read takes one report, if one comes in time.
func (h *helper) read(timeout time.Duration) bool {
	h.t.Helper()
	fds := [...]unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds[:], int(timeout/time.Millisecond)); n <= 0 {
		return false
	}
	b := make([]byte, wire.MaxMessageBytes+1)
	n, err := unix.Read(h.fd, b)
	if err != nil || n == 0 {
		return false
	}
	r, err := wire.Decode(b[:n])
	if err != nil {
		h.t.Fatalf("report: %v", err)
	}
	h.check(r)
	h.last, h.all = r, append(h.all, r)
	return true
}

// check holds each report against the one before.
func (h *helper) check(r wire.Report) {
	h.t.Helper()
	before := h.last
	if len(h.all) > 0 && (r.Counters.Keys < before.Counters.Keys || r.Counters.ActiveMS < before.Counters.ActiveMS ||
		r.Counters.DistancePx < before.Counters.DistancePx || r.IntervalStartUnix < before.IntervalStartUnix ||
		r.StartedUnixNano != before.StartedUnixNano) {
		h.t.Fatalf("%+v came after %+v", r, before)
	}
	var focus uint64
	for _, f := range r.Focus {
		focus += f.DurationMS
	}
	if focus > 5000+1 { // a clock that is being slewed moves the strike by a rounding
		h.t.Fatalf("%d ms of focus in an interval of 5 s: %+v", focus, r)
	}
}

func (h *helper) until(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			h.t.Fatalf("never: %s; last report %+v; %s", what, h.last, h.stderr.String())
		}
		h.read(100 * time.Millisecond)
	}
}

// exit waits for the helper's end, reads what it left, and gives its exit code.
func (h *helper) exit() int {
	h.t.Helper()
	select {
	case <-h.done:
	case <-time.After(patience + 30*time.Second):
		h.t.Fatal("the helper never ended")
	}
	for h.fd >= 0 && h.read(0) {
		continue
	}
	return h.cmd.ProcessState.ExitCode()
}
