package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// TestConfined has a helper give up files: it still finds its cookie and counts,
// and each of its threads has a filter. What they can do no more is tried on a
// booted host.
func TestConfined(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	h := helpertest.Start(t, helpertest.Options{
		Program: path, Args: []string{"--display", xtest.Xvfb(t).Display, "--interval", "5s"}, Confine: true,
	})
	h.Until("the first report", func() bool { return len(h.All) > 0 })
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(h.Cmd.Process.Pid) + "/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Seccomp:\t2\n", "NoNewPrivs:\t1\n"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s has no %q:\n%s", task, want, b)
			}
		}
	}
	h.CloseSocket()
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestConfinedNamesPrograms: a window without a class has its program's name, though
// its helper has given up files.
func TestConfinedNamesPrograms(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	s := xtest.Xvfb(t)
	s.Start(t, "openbox", "--sm-disable")
	c := xtest.NewClient(t, s)
	c.AwaitWM()
	h := helpertest.Start(t, helpertest.Options{
		Program: path, Args: []string{"--display", s.Display, "--interval", "5s"}, Confine: true,
	})
	h.Until("the first report", func() bool { return len(h.All) > 0 })
	window := c.Window("Named", "title")
	c.Number(window, "_NET_WM_PID", uint32(os.Getpid()))
	c.Class(window, "")
	c.Activate(window)
	h.Until("the program's name", func() bool {
		return slices.ContainsFunc(h.Last.Focus, func(f wire.Focus) bool { return f.App == strings.TrimSpace(string(comm)) })
	})
}

// TestUnconfinable has the kernel refuse what confining needs: the helper ends,
// and counts nothing.
func TestUnconfinable(t *testing.T) {
	t.Parallel()
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	const noMoreFiles = "--nofile=3:3"
	h := helpertest.Start(t, helpertest.Options{
		Program: prlimit, Args: []string{noMoreFiles, path, "--display", xtest.Xvfb(t).Display}, Confine: true,
	})
	if code := h.Exit(); code != launch.ExitInternal || !strings.Contains(h.Stderr.String(), unix.EMFILE.Error()) || len(h.All) > 0 {
		t.Fatalf("exit code %d, %d reports: %s", code, len(h.All), h.Stderr.String())
	}
}
