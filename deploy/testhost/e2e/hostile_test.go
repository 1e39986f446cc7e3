package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestHostileUser has a user with a session of her own try what must not work.
func TestHostileUser(t *testing.T) {
	t.Parallel()
	hostileUser(t, debian.Bookworm)
}

func hostileUser(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	h := trackedHost(t, suite, srv)
	defer h.showLogOnFailure(t)
	people := loginAtOnce(t, h, "alice", "mallory")
	alice, mallory := people[0], people[1]
	alice.mustWork(t, 60, 2, 2, 2)
	mallory.mustWork(t, 20, 1, 1, 1)

	t.Run("files", func(t *testing.T) { refusedFiles(t, h, alice) })
	t.Run("helper", func(t *testing.T) { refusedHelper(t, h, alice) })
	t.Run("control socket", func(t *testing.T) { ownSessionsOnly(t, h, alice, mallory) })
	t.Run("asking without end", func(t *testing.T) { asksWithoutEnd(t, h) })
	t.Run("impostor", func(t *testing.T) { refusedImpostor(t, h, alice) })
	t.Run("foreign machine", func(t *testing.T) { refusedForeignMachine(t, srv, alice) })

	// None of it has left a trace in what the server has.
	wantTold(t, alice, mallory)
	wantApart(t, srv, alice, mallory)
}

