package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

const (
	setupLog   = "/var/log/activity-tracker-setup.log"
	setupNotes = "/var/lib/activity-tracker-setup"
	insideURL  = "http://" + insideAddr
)

// reachDebian lets the host's apt reach Debian's archive through this process,
// by whatever way the machine reaches it.
func (h *host) reachDebian(t *testing.T) {
	t.Helper()
	h.forward(t, testhost.ClientAddr+":80", "deb.debian.org:80")
	h.run(t, "sh", "-c", "echo "+testhost.ClientAddr+" deb.debian.org >>/etc/hosts")
}

// mustScript is script that must not fail.
func (h *host) mustScript(t *testing.T, input string, args ...string) string {
	t.Helper()
	res := h.script(t, input, args...)
	if res.Code != 0 || res.Stderr != "" {
		t.Fatalf("%s: exit code %d: %s", args[0], res.Code, res.Stderr)
	}
	return res.Stdout
}

// packages are the names of all that is installed.
func (h *host) packages(t *testing.T) []string {
	t.Helper()
	return strings.Fields(h.run(t, "dpkg-query", "-W", "-f", "${db:Status-Status}:${Package}\n"))
}

// TestSlowMultiUserScript sets a bare machine up for three people, who log in
// over RDP and work; then for one more; and takes everything away again.
func TestSlowMultiUserScript(t *testing.T) {
	onSuites(t, func(t *testing.T, suite debian.Suite) {
		h := bareMachine(t, suite, newServer(t))
		h.reachDebian(t)
		defer h.showSetupLog(t)
		before := h.packages(t)
		token := h.token(t)
		passwords := shownPasswords(h.mustScript(t, token+"\n", "multi-user-vps.sh", "3", insideURL))
		if len(passwords) != 3 {
			t.Fatalf("the passwords of %d people were shown, want 3", len(passwords))
		}
		h.wantNoSecrets(t, token, passwords)
		h.wantSetUp(t)
		h.wantSecondRunChangesNothing(t)
		var people []*person
		for name, password := range passwords {
			people = append(people, &person{host: h, name: name, password: password})
		}
		h.workInXFCE(t, people...)
		h.addFourth(t, people)
		h.takeAway(t, people, before)
	})
}

// passwordLine is a line of what the script shows once.
var passwordLine = regexp.MustCompile(`(?m)^ {5}([a-z0-9]+) +([a-z2-9]{4}(?:-[a-z2-9]{4}){3})$`)

// shownPasswords are those in what the script printed, by name.
func shownPasswords(said string) map[string]string {
	passwords := map[string]string{}
	for _, m := range passwordLine.FindAllStringSubmatch(said, -1) {
		passwords[m[1]] = m[2]
	}
	return passwords
}

// wantNoSecrets checks that neither token nor passwords are left anywhere.
func (h *host) wantNoSecrets(t *testing.T, token string, passwords map[string]string) {
	t.Helper()
	secrets := []string{token}
	for _, p := range passwords {
		secrets = append(secrets, p)
	}
	res, err := h.Exec(t.Context(), testhost.Command{
		Args:  []string{"grep", "-rlF", "-f", "-", "/var/log", "/var/lib", "/etc", "/root", "/tmp", "/home"},
		Stdin: strings.NewReader(strings.Join(secrets, "\n")),
	})
	if err != nil || res.Code != 1 {
		t.Errorf("secrets are left: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	for path, mode := range map[string]string{setupLog: "600", setupNotes: "700", "/home/user1": "700"} {
		if got := h.run(t, "stat", "--format=%a", path); got != mode {
			t.Errorf("%s has mode %s, want %s", path, got, mode)
		}
	}
}

// wantSetUp looks at what people and their clients rely on.
func (h *host) wantSetUp(t *testing.T) {
	t.Helper()
	for file, settings := range map[string][]string{
		"/etc/xrdp/sesman.ini": {"AllowRootLogin=false", "AlwaysGroupCheck=true", "MaxSessions=10"},
		"/etc/xrdp/xrdp.ini":   {"security_layer=tls", "cliprdr=true", "rdpdr=false"},
		"/root/office.rdp":     {"full address:s:" + testhost.HostAddr + "\r", "redirectclipboard:i:1\r", "drivestoredirect:s:\r"},
	} {
		lines := strings.Split(h.run(t, "cat", file), "\n")
		for _, setting := range settings {
			if !slices.Contains(lines, setting) {
				t.Errorf("%s does not have %q", file, setting)
			}
		}
	}
	if said := h.run(t, "trackctl", "doctor"); !strings.HasSuffix(said, "No problem found.") {
		t.Errorf("doctor found: %s", said)
	}
}

// wantSecondRunChangesNothing runs it again, without a token.
func (h *host) wantSecondRunChangesNothing(t *testing.T) {
	t.Helper()
	state := func() string {
		return h.run(t, "sh", "-c", `dpkg-query -W; cat /etc/shadow /etc/group; sha256sum /etc/xrdp/*.ini /root/*.rdp
			systemctl show -p MainPID xrdp xrdp-sesman trackerd`)
	}
	before := state()
	said := h.mustScript(t, "", "multi-user-vps.sh", "3", insideURL)
	if after := state(); after != before {
		t.Errorf("the second run changed\n%s", differing(before, after))
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "  + ") && !strings.Contains(line, "trackctl doctor") {
			t.Errorf("the second run did something: %s", line)
		}
	}
}

