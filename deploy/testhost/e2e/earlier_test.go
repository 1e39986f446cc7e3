package e2e

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// earlierVersion is the commit before the server got rooms, helpers the third
// version of what they report, and events the fields that came with it.
const earlierVersion = "16044b9b"

// TestSlowUpgrade upgrades server and agent from an earlier version, with its
// database and with a buffer in which events wait, while somebody types. Nothing
// is lost, and what was stored reads as before. The agent of an enrolled host has to
// hear first what it may measure: that waits where its server is away.
func TestSlowUpgrade(t *testing.T) {
	t.Parallel()
	earlier, err := e2etest.Earlier(t.Context(), earlierVersion)
	if err != nil {
		t.Fatal(err)
	}
	h := bareHost(t, debian.Bookworm, nil)
	defer h.showLogOnFailure(t)
	h.startPostgres(t)
	h.install(t, earlier.Server)
	h.srv = &server{Server: &e2etest.Server{Client: e2etest.Client{Addr: insideAddr, HTTP: httpOn(t, h.Host)}}, host: h}
	h.srv.WaitReady(t, http.StatusOK)
	h.srv.Viewer = h.srv.command(t, "token", "create", "--name", "test", "--role", "viewer")
	h.install(t, earlier.Agent)
	h.configure(t, config)
	// The configuration is changed, and so is the packaged one.
	h.run(t, "sh", "-c", `echo 'force-confold' >/etc/dpkg/dpkg.cfg.d/keep`)
	h.getCredential(t) // that agent knows of no policy
	p := h.login(t, "alice")
	p.mustWork(t, 40, 3, 3, 2)
	wantTold(t, p)
	before := p.records(t)

	h.run(t, "systemctl", "stop", serverUnit)
	p.mustWork(t, 30, 2, 2, 0) // waits in the buffer
	stop := keepTyping(t, p)
	h.install(t, serverDebPath)
	stop()
	h.srv.WaitReady(t, http.StatusOK)
	p.mustWork(t, 20, 1, 1, 1)
	wantTold(t, p)

	h.run(t, "systemctl", "stop", serverUnit)
	p.mustWork(t, 30, 2, 2, 0) // waits in the buffer
	h.install(t, debPath)
	if problems := h.status(t).Host.Problems; !slices.ContainsFunc(problems, isWaiting) {
		t.Errorf("the agent does not wait for the server's policy: %q", problems)
	}
	began := time.Now()
	h.run(t, "systemctl", "start", serverUnit)
	h.srv.WaitReady(t, http.StatusOK)
	h.waitTracked(t, p.Session.ID, began)
	p.mustWork(t, 20, 1, 1, 1)
	wantTold(t, p)

	after := p.records(t)
	if len(before) == 0 || len(after) <= len(before) {
		t.Fatalf("%d records before the upgrade, %d after it", len(before), len(after))
	}
	for i := range before[:len(before)-1] { // the last one may have been open
		if !reflect.DeepEqual(after[i], before[i]) {
			t.Errorf("a record of before reads as %+v, was %+v", after[i], before[i])
		}
	}
	h.run(t, "trackerd-server", "rollups", "check")
	h.run(t, "trackctl", "doctor")
}

func isWaiting(problem string) bool { return strings.Contains(problem, "waiting for policy") }