// refused runs a shell line as mallory, which must fail, and whose words must
// not have any of the secrets.
func refused(t *testing.T, h *host, line string, secrets ...string) {
	t.Helper()
	res, err := h.Exec(t.Context(), testhost.Command{User: "mallory", Args: []string{"timeout", "10", "bash", "-c", line}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Code == 0 {
		t.Errorf("mallory may %s: %s", line, res.Stdout)
	}
	for _, secret := range secrets {
		if strings.Contains(res.Stdout+res.Stderr, secret) {
			t.Errorf("mallory reads a secret with %s", line)
		}
	}
}

// refusedFiles reads everything that trackerd writes: the credential, the
// buffer with what others did, the runtime folder.
func refusedFiles(t *testing.T, h *host, alice *person) {
	credential := h.credential(t)
	for _, path := range []string{"/var/lib/trackerd/credential", "/var/lib/trackerd/buffer.db"} {
		h.run(t, "test", "-s", path) // it is there
		refused(t, h, "cat "+path, credential)
		refused(t, h, "echo x >> "+path)
		refused(t, h, "rm -f "+path)
	}
	refused(t, h, "ls /var/lib/trackerd")
	refused(t, h, "touch /run/trackerd/x")
	refused(t, h, "rm -f /run/trackerd/control.sock")
	refused(t, h, "echo x >> /etc/trackerd/config.yaml")
	refused(t, h, "echo x >> /etc/trackerd/enrollment.yaml")
	// Whatever else mallory can read has neither secrets nor others' names.
	out := h.run(t, "setpriv", "--reuid=mallory", "--regid=mallory", "--init-groups", "sh", "-c",
		"find /var/lib/trackerd /run/trackerd /etc/trackerd /usr/share/doc/trackerd -type f -exec cat {} + 2>/dev/null; true")
	for _, secret := range []string{credential, alice.machine} {
		if strings.Contains(out, secret) {
			t.Errorf("files that mallory can read have %q", secret)
		}
	}
}

// refusedHelper gets at the helper of somebody else, and at the daemon.
func refusedHelper(t *testing.T, h *host, alice *person) {
	helper := h.helperPID(t, alice.Session.ID)
	daemon := h.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd")
	for _, pid := range []string{helper, daemon} {
		refused(t, h, "kill -STOP "+pid)
		refused(t, h, "kill -9 "+pid)
		refused(t, h, "ls /proc/"+pid+"/fd")
		refused(t, h, "cat /proc/"+pid+"/environ")
		refused(t, h, "cat /proc/"+pid+"/mem")
		// Opening the socket anew through /proc is no way in either.
		refused(t, h, "echo x > /proc/"+pid+"/fd/0")
	}
	refused(t, h, "systemctl --no-ask-password stop "+unit(alice.Session.ID))
	refused(t, h, "systemctl --no-ask-password restart trackerd")
	refused(t, h, "DISPLAY="+alice.Session.Display+" timeout 5 xprop -root")
}

// ownSessionsOnly asks trackerd itself.
func ownSessionsOnly(t *testing.T, h *host, alice, mallory *person) {
	for _, args := range [][]string{{"trackctl", "status", "--json"}, {"trackctl", "sessions", "--json"}, {"trackctl", "status"}, {"trackctl", "sessions"}} {
		out, err := h.RunAs(t.Context(), "mallory", args...)
		if err != nil {
			t.Errorf("mallory cannot ask about herself: %v", err)
		}
		if strings.Contains(out, alice.name) || strings.Contains(out, "host_id\": \"") || strings.Contains(out, "host id") {
			t.Errorf("%s tells mallory of others:\n%s", strings.Join(args, " "), out)
		}
	}
	out, err := h.RunAs(t.Context(), "mallory", "trackctl", "sessions", "--json")
	var list struct{ Sessions []session }
	if jsonErr := json.Unmarshal([]byte(out), &list); err != nil || jsonErr != nil {
		t.Fatalf("trackctl sessions: %v, %v", err, jsonErr)
	}
	if len(list.Sessions) != 1 || list.Sessions[0].MachineID != mallory.machine {
		t.Errorf("mallory's sessions are %+v", list.Sessions)
	}
	refused(t, h, "trackctl enroll http://127.0.0.1:9 abc.def")
	refused(t, h, "trackctl doctor", h.credential(t))
}

// asksWithoutEnd has mallory ask for the status again and again, in eight loops at once.
// She gets as many answers as one user may have, and root one whenever root asks.
func asksWithoutEnd(t *testing.T, h *host) {
	const loops, atOnce, perSecond = 8, 20, 5
	const script = `for i in $(seq "$1"); do timeout 4 sh -c 'while :; do trackctl status >/dev/null 2>&1 && echo answered; done' & done; wait`
	began := time.Now()
	asked := make(chan string, 1)
	go func() {
		out, err := h.RunAs(t.Context(), "mallory", "sh", "-c", script, "sh", strconv.Itoa(loops))
		if err != nil {
			out = err.Error()
		}
		asked <- out
	}()
	for range 3 {
		h.status(t)
	}
	out := <-asked
	answers := strings.Count(out, "answered")
	most := atOnce + loops + int(time.Since(began)/time.Second+1)*perSecond
	if answers < atOnce || answers > most {
		t.Errorf("%d answers within %s, want %d to %d: %.200s", answers, time.Since(began), atOnce, most, out)
	}
}

// refusedImpostor speaks as if mallory were alice's helper, or trackerd.
func refusedImpostor(t *testing.T, h *host, alice *person) {
	// The one thing of trackerd's that anybody can connect to is its control
	// socket: who speaks for a session was handed the socket.
	listening := h.run(t, "sh", "-c", "ss -Hxlp | grep -i track; ss -Hltunp | grep -i track; true")
	for line := range strings.Lines(listening) {
		if !strings.Contains(line, "/run/trackerd/control.sock") {
			t.Errorf("trackerd listens elsewhere as well: %s", line)
		}
	}
	before := h.status(t)
	out := h.run(t, "systemctl", "show", "--property=StatusText", "trackerd")
	refusedOrUseless := `NOTIFY_SOCKET=/run/systemd/notify systemd-notify --pid=` +
		h.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd") + ` --status="mallory was here"; false`
	refused(t, h, refusedOrUseless)
	if now := h.run(t, "systemctl", "show", "--property=StatusText", "trackerd"); strings.Contains(now, "mallory") {
		t.Errorf("mallory changes trackerd's status from %q to %q", out, now)
	}
	refused(t, h, "systemd-run --no-ask-password --unit="+strings.TrimSuffix(unit("c99"), ".service")+" sleep 60")
	refused(t, h, "busctl --timeout=5 call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager TerminateSession s "+alice.Session.ID)
	if after := h.status(t); after.Host.DeadLetters["foreign_machine"] != before.Host.DeadLetters["foreign_machine"] {
		t.Errorf("dead letters: %+v, before %+v", after.Host.DeadLetters, before.Host.DeadLetters)
	}
}

// refusedForeignMachine is another enrolled host that reports for alice.
func refusedForeignMachine(t *testing.T, srv *server, alice *person) {
	eventually(t, 30*time.Second, "alice's machine is known", func() error {
		_, err := srv.Events(t.Context(), alice.machine)
		return err
	})
	credential := enrollByHand(t, srv, strings.Repeat("cd", 16))
	code, r, err := srv.Request(t.Context(), "POST", "/api/events", credential, api.EventBatch{Events: []api.Event{
		{MachineID: alice.machine, Timestamp: time.Now().UTC().Truncate(time.Hour), KeyCount: 1000},
	}})
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v: %s", code, err, r.Body)
	}
	var reply api.IngestReply
	if err := json.Unmarshal(r.Body, &reply); err != nil || len(reply.Rejected) != 1 || reply.Rejected[0].Code != api.CodeForeignMachine {
		t.Errorf("another host's event for %s: %s, %v; want foreign_machine", alice.machine, r.Body, err)
	}
	for _, token := range []string{"", "hc_wrong.wrong", srv.Viewer} {
		code, _, err := srv.Request(t.Context(), "POST", "/api/events", token, `{"events":[]}`)
		if err != nil || code != http.StatusUnauthorized && code != http.StatusForbidden {
			t.Errorf("an upload without a host's credential is answered %d, %v", code, err)
		}
	}
}
