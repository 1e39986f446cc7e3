package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// insideAddr is where the server is from within a host: on its own loopback,
// where plain http is allowed.
const insideAddr = "127.0.0.1:8100"

// interval is the length of a record, in seconds: the shortest there is.
const interval = 5

// config makes records and uploads come quickly.
const config = "collect_interval_sec: 5\nsend_interval_sec: 1\n"

// host is a test host with trackerd on it.
type host struct {
	*testhost.Host
	srv   *server
	began time.Time
}

// onSuites runs a test on each release of Debian, side by side.
func onSuites(t *testing.T, test func(*testing.T, debian.Suite)) {
	t.Helper()
	t.Parallel()
	for _, suite := range debian.Suites() {
		t.Run(string(suite), func(t *testing.T) {
			t.Parallel()
			test(t, suite)
		})
	}
}

// bareHost boots a host with nothing added.
func bareHost(t *testing.T, suite debian.Suite, srv *server) *host {
	t.Helper()
	return startHost(t, srv, debian.XRDP(suite))
}

// startHost boots a host of that kind.
func startHost(t *testing.T, srv *server, base debian.Recipe) *host {
	t.Helper()
	h, err := testhost.Start(t.Context(), testhost.Options{Base: base, Hostname: "office", Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	if srv != nil {
		f, err := h.Forward(t.Context(), insideAddr, srv.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	return &host{Host: h, srv: srv, began: time.Now()}
}

// trackedHost boots a host, installs trackerd and enrols it.
func trackedHost(t *testing.T, suite debian.Suite, srv *server) *host {
	t.Helper()
	h := bareHost(t, suite, srv)
	h.install(t, debPath)
	h.configure(t, config)
	h.enroll(t)
	return h
}

func (h *host) install(t *testing.T, deb string) {
	t.Helper()
	if _, err := h.Install(t.Context(), deb); err != nil {
		t.Fatal(err)
	}
}

func (h *host) configure(t *testing.T, yaml string) {
	t.Helper()
	if err := h.WriteFile(t.Context(), "/etc/trackerd/config.yaml", strings.NewReader(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(t, "systemctl", "restart", "trackerd")
}

// enroll enrols the host, and waits until the server has said what may be measured: a host
// that asked in vain for 5 s, as on a busy computer, ends its helpers until then.
func (h *host) enroll(t *testing.T) {
	t.Helper()
	h.getCredential(t)
	eventually(t, time.Minute, "the server's policy is there", func() error {
		_, err := h.Run(t.Context(), "test", "-s", "/var/lib/trackerd/policy.json")
		return err
	})
}

// getCredential gets the host a credential of its server's. The token comes from
// standard input, as a careful person would do it.
func (h *host) getCredential(t *testing.T) {
	t.Helper()
	token := h.srv.command(t, "enrollment", "create", "--uses", "1", "--expires", "10m")
	res, err := h.Exec(t.Context(), testhost.Command{
		Args: []string{"trackctl", "enroll", "http://" + insideAddr, "-"}, Stdin: strings.NewReader(token + "\n"),
	})
	if err != nil || res.Code != 0 {
		t.Fatalf("trackctl enroll: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
}

// run runs a program as root; failing fails the test.
func (h *host) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := h.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// credential is the host's own, as root reads it.
func (h *host) credential(t *testing.T) string {
	t.Helper()
	var file struct{ Credential string }
	if err := json.Unmarshal([]byte(h.run(t, "cat", "/var/lib/trackerd/credential")), &file); err != nil {
		t.Fatalf("read the credential: %v", err)
	}
	return file.Credential
}

// showLogOnFailure prints what the host's journal has, while it still is there.
func (h *host) showLogOnFailure(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	log, err := h.Run(t.Context(), "journalctl", "--no-pager", "-n", "60", "-o", "short-precise",
		"-u", "logins", "-u", "trackerd*", "-u", "systemd-logind", "-u", "xrdp*", "-u", "postgresql*")
	t.Logf("the host's journal (%v):\n%s", err, log)
}

// session is one that trackctl sessions --json lists.
type session struct {
	ID         string     `json:"id"`
	MachineID  string     `json:"machine_id"`
	User       string     `json:"user"`
	Display    string     `json:"display"`
	State      string     `json:"state"`
	Problem    string     `json:"problem"`
	LastReport *time.Time `json:"last_report"`
}

func (h *host) sessions(t *testing.T) ([]session, error) {
	out, err := h.Run(t.Context(), "trackctl", "sessions", "--json")
	if err != nil {
		return nil, err
	}
	return sessionsOf(out)
}

// sessionsOf reads what trackctl sessions --json printed.
func sessionsOf(out string) ([]session, error) {
	var list struct{ Sessions []session }
	err := json.Unmarshal([]byte(out), &list)
	return list.Sessions, err
}

// waitTracked waits until the helper of a session has reported after since.
func (h *host) waitTracked(t *testing.T, id string, since time.Time) session {
	t.Helper()
	var found session
	eventually(t, 30*time.Second, "session "+id+" is tracked", func() error {
		list, err := h.sessions(t)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(s session) bool { return s.ID == id })
		if i < 0 || list[i].State != "reporting" || list[i].LastReport == nil || !list[i].LastReport.After(since) {
			return fmt.Errorf("the sessions are %+v", list)
		}
		found = list[i]
		return nil
	})
	return found
}

// unit is the unit of a session's helper.
func unit(sessionID string) string { return "trackerd-session-" + sessionID + ".service" }

// helperPID is the process of a session's helper, on the host.
func (h *host) helperPID(t *testing.T, sessionID string) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=MainPID", "--value", unit(sessionID))
}

// machineForm is what a machine_id made by itself looks like.
var machineForm = regexp.MustCompile(`^office-[0-9a-f]{6}-([a-z]+[0-9]*)$`)
