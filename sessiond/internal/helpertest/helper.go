// Package helpertest runs a helper as trackerd does: a program with one end of a
// socket pair as standard input, whose reports are read at the other end. Only
// tests import it.
package helpertest

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

const (
	// patience is how long a test waits for what must happen: two of the
	// shortest intervals, on a busy machine.
	patience = 30 * time.Second
	// lifeLimit ends a helper that a test forgot.
	lifeLimit = 3 * time.Minute
	// systemBuffer is the size of a socket's buffer unless it is set.
	systemBuffer = 128 << 10
	// interval is the length of the intervals that helpers are tested with, unless it
	// is set.
	interval = 5 * time.Second
)

// Build builds the package of the current folder as a program in dir, which
// other users may run.
func Build(dir string) (path string, err error) {
	const forAll = 0o755
	if err := os.Chmod(dir, forAll); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "helper")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the package is built
	out, err := build.CombinedOutput()
	if err != nil {
		err = errors.New(string(out))
	}
	return path, err
}

// Options are how a helper is started.
type Options struct {
	// Program is its path.
	Program string
	// Args are its arguments.
	Args []string
	// Buffer is the size of its socket's buffer, in bytes; 0 is the system's.
	Buffer int
	// Confine has it confine itself.
	Confine bool
	// Interval is the length of its intervals, as Args have it; 0 is 5 s.
	Interval time.Duration
	// Rules are what it is sent about titles; without a name: all may be reported.
	Rules wire.Rules
	// NoRules sends none.
	NoRules bool
	// User is whom it runs as; nil is who runs the test.
	User *syscall.Credential
}

// Helper is a running helper and the daemon's end of its socket.
type Helper struct {
	t      *testing.T
	FD     int // the daemon's end of its socket; below 0 if closed
	Cmd    *exec.Cmd
	Stderr StderrFile
	done   chan struct{}
	length time.Duration
	Last   wire.Report   // the newest report
	All    []wire.Report // every report, oldest first
	Wire   []byte        // every byte that it sent
}

// StderrFile is where a helper's errors go: a file can be read while it runs.
type StderrFile string

func (f StderrFile) String() string {
	b, err := os.ReadFile(string(f))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Start starts a helper that lives until the test ends.
func Start(t *testing.T, o Options) *Helper {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(pair[1], unix.SOL_SOCKET, unix.SO_SNDBUF, cmp.Or(o.Buffer, systemBuffer)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Send(pair[0], wire.Ceiling(wire.Version), unix.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
	if o.Rules.ID == 0 {
		o.Rules = wire.Rules{ID: 1, Titles: true}
	}
	if !o.NoRules {
		sendRules(t, pair[0], o.Rules)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lifeLimit)
	h := &Helper{t: t, FD: pair[0], Cmd: exec.CommandContext(ctx, o.Program, o.Args...), done: make(chan struct{}), length: cmp.Or(o.Interval, interval)}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	h.Stderr = StderrFile(filepath.Join(t.TempDir(), "stderr"))
	stderr, err := os.Create(string(h.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }() // the helper has its own
	h.Cmd.Stdin, h.Cmd.Stderr = theirs, stderr
	if o.Confine {
		h.Cmd.Stdin, h.Cmd.Stdout = nil, theirs
	}
	h.Cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.User}
	if err := h.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close() // the helper has its own
	go func() {
		defer close(h.done)
		_ = h.Cmd.Wait() // the exit code is looked at where it matters
	}()
	t.Cleanup(func() {
		_ = h.Cmd.Process.Kill() // ended already is as good
		<-h.done
		cancel()
		h.CloseSocket()
	})
	return h
}

func sendRules(t *testing.T, fd int, rules wire.Rules) {
	t.Helper()
	if err := unix.Send(fd, wire.AppendRules(nil, &rules), unix.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
}

// Done is closed once the helper has ended.
func (h *Helper) Done() <-chan struct{} { return h.done }

// SendRules sends other rules for titles.
func (h *Helper) SendRules(rules wire.Rules) { sendRules(h.t, h.FD, rules) }

// CloseSocket is what a daemon that ends does.
func (h *Helper) CloseSocket() {
	if h.FD >= 0 {
		_ = unix.Close(h.FD) // nothing was written
		h.FD = -1
	}
}

// Read takes one report, if one comes in time.
func (h *Helper) Read(timeout time.Duration) bool {
	h.t.Helper()
	fds := [...]unix.PollFd{{Fd: int32(h.FD), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds[:], int(timeout/time.Millisecond)); n <= 0 {
		return false
	}
	b := make([]byte, wire.MaxMessageBytes+1)
	n, err := unix.Read(h.FD, b)
	if err != nil || n == 0 {
		return false
	}
	r, err := wire.Decode(b[:n])
	if err != nil {
		h.t.Fatalf("report: %v", err)
	}
	h.check(r)
	h.Wire = append(h.Wire, b[:n]...)
	h.Last, h.All = r, append(h.All, r)
	return true
}

// check holds each report against the one before.
func (h *Helper) check(r wire.Report) {
	h.t.Helper()
	before := h.Last
	if len(h.All) > 0 && (r.Counters.Keys < before.Counters.Keys || r.Counters.ActiveMS < before.Counters.ActiveMS ||
		r.Counters.DistancePx < before.Counters.DistancePx || r.IntervalStartUnix < before.IntervalStartUnix ||
		r.StartedUnixNano != before.StartedUnixNano) {
		h.t.Fatalf("%+v came after %+v", r, before)
	}
	var focus uint64
	for _, f := range r.Focus {
		focus += f.DurationMS
		if f.ActiveMS != wire.ActiveUnknown && f.ActiveMS > f.DurationMS {
			h.t.Fatalf("a window is active for longer than it is in front: %+v", r)
		}
	}
	if r.Version != wire.Version {
		h.t.Fatalf("version %d", r.Version)
	}
	if focus > uint64(h.length/time.Millisecond)+1 { // a clock that is being slewed moves the strike by a rounding
		h.t.Fatalf("%d ms of focus in an interval of %v: %+v", focus, h.length, r)
	}
}

// Until reads reports until what is waited for is there.
func (h *Helper) Until(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			h.t.Fatalf("never: %s; last report %+v; %s", what, h.Last, h.Stderr.String())
		}
		h.Read(100 * time.Millisecond)
	}
}

// Exit waits for the helper's end, reads what it left, and returns its exit code.
func (h *Helper) Exit() int {
	h.t.Helper()
	select {
	case <-h.done:
	case <-time.After(patience + 30*time.Second):
		h.t.Fatal("the helper never ended")
	}
	for h.FD >= 0 && h.Read(0) {
		continue
	}
	return h.Cmd.ProcessState.ExitCode()
}