// terminal opens in every XFCE session and gets the focus.
const terminal = `[Desktop Entry]
Type=Application
Name=Terminal
Exec=xfce4-terminal --geometry=100x30+40+40
`

// workInXFCE logs everybody in over RDP and has them work.
func (h *host) workInXFCE(t *testing.T, people ...*person) {
	t.Helper()
	// To look at sessions from within: not the script's to bring, or to take away.
	h.run(t, "apt-get", "-q", "-y", "install", "--no-install-recommends", "x11-utils")
	if err := h.WriteFile(t.Context(), "/etc/xdg/autostart/terminal.desktop", strings.NewReader(terminal), 0o644); err != nil {
		t.Fatal(err)
	}
	h.configure(t, config)
	for _, p := range people {
		p.loginAgain(t)
	}
	for i, p := range people {
		p.mustWork(t, 120+i, 3+i, 4, 2)
	}
	wantTold(t, people...)
	h.logMemory(t, people)
}

// logMemory prints what a desktop takes, on which the script's warning rests.
func (h *host) logMemory(t *testing.T, people []*person) {
	t.Helper()
	for _, p := range people {
		kib := h.run(t, "sh", "-c", "cat $(pgrep -u "+p.name+" | sed 's,.*,/proc/&/smaps_rollup,') 2>/dev/null | awk '/^Pss:/ { n += $2 } END { print n }'")
		t.Logf("the desktop of %s takes %s KiB", p.name, kib)
	}
}

// addFourth has room made for one more while people are at work.
func (h *host) addFourth(t *testing.T, people []*person) {
	t.Helper()
	said := h.mustScript(t, "", "multi-user-vps.sh", "--passwords", "/root/passwords", "--drives", "4", insideURL)
	if !strings.Contains(said, "people are logged in over RDP, so xrdp was not restarted") {
		t.Error("it does not say that xrdp has to be restarted")
	}
	if shown := shownPasswords(said); len(shown) > 0 {
		t.Errorf("passwords of %v were shown", shown)
	}
	file := strings.Fields(h.run(t, "cat", "/root/passwords"))
	if len(file) != 2 || file[0] != "user4" || h.run(t, "stat", "--format=%a", "/root/passwords") != "600" {
		t.Errorf("the file of passwords has %d words, of %v", len(file), file[:min(1, len(file))])
	}
	for _, p := range people {
		p.mustWork(t, 30, 1, 1, 1)
	}
	wantTold(t, people...)
}

// takeAway has people log out and everything removed that was brought.
func (h *host) takeAway(t *testing.T, people []*person, before []string) {
	t.Helper()
	res := h.script(t, "", "multi-user-vps.sh", "--uninstall")
	if res.Code != 1 || !strings.Contains(res.Stderr, fmt.Sprintf("%d people are logged in", len(people))) {
		t.Errorf("with people logged in: exit code %d: %s", res.Code, res.Stderr)
	}
	for _, p := range people {
		if err := p.Disconnect(t.Context()); err != nil {
			t.Error(err)
		}
		h.run(t, "loginctl", "terminate-user", p.name)
	}
	eventually(t, 30*time.Second, "nobody is logged in", func() error {
		out, err := h.Run(t.Context(), "loginctl", "list-sessions", "--no-legend")
		if err == nil && strings.Contains(out, "user") {
			err = fmt.Errorf("there are %s", out)
		}
		return err
	})
	h.run(t, "touch", "/home/user1/work")
	h.mustScript(t, "", "multi-user-vps.sh", "--uninstall", "--dry-run")
	said := h.mustScript(t, "", "multi-user-vps.sh", "--uninstall")
	if !strings.Contains(said, "user1 user2 user3 user4 stay, with their homes") {
		t.Error("it does not say that the accounts stay")
	}
	h.run(t, "test", "-e", "/home/user1/work")
	h.run(t, "test", "-x", "/usr/bin/xprop")
	h.run(t, "apt-get", "-q", "-y", "purge", "--autoremove", "x11-utils")
	if left := differing(strings.Join(before, "\n"), strings.Join(h.packages(t), "\n")); left != "" {
		t.Errorf("other packages than before:\n%s", left)
	}
	h.mustScript(t, "", "multi-user-vps.sh", "--uninstall", "--delete-users")
	h.run(t, "sh", "-c", "! getent passwd user1 user4 && test ! -e /home/user1")
	for _, path := range []string{setupNotes, "/etc/xrdp", "/etc/trackerd", "/var/lib/trackerd", "/etc/xdg/xfce4"} {
		h.run(t, "test", "!", "-e", path)
	}
}

// showSetupLog prints the end of the log of a test that failed.
func (h *host) showSetupLog(t *testing.T) {
	t.Helper()
	if t.Failed() {
		log, err := h.Run(t.Context(), "tail", "-n", "60", setupLog)
		t.Logf("the log (%v):\n%s", err, log)
		h.showLogOnFailure(t)
	}
}
