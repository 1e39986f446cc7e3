package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// scriptsDir is deploy/, as it is in the repository and on a host.
const (
	scriptsDir = "../.."
	onHost     = "/opt/activity-tracker/deploy"
)

// bareMemory holds a desktop as well, and the packages that it came in.
const bareMemory = "4G"

// bareMachine boots Debian as it is when new, with a copy of deploy/ and the
// agent's package in dist/ beside it.
func bareMachine(t *testing.T, suite debian.Suite, srv *server) *host {
	t.Helper()
	th, err := testhost.Start(t.Context(), testhost.Options{
		Base: debian.Bare(suite), Hostname: "office", Memory: bareMemory, Progress: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := th.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &host{Host: th, srv: srv, began: time.Now()}
	if srv != nil {
		h.forward(t, insideAddr, srv.Addr)
	}
	h.copyScripts(t)
	return h
}

func (h *host) forward(t *testing.T, addr, target string) {
	t.Helper()
	f, err := h.Forward(t.Context(), addr, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}

// copyScripts brings deploy/ without what only tests need.
func (h *host) copyScripts(t *testing.T) {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"*-vps.sh", "lib/*.sh", "guides/*"} {
		found, err := filepath.Glob(filepath.Join(scriptsDir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("find %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		rel, err := filepath.Rel(scriptsDir, path)
		if err == nil {
			err = h.CopyIn(t.Context(), path, filepath.Join(onHost, rel))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.CopyIn(t.Context(), debPath, filepath.Join(onHost, "../dist/trackerd_1-1_"+debArch(t)+".deb")); err != nil {
		t.Fatal(err)
	}
}

func debArch(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg", "--print-architecture").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// script runs one of the scripts as root; input is its standard input.
func (h *host) script(t *testing.T, input string, args ...string) testhost.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	args[0] = filepath.Join(onHost, args[0])
	began := time.Now()
	res, err := h.Exec(ctx, testhost.Command{Args: args, Stdin: strings.NewReader(input)})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, res.Stdout, res.Stderr)
	}
	t.Logf("%s: exit code %d after %s:\n%s%s", strings.Join(args, " "), res.Code,
		time.Since(began).Round(100*time.Millisecond), res.Stdout, res.Stderr)
	return res
}

// scriptTimeout bounds one run, most of which is apt's.
const scriptTimeout = 15 * time.Minute

// TestScriptUsage checks what the scripts refuse before they look at anything.
func TestScriptUsage(t *testing.T) {
	t.Parallel()
	const url = "https://tracker.example.org"
	names := filepath.Join(t.TempDir(), "names")
	if err := os.WriteFile(names, []byte("anna\nboris # the new one\nanna\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"multi-user-vps.sh", "want the number of people and the server's URL"},
		{"multi-user-vps.sh 3", "want the number of people and the server's URL"},
		{"multi-user-vps.sh 3 4 " + url, "want the number of people and the server's URL"},
		{"multi-user-vps.sh 0 " + url, "'0' is no number of people; want 1 to 300"},
		{"multi-user-vps.sh 301 " + url, "'301' is no number of people"},
		{"multi-user-vps.sh 3x " + url, "'3x' is no number of people"},
		{"multi-user-vps.sh 99999999999999999999 " + url, "is no number of people"},
		{"multi-user-vps.sh 3 tracker.example.org", "'tracker.example.org' is no server's URL; want https://"},
		{"multi-user-vps.sh 3 ftp://tracker.example.org", "is no server's URL"},
		{"multi-user-vps.sh 3 https://user:word@tracker.example.org", "is no server's URL"},
		{"multi-user-vps.sh 3 https://tracker.example.org/?a=b", "is no server's URL"},
		{"multi-user-vps.sh 3 http://tracker.example.org", "is plain http, which everybody on the way can read"},
		{"multi-user-vps.sh 3 http://127.evil.example", "is plain http"},
		{"multi-user-vps.sh --prefix Root 3 " + url, "'Root' cannot begin a user's name"},
		{"multi-user-vps.sh --prefix", "--prefix needs a value"},
		{"multi-user-vps.sh --names /nonexistent " + url, "cannot read /nonexistent"},
		{"multi-user-vps.sh --names " + names + " " + url, "'anna' is there twice"},
		{"multi-user-vps.sh --tokn 3 " + url, "there is no option --tokn"},
		{"multi-user-vps.sh --address 1.2.3.4;reboot 3 " + url, "is no address"},
		{"multi-user-vps.sh --delete-users 3 " + url, "--delete-users is for --uninstall"},
		{"single-user-vps.sh", "want the server's URL"},
		{"single-user-vps.sh 3 " + url, "want the server's URL"},
		{"single-user-vps.sh http://tracker.example.org", "is plain http"},
		{"single-user-vps.sh --user anna " + url, "--user and the options of RDP are for --desktop"},
		{"single-user-vps.sh --desktop --user 'x " + url, "cannot be a user's name"},
	} {
		args := strings.Fields(c.args)
		var out, errs strings.Builder
		cmd := exec.CommandContext(t.Context(), filepath.Join(scriptsDir, args[0]), args[1:]...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%s: %v, said %q%q; want exit code 2 and %q", c.args, err, out.String(), errs.String(), c.want)
		}
	}
}
