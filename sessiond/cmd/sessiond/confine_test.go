package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/xtest"
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
