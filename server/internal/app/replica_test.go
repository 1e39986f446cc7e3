package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// The whole server reads reports from a replica, shows that, and answers without it.
func TestServeWithReplica(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := pgtest.Standby(t, primary)
	set := config.Config{Database: config.Database{URL: primary.URL("postgres"), ReplicaURL: standby.URL("postgres"), ReplicaMaxLag: db.UsualReplicaLag}}
	run := servertest.Serve(t, set)
	// Another server on the same database makes the tokens.
	b := servertest.New(t, primary.URL("postgres"))
	token, credential := b.Token(directory.RoleViewer), b.Host("h")
	b.Send(credential, servertest.Minute("m", 0))
	b.URL = run.URL
	inUse := func(want int) func() bool {
		return func() bool {
			r, err := b.Try(http.MethodGet, "/metrics", "", nil)
			return err == nil && strings.Contains(string(r.Body), fmt.Sprintf("\ntrackerd_server_replica_in_use %d\n", want))
		}
	}
	listed := func() bool {
		r := b.Do(http.MethodGet, "/api/machines", token, nil)
		r.Wants(200, nil)
		return strings.Contains(string(r.Body), `"m"`)
	}
	servertest.Await(t, "the replica's use", inUse(1))
	servertest.Await(t, "the machine in the list", listed)
	if n := standby.SQL("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trackerd-server'"); n == "0" {
		t.Error("the server has no connection to the replica")
	}
	standby.Stop(syscall.SIGKILL)
	if !listed() {
		t.Error("the machine is gone with the replica")
	}
	servertest.Await(t, "the end of the replica's use", inUse(0))
	b.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
	run.Stop()
	if err := <-run.Done; err != nil {
		t.Error(err)
	}
}
