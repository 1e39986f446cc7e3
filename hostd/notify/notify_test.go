package notify

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitTime bounds waiting for a message; it arrives at once.
const waitTime = 10 * time.Second

// manager is the end at which systemd listens.
func manager(t *testing.T) (*net.UnixConn, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, New(path)
}

func receive(t *testing.T, conn *net.UnixConn) (string, []int) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		list, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, list...)
	}
	return string(b[:n]), fds
}

func TestMessages(t *testing.T) {
	conn, c := manager(t)
	for want, send := range map[string]func() error{
		"READY=1":                        c.Ready,
		"STOPPING=1":                     c.Stopping,
		"WATCHDOG=1":                     c.alive,
		"STATUS=2 sessions, all is well": func() error { return c.Status("2 sessions, all is well") },
		"STATUS=a; READY=1??":            func() error { return c.Status("a\nREADY=1\x00\xff") },
		"FDSTOREREMOVE=1\nFDNAME=c1-2-3": func() error { return c.RemoveFD("c1-2-3") },
	} {
		if err := send(); err != nil {
			t.Fatalf("%q: %v", want, err)
		}
		if got, fds := receive(t, conn); got != want || len(fds) != 0 {
			t.Errorf("got %q with %d descriptors, want %q", got, len(fds), want)
		}
	}
	if err := c.Status(strings.Repeat("я", 10_000)); err != nil {
		t.Fatal(err)
	}
	if got, _ := receive(t, conn); len(got) > maxStatus+len("STATUS=") || !utf8.ValidString(got) {
		t.Errorf("a status of %d bytes was sent", len(got))
	}
}

func TestStoreFDPassesTheDescriptor(t *testing.T) {
	conn, c := manager(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	if err := c.StoreFD("c1-2-3", w); err != nil {
		t.Fatal(err)
	}
	got, fds := receive(t, conn)
	// Without FDPOLL=0 systemd drops a socket as soon as its helper ends.
	if got != "FDSTORE=1\nFDPOLL=0\nFDNAME=c1-2-3" || len(fds) != 1 {
		t.Fatalf("got %q with %d descriptors", got, len(fds))
	}
	copied := os.NewFile(uintptr(fds[0]), "copy")
	if _, err := copied.WriteString("x"); err != nil {
		t.Error(err)
	}
	_ = copied.Close()
	b := make([]byte, 1)
	if _, err := r.Read(b); err != nil || b[0] != 'x' {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestNamesThatSystemdRefuses(t *testing.T) {
	_, c := manager(t)
	for _, name := range []string{"", "a:b", "a b", "a\nREADY=1", "ä", strings.Repeat("a", MaxNameBytes+1)} {
		if c.StoreFD(name, os.Stdin) == nil || c.RemoveFD(name) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestWithoutServiceManager(t *testing.T) {
	c := New("")
	if err := errors.Join(c.Ready(), c.Status("x"), c.StoreFD("a", os.Stdin), c.RemoveFD("a")); err != nil {
		t.Error(err)
	}
	if err := New(filepath.Join(t.TempDir(), "none")).Ready(); err == nil {
		t.Error("a socket that is not there made no error")
	}
}

func TestWatchdogInterval(t *testing.T) {
	for usec, want := range map[string]time.Duration{"": 0, "30000000": 10 * time.Second} {
		t.Setenv("WATCHDOG_USEC", usec)
		if got, err := WatchdogInterval(); err != nil || got != want {
			t.Errorf("%q: got %v, %v", usec, got, err)
		}
	}
	for _, usec := range []string{"x", "-1", "0"} {
		t.Setenv("WATCHDOG_USEC", usec)
		if _, err := WatchdogInterval(); err == nil {
			t.Errorf("%q was accepted", usec)
		}
	}
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", "1")
	if got, err := WatchdogInterval(); err != nil || got != 0 {
		t.Errorf("another process's watchdog: got %v, %v", got, err)
	}
}

// One loop that hangs is enough for systemd to hear nothing.
func TestWatchdogNeedsEveryLoop(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	w := NewWatchdog(New(""), time.Second)
	w.now = func() time.Time { return now }
	var stalled []string
	w.OnStall(func(loop string, _ time.Duration) { stalled = append(stalled, loop) })
	quick, slow := w.Loop("quick", time.Minute), w.Loop("slow", time.Hour)
	if !w.healthy() {
		t.Error("unhealthy at the start")
	}
	now = now.Add(time.Minute + 1)
	if w.healthy() || len(stalled) != 1 || stalled[0] != "quick" {
		t.Errorf("healthy although one loop hangs; stalled: %q", stalled)
	}
	quick.Made()
	if !w.healthy() {
		t.Error("unhealthy although every loop got on")
	}
	now = now.Add(time.Hour)
	quick.Made()
	if w.healthy() {
		t.Error("healthy although the slow loop hangs")
	}
	slow.Made()
	if !w.healthy() {
		t.Error("unhealthy although every loop got on")
	}
}

func TestWatchdogFeedsTheManager(t *testing.T) {
	conn, c := manager(t)
	w := NewWatchdog(c, 10*time.Millisecond)
	w.Loop("a", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for range 3 {
		if got, _ := receive(t, conn); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
