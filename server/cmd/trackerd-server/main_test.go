package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

func TestMain(m *testing.M) {
	testscript.Main(servertest.Cluster{M: m, EveryReply: true}, map[string]func(){
		"trackerd-server": func() { os.Exit(run()) },
	})
}

func ptr[T any](v T) *T { return &v }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Short enough for a socket, and open to PostgreSQL's account.
			state := t.TempDir()
			if err := os.Chmod(filepath.Dir(state), 0o711); err != nil {
				return err
			}
			env.Setenv("STATE", state)
			env.Setenv("HOME", filepath.Join(state, "home"))
			return nil
		},
	})
}

// serving is a server as `serve` runs it.
type serving struct {
	stop context.CancelFunc
	done chan error
	url  string
}

func startServing(t *testing.T, s *settings) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	port := servertest.FreePort(t)
	run := &serving{stop: cancel, done: make(chan error, 1), url: "http://" + port}
	go func() { run.done <- serve(ctx, s, port, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-run.done:
		default:
		}
	})
	return run
}

// A private PostgreSQL is killed in the middle of uploads: hosts are told to come
// back, and nothing that was acknowledged is missing.
func TestDatabaseKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	s := &settings{stateDir: dir}
	run := startServing(t, s)
	b := servertest.Connect(t, run.url, &http.Transport{})
	ready := func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	}
	servertest.Await(t, "the server", ready)
	log := slog.New(slog.DiscardHandler)
	db, err := openDatabase(t.Context(), s, log)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = db.close(t.Context())
		}
	}()
	if err := db.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Store = db.store
	viewer, credential := b.Token(store.RoleViewer), b.Host("h")

	var acknowledged, unavailable atomic.Int64
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 3 {
		workers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				uploadOne(t, b, credential, servertest.Minute(fmt.Sprintf("m%d", w), i), &acknowledged, &unavailable, stop)
			}
		})
	}
	servertest.Await(t, "the first events", func() bool { return acknowledged.Load() > 20 })
	pid, err := db.private.PID()
	if err != nil || pid == 0 {
		t.Fatalf("process %d, %v", pid, err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	servertest.Await(t, "a 503", func() bool { return unavailable.Load() > 0 })
	before := acknowledged.Load()
	servertest.Await(t, "events after the restart", func() bool { return acknowledged.Load() > before+20 })
	close(stop)
	workers.Wait()
	servertest.Await(t, "readiness", ready)

	var stored int64
	for w := range 3 {
		cursor := ""
		for {
			var page api.EventList
			b.Do(http.MethodGet, fmt.Sprintf("/api/activity/m%d/events?start=2024-01-01T00:00:00Z&end=2025-01-01T00:00:00Z&limit=500&cursor=%s", w, cursor), viewer, nil).Wants(200, &page)
			stored += int64(len(page.Events))
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
	}
	if stored != acknowledged.Load() {
		t.Errorf("%d events acknowledged, %d stored", acknowledged.Load(), stored)
	}
	t.Logf("%d events acknowledged, %d times 503", acknowledged.Load(), unavailable.Load())
	closed = true
	if err := db.close(t.Context()); err != nil {
		t.Error(err)
	}
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}

// uploadOne repeats an event, as a host does, until it is acknowledged.
func uploadOne(t *testing.T, b *servertest.Bench, credential string, e api.Event, acknowledged, unavailable *atomic.Int64, stop chan struct{}) {
	t.Helper()
	for {
		r, err := b.Try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: []api.Event{e}})
		switch {
		case err != nil:
			t.Error(err)
			return
		case r.Status == 200:
			acknowledged.Add(1)
			return
		case r.Status != 503 || r.Header.Get("Retry-After") == "":
			t.Errorf("status %d, %v: %s", r.Status, r.Header, r.Body)
			return
		}
		unavailable.Add(1)
		select {
		case <-stop:
			// Whether it was stored is open: send it for good.
			stop = nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// SIGTERM ends a server after the requests that it has accepted.
func TestStopFinishesAcceptedRequests(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	run := startServing(t, &settings{databaseURL: databaseURL})
	b := servertest.Connect(t, run.url, &http.Transport{})
	servertest.Await(t, "the server", func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	})
	b.Store = servertest.New(t, databaseURL).Store
	credential := b.Host("h")

	// The body's second half comes after the stop.
	body, half := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, run.url+"/api/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	answered := make(chan error, 1)
	go func() {
		res, err := b.HTTP.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", res.StatusCode)
			}
		}
		answered <- err
	}()
	if _, err := io.WriteString(half, `{"events":[{"machine_id":"m",`); err != nil {
		t.Fatal(err)
	}
	// Its credential was looked up: the handler is at work.
	servertest.Await(t, "the request to be accepted", func() bool {
		h, _, err := b.Store.HostByCredential(t.Context(), strings.Split(credential, ".")[0])
		return err == nil && h.CredentialUsed
	})
	run.stop()
	servertest.Await(t, "the listener to close", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(run.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(half, `"timestamp":"2024-01-15T00:00:00Z"}]}`); err != nil {
		t.Fatal(err)
	}
	_ = half.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}

// The server listens and says 503 while its database is away, and mends itself.
func TestStartsBeforeItsDatabase(t *testing.T) {
	run := startServing(t, &settings{databaseURL: "postgres://nobody@127.0.0.1:1/none"})
	b := servertest.Connect(t, run.url, &http.Transport{})
	servertest.Await(t, "the process", func() bool {
		r, err := b.Try(http.MethodGet, "/healthz", "", nil)
		return err == nil && r.Status == 200
	})
	for _, path := range []string{"/readyz", "/api/machines"} {
		r := b.Do(http.MethodGet, path, secret.New(secret.KindToken).Reveal(), nil)
		r.Refused(503, api.CodeUnavailable)
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}
