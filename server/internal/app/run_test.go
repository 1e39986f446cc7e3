package app_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/testdb"
)

// A private PostgreSQL is killed in the middle of uploads: hosts are asked to come
// back, and nothing that was acknowledged is missing.
func TestDatabaseKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	c := config.Config{StateDir: dir}
	run := servertest.Serve(t, c)
	b := servertest.Connect(t, run.URL, &http.Transport{})
	ready := func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	}
	servertest.Await(t, "the server", ready)
	log := slog.New(slog.DiscardHandler)
	db, err := app.OpenDatabase(t.Context(), c, log, app.ForCommand)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = db.Close(t.Context())
		}
	}()
	if err := db.Store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Store = db.Store
	viewer, credential := b.Token(directory.RoleViewer), b.Host("h")

	var uploads servertest.Uploads
	end := uploads.Keep(b, credential, 3, func(w, i int) api.Event { return servertest.Minute(fmt.Sprintf("m%d", w), i) })
	servertest.Await(t, "the first events", func() bool { return uploads.Acknowledged.Load() > 20 })
	pid, err := db.Private.PID()
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
	servertest.Await(t, "a 503", func() bool { return uploads.Unavailable.Load() > 0 })
	before := uploads.Acknowledged.Load()
	servertest.Await(t, "events after the restart", func() bool { return uploads.Acknowledged.Load() > before+20 })
	end()
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
	if stored != uploads.Acknowledged.Load() {
		t.Errorf("%d events acknowledged, %d stored", uploads.Acknowledged.Load(), stored)
	}
	t.Logf("%d events acknowledged, %d times 503", uploads.Acknowledged.Load(), uploads.Unavailable.Load())
	closed = true
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
	run.Stop()
	if err := <-run.Done; err != nil {
		t.Error(err)
	}
}

// SIGTERM ends a server after the requests that it has accepted.
func TestStopFinishesAcceptedRequests(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	run := servertest.Serve(t, config.Config{Database: config.Database{URL: databaseURL}})
	b := servertest.Connect(t, run.URL, &http.Transport{})
	servertest.Await(t, "the server", func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	})
	b.Store = servertest.New(t, databaseURL).Store
	credential := b.Host("h")

	// The body's second half comes after the stop.
	body, half := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, run.URL+"/api/events", body)
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
	run.Stop()
	servertest.Await(t, "the listener to close", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(run.URL, "http://"))
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
	if err := <-run.Done; err != nil {
		t.Error(err)
	}
}

// The server listens and answers 503 while its database is away, and mends itself.
func TestStartsBeforeItsDatabase(t *testing.T) {
	run := servertest.Serve(t, config.Config{Database: config.Database{URL: "postgres://nobody@127.0.0.1:1/none"}})
	b := servertest.Connect(t, run.URL, &http.Transport{})
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
	run.Stop()
	if err := <-run.Done; err != nil {
		t.Error(err)
	}
}

// A server that leaves the schema alone listens, answers 503, and is ready once
// somebody else has migrated.
func TestServeWaitsForMigration(t *testing.T) {
	databaseURL := testdb.Empty(t)
	run := servertest.Serve(t, config.Config{Database: config.Database{URL: databaseURL, NoMigrate: true}})
	b := servertest.Connect(t, run.URL, &http.Transport{})
	servertest.Await(t, "the process", func() bool {
		r, err := b.Try(http.MethodGet, "/healthz", "", nil)
		return err == nil && r.Status == 200
	})
	b.Do(http.MethodGet, "/api/machines", secret.New(secret.KindToken).Reveal(), nil).Refused(503, api.CodeUnavailable)
	b.Store = servertest.New(t, databaseURL).Store
	servertest.Await(t, "readiness", func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	})
	run.Stop()
	if err := <-run.Done; err != nil {
		t.Error(err)
	}
}
