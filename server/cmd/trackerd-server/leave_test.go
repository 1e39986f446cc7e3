package main

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

// A server that is told to stop says so to load balancers and answers everybody, also
// on new connections, until the delay is over or it is told again.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	databaseURL := servertest.NewDatabase(t)
	for _, test := range []struct {
		name, delay string
		again       bool
	}{{"told again", "2m", true}, {"delay over", "1s", false}} {
		t.Run(test.name, func(t *testing.T) {
			p := startProcess(t, databaseURL, "--shutdown-delay", test.delay)
			token, credential := p.Token(store.RoleViewer), p.Host("h-"+test.delay)
			signal := func() {
				t.Helper()
				if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			signal()
			servertest.Await(t, "503 on /readyz", func() bool {
				r, err := p.Try(http.MethodGet, "/readyz", "", nil)
				return err != nil || r.Status == http.StatusServiceUnavailable
			})
			if test.again {
				// By a connection of each request's own.
				for range 3 {
					p.HTTP.CloseIdleConnections()
					p.Do(http.MethodGet, "/readyz", "", nil).Refused(503, api.CodeStopping)
					if c := checkAddress(t.Context(), p.addr, "", false); c.Verdict != verdictWarn || !strings.Contains(c.Detail, "told to stop") {
						t.Errorf("the doctor says %+v", c)
					}
					p.Do(http.MethodGet, "/healthz", "", nil).Wants(200, nil)
					p.Do(http.MethodGet, "/api/machines", token, nil).Wants(200, nil)
					p.Send(credential, servertest.Minute("m", 0))
				}
				signal()
			}
			select {
			case err := <-p.ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(servertest.Patience):
				t.Fatal("it did not end")
			}
			if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.addr); err == nil {
				t.Error("somebody still listens")
			}
			if strings.Contains(p.log.String(), `error="the server is about to stop`) {
				t.Errorf("stopping is no error:\n%s", p.log)
			}
			if again := strings.Contains(p.log.String(), "told again"); again != test.again {
				t.Errorf("told again: %v\n%s", again, p.log)
			}
		})
	}
}

// Who was never ready has no requests to wait for.
func TestNoShutdownDelayBeforeTheDatabase(t *testing.T) {
	run := startServing(t, &settings{databaseURL: "postgres://nobody@127.0.0.1:1/none", edge: edgeFlags{shutdownDelay: span(app.MaxShutdownDelay)}})
	servertest.Await(t, "the process", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(run.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	run.stop()
	select {
	case err := <-run.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(servertest.Patience):
		t.Fatal("it waits for nobody")
	}
}
