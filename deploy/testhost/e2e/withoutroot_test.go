package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// loner is a person who runs trackerd for themselves.
type loner struct {
	*person
	env []string
}

// asUser runs a command with the environment of a login.
func (l *loner) asUser(t *testing.T, stdin string, args ...string) testhost.Result {
	t.Helper()
	res, err := l.host.Exec(t.Context(), testhost.Command{Args: args, User: l.name, Env: l.env, Stdin: strings.NewReader(stdin)})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// must is asUser where failing fails the test.
func (l *loner) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	res := l.asUser(t, stdin, args...)
	if res.Code != 0 {
		t.Fatalf("%s: exit code %d: %s%s", strings.Join(args, " "), res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// tracked waits until one's own trackerd has heard of the session since then.
func (l *loner) tracked(t *testing.T, since time.Time) {
	t.Helper()
	eventually(t, 30*time.Second, "one's own trackerd reads the session", func() error {
		res := l.asUser(t, "", "trackctl", "--user", "sessions", "--json")
		list, err := sessionsOf(res.Stdout)
		if err != nil {
			return fmt.Errorf("%w: %s%s", err, res.Stdout, res.Stderr)
		}
		if len(list) != 1 || list[0].State != "reporting" || list[0].LastReport == nil || !list[0].LastReport.After(since) {
			return fmt.Errorf("the sessions are %s", res.Stdout)
		}
		l.machine = list[0].MachineID
		return nil
	})
}

// newLoner logs a user in on a host whose own trackerd is off.
func newLoner(t *testing.T, h *host) *loner {
	t.Helper()
	h.run(t, "systemctl", "disable", "--now", "trackerd")
	if _, err := h.AddUser(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	rdp, err := h.Login(t.Context(), "alice", testhost.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	uid := h.run(t, "id", "-u", "alice")
	l := &loner{
		person: &person{RDP: rdp, host: h, name: "alice"},
		env:    []string{"HOME=/home/alice", "XDG_RUNTIME_DIR=/run/user/" + strings.TrimSpace(uid)},
	}
	l.must(t, "", "mkdir", "-p", "/home/alice/.config/activity-tracker")
	l.must(t, config, "sh", "-c", "cat >/home/alice/.config/activity-tracker/config.yaml")
	return l
}

// TestWithoutRoot has one person measure themselves: enrolled by a token for one
// person, exact also while their trackerd is restarted and killed, and never
// beside the host's own.
func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	h := bareHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	h.install(t, debPath)
	l := newLoner(t, h)
	l.must(t, "", "systemctl", "--user", "start", "trackerd")
	l.tracked(t, time.Time{})

	forHost := h.srv.command(t, "enrollment", "create")
	if res := l.asUser(t, forHost, "trackctl", "--user", "enroll", "http://"+insideAddr, "-"); res.Code != 1 || !strings.Contains(res.Stderr, "--user") {
		t.Errorf("a token for a host enrolled one person: %+v", res)
	}
	forUser := h.srv.command(t, "enrollment", "create", "--user")
	l.must(t, forUser, "trackctl", "--user", "enroll", "http://"+insideAddr, "-")
	if mode := h.run(t, "stat", "-c", "%a %U", "/home/alice/.config/activity-tracker/credential"); strings.TrimSpace(mode) != "600 alice" {
		t.Errorf("the credential is %s", mode)
	}
	// Where no other trackerd runs, trackctl asks this one by itself.
	if out := l.must(t, "", "trackctl", "status"); !strings.Contains(out, "only you and root") {
		t.Errorf("trackctl status: %s", out)
	}
	for _, disturb := range []struct {
		name string
		args []string
	}{
		{"nothing", nil},
		{"restarted", []string{"systemctl", "--user", "restart", "trackerd"}},
		{"killed", []string{"systemctl", "--user", "kill", "--kill-who=main", "--signal=KILL", "trackerd"}},
	} {
		stop := keepTyping(t, l.person)
		at := time.Now()
		if disturb.args != nil {
			l.must(t, "", disturb.args...)
		}
		l.tracked(t, at.Add(time.Second))
		stop()
		wantTold(t, l.person)
		if t.Failed() {
			t.Fatalf("with trackerd: %s", disturb.name)
		}
	}
	l.exposesItsCredential(t)
	l.yields(t)
}

// exposesItsCredential: one that others can read, or that is a link, stops it.
func (l *loner) exposesItsCredential(t *testing.T) {
	t.Helper()
	l.must(t, "", "systemctl", "--user", "stop", "trackerd")
	const credential = "/home/alice/.config/activity-tracker/credential"
	for _, harm := range []string{
		"chmod 644 " + credential,
		"chmod 600 " + credential + " && mv " + credential + " /home/alice/moved && ln -s /home/alice/moved " + credential,
	} {
		l.must(t, "", "sh", "-c", harm)
		res := l.asUser(t, "", "trackerd", "run", "--user")
		if res.Code != 78 || !strings.Contains(res.Stderr, "is not safe") {
			t.Errorf("after %s: %+v", harm, res)
		}
	}
	l.must(t, "", "mv", "/home/alice/moved", credential)
}

// yields: the host's own trackerd ends this one, and it does not start beside it.
func (l *loner) yields(t *testing.T) {
	t.Helper()
	l.must(t, "", "systemctl", "--user", "start", "trackerd")
	l.host.run(t, "systemctl", "start", "trackerd")
	eventually(t, 60*time.Second, "one's own trackerd yields to the host's", func() error {
		if state := l.asUser(t, "", "systemctl", "--user", "is-active", "trackerd").Stdout; strings.TrimSpace(state) != "failed" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if res := l.asUser(t, "", "trackerd", "run", "--user"); res.Code != 78 || !strings.Contains(res.Stderr, "the host's own trackerd") {
		t.Errorf("beside the host's own: %+v", res)
	}
}
