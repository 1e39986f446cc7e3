package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestShell uses the command as its help describes it.
func TestShell(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "testhost")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	up := exec.CommandContext(t.Context(), bin, "up", "--for", "5m", "--hostname", "shell")
	up.Stderr = os.Stderr
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("testhost up says no id: %v", err)
	}
	id = strings.TrimSpace(id)
	shot := filepath.Join(t.TempDir(), "shot.png")
	for _, step := range []struct {
		args string
		code int
		says string
	}{
		{"list", 0, id},
		{"-H " + id + " exec -- hostname", 0, "shell"},
		{"-H " + id + " exec -- sh -c exit\t7", 7, ""},
		{"-H " + id + " exec --user nobody -- id -un", 0, "nobody"},
		{"-H " + id + " adduser alice", 0, ""},
		{"-H " + id + " login alice", 0, "on display :10"},
		{"-H " + id + " type alice hello\\n", 0, "6 keys"},
		{"-H " + id + " move alice 300 300", 0, "100 pixels"},
		{"-H " + id + " click alice --times 2", 0, ""},
		{"-H " + id + " scroll alice -- -3", 0, ""},
		{"-H " + id + " screenshot alice " + shot, 0, ""},
		{"-H " + id + " disconnect alice", 0, ""},
		{"-H " + id + " type alice x", 1, "disconnected"},
		{"-H " + id + " reconnect alice", 0, ""},
		{"-H " + id + " logout alice", 0, ""},
		{"-H " + id + " login mallory", 1, "no such user"},
		{"-H 00000000 exec -- true", 1, "testhost list"},
		{"sweep", 0, ""},
	} {
		out, code := runStep(t, bin, step.args)
		if code != step.code || !strings.Contains(out, step.says) {
			t.Errorf("testhost %s: exit code %d: %s; want %d and %q", step.args, code, out, step.code, step.says)
		}
	}
	if png, err := os.ReadFile(shot); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("the screenshot is no PNG: %v", err)
	}
	interrupt(t, up)
	if out, _ := runStep(t, bin, "list"); strings.Contains(out, id) {
		t.Errorf("after Ctrl-C testhost list still says %s", out)
	}
}

// runStep runs one command; a tab in it stands for a space within an argument.
func runStep(t *testing.T, bin, line string) (out string, code int) {
	t.Helper()
	args := strings.Split(line, " ")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "\t", " ")
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func interrupt(t *testing.T, up *exec.Cmd) {
	t.Helper()
	if err := up.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("testhost up ends with %v after Ctrl-C", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("testhost up does not end after Ctrl-C")
	}
}
