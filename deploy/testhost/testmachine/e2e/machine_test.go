package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
	"activity-tracker.example/testhost/testmachine"
)

// insideAddr is where the server is from within a machine: on its own loopback,
// where plain http is allowed.
const insideAddr = "127.0.0.1:8100"

// config makes records and uploads come quickly.
const config = "collect_interval_sec: 5\nsend_interval_sec: 1\n"

// patience is for anything that takes seconds on a computer with nothing else to
// do: a machine made of software shares it with other tests.
const patience = 6 * time.Minute

// machine is a machine with trackerd on it, enrolled with its server.
type machine struct {
	*testmachine.Machine
	srv *e2etest.Server
}

// trackedMachine starts a machine of the usual recipe, installs trackerd and enrols it.
func trackedMachine(t *testing.T, suite debian.Suite) *machine {
	t.Helper()
	return trackedMachineOf(t, testmachine.Recipe(suite))
}

// trackedMachineOf starts a machine, installs trackerd and enrols it.
func trackedMachineOf(t *testing.T, recipe debian.Recipe) *machine {
	t.Helper()
	srv := e2etest.NewServer(t, serverPath)
	vm, err := testmachine.Start(t.Context(), testmachine.Options{Recipe: recipe, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Machine: vm, srv: srv}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { m.showLogOnFailure(t) })
	m.bePatient(t)
	if err := m.Forward(insideAddr, srv.Addr); err != nil {
		t.Fatal(err)
	}
	if err := m.Install(t.Context(), debPath); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(t.Context(), "/etc/trackerd/config.yaml", strings.NewReader(config), 0o644); err != nil {
		t.Fatal(err)
	}
	m.run(t, "systemctl", "restart", "trackerd")
	m.enroll(t)
	m.waitPolicy(t)
	return m
}

// enroll enrols the machine. On a busy computer an answer may come later than trackctl waits
// for it: a person tries again then.
func (m *machine) enroll(t *testing.T) {
	t.Helper()
	token := m.srv.Command(t, "enrollment", "create", "--uses", "5", "--expires", "10m")
	eventually(t, patience, "the machine is enrolled", func() error {
		res, err := m.Exec(t.Context(), testhost.Command{
			Args: []string{"trackctl", "enroll", "http://" + insideAddr, "-"}, Stdin: strings.NewReader(token + "\n"),
		})
		if err == nil && res.Code != 0 {
			err = fmt.Errorf("trackctl enroll: exit code %d: %s%s", res.Code, res.Stdout, res.Stderr)
		}
		return err
	})
}

// waitPolicy waits until the server has said what may be measured. A machine that has
// asked in vain for 5 s measures nothing until then, and on a busy computer many do.
func (m *machine) waitPolicy(t *testing.T) {
	t.Helper()
	eventually(t, patience, "the server's policy is there", func() error {
		_, err := m.Run(t.Context(), "test", "-s", "/var/lib/trackerd/policy.json")
		return err
	})
}

// onEach runs a test on each Debian.
func onEach(t *testing.T, test func(*testing.T, debian.Suite)) {
	t.Helper()
	for _, suite := range debian.Suites() {
		t.Run(string(suite), func(t *testing.T) { test(t, suite) })
	}
}

// bePatient has the machine wait longer than is right for a real one: on a busy computer
// trackerd starts for over a minute, and the ten after which a screen goes blank and
// is locked may pass before anybody touches a key.
func (m *machine) bePatient(t *testing.T) {
	t.Helper()
	const unit = "[Service]\nTimeoutStartSec=15min\nTimeoutStopSec=15min\n"
	must(t, m.WriteFile(t.Context(), "/etc/systemd/system/trackerd.service.d/patience.conf", strings.NewReader(unit), 0o644))
	m.run(t, "runuser", "-u", testmachine.Alice, "--", "env", "DISPLAY=:0", "xset", "s", "off", "-dpms")
}

// showLogOnFailure prints what the machine's journal has, while it is there.
func (m *machine) showLogOnFailure(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	for _, command := range [][]string{
		{"journalctl", "--no-pager", "-n", "60", "-o", "short-precise", "-u", "trackerd*", "-u", "systemd-logind", "-u", "lightdm", "-u", "gdm"},
		{"trackctl", "sessions"},
		{"trackctl", "doctor"},
		{"loginctl"},
	} {
		out, err := m.Run(ctx, command...)
		t.Logf("%s (%v):\n%s", strings.Join(command, " "), err, out)
	}
}

// run runs a program as root; failing fails the test.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// must fails the test at an error of what the person did.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// session is what trackctl sessions --json has of one.
type session struct {
	ID         string     `json:"id"`
	MachineID  string     `json:"machine_id"`
	User       string     `json:"user"`
	Kind       string     `json:"kind"`
	State      string     `json:"state"`
	Connected  *bool      `json:"connected"`
	LastReport *time.Time `json:"last_report"`
	Problem    string     `json:"problem"`
}

func (m *machine) sessions(ctx context.Context) ([]session, error) {
	out, err := m.Run(ctx, "trackctl", "sessions", "--json")
	if err != nil {
		return nil, err
	}
	var list struct{ Sessions []session }
	return list.Sessions, json.Unmarshal([]byte(out), &list)
}

// waitTracked waits until a session of the user reports, and returns it.
func (m *machine) waitTracked(t *testing.T, user string) session {
	t.Helper()
	var found session
	eventually(t, patience, "a session of "+user+" is tracked", func() error {
		list, err := m.sessions(t.Context())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(s session) bool { return s.User == user && s.State == "reporting" })
		if i < 0 {
			return fmt.Errorf("the sessions are %+v", list)
		}
		found = list[i]
		return nil
	})
	return found
}

// counts are what a person did, or what the server has of it.
type counts struct {
	keys, clicks, scroll, distance int64
}

func (c counts) add(more counts) counts {
	return counts{c.keys + more.keys, c.clicks + more.clicks, c.scroll + more.scroll, c.distance + more.distance}
}

// work has the person at the seat do all of it.
func (m *machine) work(t *testing.T, c counts) {
	t.Helper()
	_, err := m.Type(t.Context(), strings.Repeat("a", int(c.keys)))
	must(t, err)
	must(t, m.Click(t.Context(), int(c.clicks), "left"))
	must(t, m.Scroll(t.Context(), int(c.scroll)))
	_, err = m.Move(t.Context(), int(c.distance), 0)
	must(t, err)
}

// total adds up what the server has of a machine_id.
func total(events []api.Event) counts {
	var c counts
	for _, e := range events {
		c = c.add(counts{e.KeyCount, e.MouseClicks, e.ScrollCount, e.MouseDistancePx})
	}
	return c
}

// wantTotal waits until the server has exactly that of a machine_id, and returns
// its records.
func (m *machine) wantTotal(t *testing.T, machineID string, want counts) []api.Event {
	t.Helper()
	var events []api.Event
	eventually(t, patience, "the server has what was done", func() error {
		var err error
		if events, err = m.srv.Events(t.Context(), machineID); err != nil {
			return err
		}
		if got := total(events); got != want {
			return fmt.Errorf("it has %+v, want %+v", got, want)
		}
		return nil
	})
	return events
}
