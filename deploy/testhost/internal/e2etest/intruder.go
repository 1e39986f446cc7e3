package e2etest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/testhost"
)

// Computer is a host or a machine, seen by root.
type Computer interface {
	CopyIn(ctx context.Context, src, dst string) error
	Exec(ctx context.Context, c testhost.Command) (testhost.Result, error)
}

// PutProgram builds a program, given as go build takes it, and copies it to a computer.
func PutProgram(t *testing.T, c Computer, source, dst string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, out)
	}
	if err := c.CopyIn(t.Context(), binary, dst); err != nil {
		t.Fatal(err)
	}
}

// refusals are the answers of a kernel that refuses.
var refusals = []string{"EACCES", "EPERM", "EAFNOSUPPORT"}

// WantConfined has each thread of a helper make system calls that it has no need of,
// as somebody would who took it over. All must be refused, and work in a process of
// the same user that is in no sandbox.
func WantConfined(t *testing.T, c Computer, user, helper string) {
	t.Helper()
	PutProgram(t, c, "activity-tracker.example/testhost/cmd/intruder", "/usr/local/bin/intruder")
	const prepare = `
		mkdir -p ~/.ssh && echo key >~/.ssh/id && echo text >~/doc
		for dir in /tmp /dev/shm; do echo text >$dir/one; done
		nohup sleep 900 >/dev/null 2>&1 & echo $!
		nohup sleep 901 >/dev/null 2>&1 & echo $!`
	free, other, _ := strings.Cut(runAs(t, c, user, "bash", "-euc", prepare), "\n")
	args := []string{"intruder", "-home", "/home/" + user, "-shared", "one", "-other", other, "-pid"}
	for _, a := range attempts(t, runAs(t, c, "", append(args, helper)...)) {
		if a.call == "nothing" {
			if a.answer != "ok" {
				t.Fatalf("a call that every program may make: %+v", a)
			}
		} else if !slices.Contains(refusals, a.answer) {
			t.Errorf("the helper may %+v", a)
		}
	}
	for _, a := range attempts(t, runAs(t, c, "", append(args, free, "-free")...)) {
		if a.answer != "ok" {
			t.Errorf("a process in no sandbox cannot %+v: it shows nothing that the helper cannot either", a)
		}
	}
}

// attempted is a system call that the intruder made, and what the kernel answered.
type attempted struct{ thread, call, answer string }

func attempts(t *testing.T, out string) []attempted {
	t.Helper()
	var all []attempted
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			t.Fatalf("the intruder says %q", line)
		}
		all = append(all, attempted{fields[0], fields[1], fields[2]})
	}
	return all
}

// runAs runs a program as a user, or as root; failing fails the test.
func runAs(t *testing.T, c Computer, user string, args ...string) string {
	t.Helper()
	res, err := c.Exec(t.Context(), testhost.Command{User: user, Args: args})
	if err != nil || res.Code != 0 {
		t.Fatalf("%q as %q: %v, exit code %d: %s", args, user, err, res.Code, res.Stderr)
	}
	return strings.TrimSpace(res.Stdout)
}
