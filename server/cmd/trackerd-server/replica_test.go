package main

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

// The whole server reads reports from a replica, tells so, and answers without it.
func TestServeWithReplica(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := pgtest.Standby(t, primary)
	set := &settings{databaseURL: primary.URL("postgres"), replicaURL: standby.URL("postgres"), replicaLag: store.UsualReplicaLag}
	run := startServing(t, set)
	// Another server on the same database makes the tokens.
	b := servertest.New(t, primary.URL("postgres"))
	token, credential := b.Token(store.RoleViewer), b.Host("h")
	b.Send(credential, servertest.Minute("m", 0))
	b.URL = run.url
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
		t.Error("the server has no session on the replica")
	}
	standby.Stop(syscall.SIGKILL)
	if !listed() {
		t.Error("the machine is gone with the replica")
	}
	servertest.Await(t, "the end of the replica's use", inUse(0))
	b.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}

func TestReplicaSettings(t *testing.T) {
	const database = "postgres://db/x"
	for _, test := range []struct {
		name, database, replica, lag string
		want                         time.Duration
		err                          string
	}{
		{"none", database, "", "", store.UsualReplicaLag, ""},
		{"usual", database, "postgres://replica/x", "", store.UsualReplicaLag, ""},
		{"lag", database, "postgres://replica/x", "2m", 2 * time.Minute, ""},
		{"of the private one", "", "postgres://replica/x", "", 0, "needs DATABASE_URL"},
		{"no time", database, "postgres://replica/x", "soon", 0, "want a time from 2s to 1h"},
		{"too short", database, "", "1s", 0, "want a time from 2s"},
		{"too long", database, "", "2h", 0, "want a time from 2s"},
	} {
		for _, flags := range []bool{true, false} {
			s, env := &settings{databaseURL: test.database}, map[string]string{}
			if flags {
				s.replicaURL, s.replicaMaxLag = test.replica, test.lag
			} else {
				env[envReplica], env[envReplicaLag] = test.replica, test.lag
			}
			err := s.replicaFrom(func(name string) string { return env[name] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%s: %v", test.name, err)
				}
			} else if err != nil || s.replicaLag != test.want || s.replicaURL != test.replica {
				t.Errorf("%s: %v %v %v", test.name, s.replicaURL, s.replicaLag, err)
			}
		}
	}
}
