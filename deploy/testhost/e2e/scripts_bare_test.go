package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// TestScriptsBeforeAnyChange has the scripts refuse on a bare machine, and print
// what they would do. Nothing may be another after that.
func TestScriptsBeforeAnyChange(t *testing.T) {
	t.Parallel()
	h := bareMachine(t, debian.Bookworm, newServer(t))
	h.run(t, "useradd", "--system", "service")
	h.run(t, "sh", "-c", `set -e; echo Package: other >/tmp/no.deb; echo service >/tmp/names
		install -o nobody /dev/null /tmp/passwords; ln -s /root/passwords /tmp/link
		cp -r `+onHost+` /tmp/deploy; install -d -o nobody /tmp/dist; cp `+filepath.Join(onHost, "../dist")+`/*.deb /tmp/dist`)
	before := h.fingerprint(t)
	t.Run("refusals", func(t *testing.T) { scriptRefusals(t, h) })
	t.Run("dry runs", func(t *testing.T) { scriptDryRuns(t, h) })
	if after := h.fingerprint(t); after != before {
		t.Errorf("the machine is not as it was:\n%s", differing(before, after))
	}
}

// fingerprint lists all that a script could change before it should: packages
// and files.
func (h *host) fingerprint(t *testing.T) string {
	t.Helper()
	return h.run(t, "sh", "-c", `set -e; dpkg-query -W; cd /
		find etc root home var/lib var/log -xdev ! -path 'var/l*/systemd/*' ! -path 'var/log/journal*' -printf '%p %M %s %T@\n' | sort`)
}

// differing returns the lines that only one of the texts has.
func differing(before, after string) string {
	var only []string
	for _, sides := range [][3]string{{"-", before, after}, {"+", after, before}} {
		for line := range strings.Lines(sides[1]) {
			if !strings.Contains("\n"+sides[2]+"\n", "\n"+strings.TrimSpace(line)+"\n") {
				only = append(only, sides[0]+strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(only, "\n")
}

// scriptRefusals are all that come before the first change.
func scriptRefusals(t *testing.T, h *host) {
	const url = "http://" + insideAddr
	for _, c := range []struct {
		name, args, input, user string
		code                    int
		want                    string
	}{
		{name: "not root", args: "multi-user-vps.sh 3 " + url, user: "nobody", code: 4, want: "must be run as root: sudo "},
		{name: "server away", args: "multi-user-vps.sh 3 http://127.0.0.1:9", code: 1, want: "cannot reach 127.0.0.1 on port 9: connection refused"},
		{name: "no such name", args: "single-user-vps.sh https://tracker.invalid", code: 1, want: "cannot reach tracker.invalid on port 443: the name is not known"},
		{name: "no token", args: "multi-user-vps.sh 3 " + url, code: 1, want: "needs an enrolment token"},
		{name: "odd token", args: "multi-user-vps.sh 3 " + url, input: "what?\n", code: 1, want: "that is no enrolment token"},
		{name: "no package", args: "single-user-vps.sh --package /tmp/no.deb " + url, code: 1, want: "/tmp/no.deb is no Debian package"},
		{name: "no file", args: "single-user-vps.sh --package /tmp/missing.deb " + url, code: 1, want: "there is no file /tmp/missing.deb"},
		{name: "another's package", args: "../../../tmp/deploy/single-user-vps.sh " + url, code: 1, want: "may be another user's: name it with --package"},
		{name: "another's file of passwords", args: "multi-user-vps.sh --passwords /tmp/passwords 3 " + url, code: 1, want: "/tmp/passwords is another user's"},
		{name: "a link to passwords", args: "multi-user-vps.sh --passwords /tmp/link 3 " + url, code: 1, want: "/tmp/link is another user's"},
		{name: "system's account", args: "multi-user-vps.sh --names /tmp/names " + url, code: 1, want: "'service' is an account of the system"},
		{name: "no person", args: "single-user-vps.sh --desktop " + url, code: 1, want: "name somebody with --user NAME"},
		{name: "no such person", args: "single-user-vps.sh --virtual-user anna " + url, code: 1, want: "there is no user 'anna' here"},
		{name: "nothing to take away", args: "multi-user-vps.sh --uninstall", code: 1, want: "no set-up script brought anything here"},
	} {
		args := strings.Fields(c.args)
		args[0] = filepath.Join(onHost, args[0])
		res, err := h.Exec(t.Context(), testhost.Command{Args: args, User: c.user, Stdin: strings.NewReader(c.input)})
		if err != nil {
			t.Fatal(err)
		}
		if res.Code != c.code || !strings.Contains(res.Stderr, c.want) {
			t.Errorf("%s: exit code %d, said %q; want %d and %q", c.name, res.Code, res.Stdout+res.Stderr, c.code, c.want)
		}
		if c.code == 1 && !strings.Contains(res.Stderr, "Nothing was changed.") {
			t.Errorf("%s: it does not say that nothing was changed: %q", c.name, res.Stderr)
		}
	}
	h.otherSystem(t, url)
}

// otherSystem has the scripts look at another system's description.
func (h *host) otherSystem(t *testing.T, url string) {
	t.Helper()
	const release = `ID=ubuntu
VERSION_ID="24.04"
PRETTY_NAME="Ubuntu 24.04 LTS"
`
	was := h.run(t, "cat", "/usr/lib/os-release")
	write := func(text string) {
		if err := h.WriteFile(t.Context(), "/usr/lib/os-release", strings.NewReader(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(release)
	defer write(was + "\n")
	res := h.script(t, "", "single-user-vps.sh", url)
	if want := "needs Debian 12 or 13, and this is Ubuntu 24.04 LTS"; res.Code != 1 || !strings.Contains(res.Stderr, want) {
		t.Errorf("exit code %d, said %q; want %q", res.Code, res.Stderr, want)
	}
}

// scriptDryRuns compares with golden files; -update writes them.
func scriptDryRuns(t *testing.T, h *host) {
	const url = "http://" + insideAddr
	version := h.run(t, "sh", "-c", "dpkg-deb -f "+filepath.Join(onHost, "../dist")+"/*.deb Version")
	for _, c := range []struct{ golden, args string }{
		{"multi", "multi-user-vps.sh --dry-run 3 " + url},
		{"multi-choices", "multi-user-vps.sh --dry-run --prefix desk --no-clipboard --drives 12 " + url},
		{"single", "single-user-vps.sh --dry-run " + url},
		{"single-desktop", "single-user-vps.sh --dry-run --desktop --user anna " + url},
	} {
		res := h.script(t, "", strings.Fields(c.args)...)
		if res.Code != 0 || res.Stderr != "" {
			t.Errorf("%s: exit code %d: %s", c.args, res.Code, res.Stderr)
		}
		got := strings.ReplaceAll(res.Stdout, version, "VERSION")
		wantGolden(t, filepath.Join("testdata", "script-"+c.golden+".txt"), got)
	}
}

func wantGolden(t *testing.T, path, got string) {
	t.Helper()
	if *updateGolden {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it says\n%s\nwant %s:\n%s", got, path, want)
	}
}
