package display

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// The kernel names the owner of a real socket's file and its listener.
func TestListAsksTheKernel(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"X7", "X10", "X010", "Xa", "x3", "X70000"} {
		listen(t, filepath.Join(dir, name))
	}
	if err := os.WriteFile(filepath.Join(dir, "X8"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, "X7"), 1234, -1); err != nil {
		t.Fatalf("this takes root: %v", err)
	}
	left, err := net.Listen("unix", filepath.Join(dir, "X9"))
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = left.Close() // nobody listens there any more
	places := System()
	places.Sockets = dir
	list, err := places.List()
	if err != nil || len(list) != 2 {
		t.Fatalf("got %+v, %v; want :7 and :10", list, err)
	}
	for _, d := range list {
		owner := uint32(os.Getuid())
		if d.Number == 7 {
			owner = 1234
		}
		if d.Owner != owner || d.UID != uint32(os.Getuid()) || d.PID != uint32(os.Getpid()) || d.SinceMicro == 0 {
			t.Errorf("%s: got %+v", d.Name(), d)
		}
	}
	if list, err := (Places{Sockets: filepath.Join(dir, "none")}).List(); list != nil || err != nil {
		t.Errorf("no folder: got %+v, %v", list, err)
	}
}

// A user who makes very many sockets hides nobody else's.
func TestManyOfOneUser(t *testing.T) {
	dir := t.TempDir()
	for i := range maxPerOwner + 10 {
		path := filepath.Join(dir, "X"+strconv.Itoa(100+i))
		listen(t, path)
		if err := os.Chown(path, 1234, -1); err != nil {
			t.Fatalf("this takes root: %v", err)
		}
	}
	for i := range 3 {
		listen(t, filepath.Join(dir, "X"+strconv.Itoa(i)))
	}
	list, err := Places{Sockets: dir, Proc: "/proc"}.List()
	mine := 0
	for _, d := range list {
		if d.Owner == uint32(os.Getuid()) {
			mine++
		}
	}
	if err != nil || mine != 3 || len(list) != maxPerOwner+3 {
		t.Errorf("listed %d, %d of mine, %v", len(list), mine, err)
	}
}

func TestScopeOf(t *testing.T) {
	for cgroup, want := range map[string]string{
		"0::/user.slice/user-1000.slice/session-c1.scope\n":                           "session-c1.scope",
		"0::/user.slice/user-1000.slice/session-c1.scope/mine\n":                      "session-c1.scope",
		"1:name=systemd:/user.slice/user-0.slice/session-3.scope\n0::/\n":             "session-3.scope",
		"0::/user.slice/user-1000.slice/user@1000.service/session-c1.scope\n":         "user@1000.service",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/session-c1.scope": "user@1000.service",
		"0::/system.slice/user-1000.slice/session-c1.scope\n":                         "",
		"5:cpu:/user.slice/user-1000.slice/session-c1.scope\n":                        "",
		"0::/user.slice\n": "", "": "", "nonsense": "",
	} {
		if got := scopeOf(cgroup); got != want {
			t.Errorf("%q: got %q, want %q", cgroup, got, want)
		}
	}
}

func TestStartOf(t *testing.T) {
	const after = " S 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 250 1000 10\n"
	for stat, want := range map[string]uint64{
		"7 (Xorg)" + after:         2_500_000,
		"7 (a) S 1 (b) 2)" + after: 2_500_000,
		"7 (Xorg) S 1":             0,
		"":                         0,
	} {
		if got := startOf(stat); got != want {
			t.Errorf("%q: got %d, want %d", stat, got, want)
		}
	}
}

func TestWatchTells(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	places := Places{Sockets: t.TempDir()}
	changed, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { done <- places.Watch(ctx, func() { changed <- struct{}{} }) }()
	// Until the watch is there, nothing is reported: make one after another.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for told := false; !told; {
		select {
		case <-changed:
			told = true
		case err := <-done:
			t.Fatalf("ended with %v", err)
		case <-tick.C:
			f, err := os.CreateTemp(places.Sockets, "X*")
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A user who makes files all the time costs one call a while.
func TestWatchRests(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	places := Places{Sockets: t.TempDir()}
	calls, done := make(chan time.Time, 100), make(chan error, 1)
	go func() { done <- places.Watch(ctx, func() { calls <- time.Now() }) }()
	var at []time.Time
	for len(at) < 2 && ctx.Err() == nil {
		f, err := os.CreateTemp(places.Sockets, "X*")
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		select {
		case called := <-calls:
			at = append(at, called)
		default:
		}
	}
	cancel()
	if err := <-done; err != nil || len(at) < 2 || at[1].Sub(at[0]) < rest {
		t.Errorf("called at %v, %v", at, err)
	}
}

func TestWatchWithoutAFolder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Places{Sockets: filepath.Join(t.TempDir(), "none")}).Watch(ctx, func() {}); err != nil {
		t.Error(err)
	}
}
