package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// refusals are the answers of a kernel that refuses.
var refusals = []string{"EACCES", "EPERM", "EAFNOSUPPORT"}

// Most exposure of a helper's unit that systemd-analyze may find, of 10. It does not
// see what a program gives up by itself.
const (
	confinedExposure = 2.5
	mountedExposure  = 1.6
)

// TestHelperSandbox has the helper of a session try to get out, by whoever took it
// over: each of its threads makes system calls that it has no need of. The same
// calls work in a process of the same user that is in no sandbox.
func TestHelperSandbox(t *testing.T) { onSuites(t, helperSandbox) }

func helperSandbox(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	h.putProgram(t, "intruder")
	p := h.login(t, "alice")
	p.mustWork(t, 30, 1, 1, 1)
	const prepare = `
		mkdir -p ~/.ssh && echo key >~/.ssh/id && echo text >~/doc
		for dir in /tmp /dev/shm; do echo text >$dir/alices; done
		nohup sleep 900 >/dev/null 2>&1 & echo $!
		nohup sleep 901 >/dev/null 2>&1 & echo $!`
	free, other, _ := strings.Cut(h.runAs(t, p.name, "bash", "-euc", prepare), "\n")

	helper := h.helperPID(t, p.Session.ID)
	answers := h.intrude(t, "-pid", helper, "-other", other)
	for _, a := range answers {
		if a.call == "nothing" {
			if a.answer != "ok" {
				t.Fatalf("a call that every program may make: %+v", a)
			}
		} else if !slices.Contains(refusals, a.answer) {
			t.Errorf("the helper may %+v", a)
		}
	}
	// It has survived that, and counts.
	p.mustWork(t, 30, 1, 1, 1)
	wantTold(t, p)
	if now := h.helperPID(t, p.Session.ID); now != helper {
		t.Errorf("the helper was process %s and is %s", helper, now)
	}
	for _, a := range h.intrude(t, "-free", "-pid", free, "-other", other) {
		if a.answer != "ok" {
			t.Errorf("a process in no sandbox cannot %+v: it shows nothing that the helper cannot either", a)
		}
	}

	// Where the kernel has no Landlock, files are taken away by mounts.
	if got := h.protects(t, p); got != "no" {
		t.Errorf("the helper confines itself and has ProtectSystem=%s", got)
	}
	wantExposure(t, h, unit(p.Session.ID), confinedExposure)
	h.run(t, "bash", "-euc", `mkdir -p /etc/systemd/system/trackerd.service.d
		printf '[Service]\nSystemCallFilter=~landlock_create_ruleset\n' >/etc/systemd/system/trackerd.service.d/old.conf
		systemctl daemon-reload; systemctl restart trackerd; systemctl kill --signal=KILL `+unit(p.Session.ID))
	h.waitTracked(t, p.Session.ID, time.Now())
	if got := h.protects(t, p); got != "strict" {
		t.Errorf("the helper does not confine itself and has ProtectSystem=%s", got)
	}
	wantExposure(t, h, unit(p.Session.ID), mountedExposure)
	p.mustWork(t, 30, 1, 1, 1)
	wantTold(t, p)
}

// attempted is a system call that the intruder made, and what the kernel answered.
type attempted struct{ thread, call, answer string }

// intrude makes the threads of a process of alice's make system calls.
func (h *host) intrude(t *testing.T, args ...string) []attempted {
	t.Helper()
	out := h.run(t, append([]string{"intruder", "-home", "/home/alice", "-shared", "alices"}, args...)...)
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

// protects is how the unit of a person's helper takes files away.
func (h *host) protects(t *testing.T, p *person) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=ProtectSystem", "--value", unit(p.Session.ID))
}

// runAs is run as a user.
func (h *host) runAs(t *testing.T, user string, args ...string) string {
	t.Helper()
	res, err := h.Exec(t.Context(), testhost.Command{User: user, Args: args})
	if err != nil || res.Code != 0 {
		t.Fatalf("%q as %s: %v, exit code %d: %s", args, user, err, res.Code, res.Stderr)
	}
	return strings.TrimSpace(res.Stdout)
}
