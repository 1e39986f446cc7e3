package app_test

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// A server that is asked to stop shows that to load balancers and answers everybody, also
// on new connections, until the delay is over or it is asked again.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	databaseURL := servertest.NewDatabase(t)
	for _, test := range []struct {
		name, delay string
		again       bool
	}{{"told again", "2m", true}, {"delay over", "1s", false}} {
		t.Run(test.name, func(t *testing.T) {
			p := servertest.StartProcess(t, databaseURL, "--shutdown-delay", test.delay)
			token, credential := p.Token(directory.RoleViewer), p.Host("h-"+test.delay)
			signal := func() {
				t.Helper()
				if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
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
					p.Do(http.MethodGet, "/healthz", "", nil).Wants(200, nil)
					p.Do(http.MethodGet, "/api/machines", token, nil).Wants(200, nil)
					p.Send(credential, servertest.Minute("m", 0))
				}
				signal()
			}
			select {
			case err := <-p.Ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(servertest.Patience):
				t.Fatal("it did not end")
			}
			if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr); err == nil {
				t.Error("somebody still listens")
			}
			if strings.Contains(p.Log.String(), `error="the server is about to stop`) {
				t.Errorf("stopping is no error:\n%s", p.Log)
			}
			if again := strings.Contains(p.Log.String(), "told again"); again != test.again {
				t.Errorf("told again: %v\n%s", again, p.Log)
			}
		})
	}
}

// Who was never ready has no requests to wait for.
func TestNoShutdownDelayBeforeTheDatabase(t *testing.T) {
	run := servertest.Serve(t, config.Config{Database: config.Database{URL: "postgres://nobody@127.0.0.1:1/none"}, ShutdownDelay: 2 * time.Minute})
	servertest.Await(t, "the process", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(run.URL, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	run.Stop()
	select {
	case err := <-run.Done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(servertest.Patience):
		t.Fatal("it waits for nobody")
	}
}
