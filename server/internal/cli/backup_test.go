package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/testdb"
)

// command runs a command within this process.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newRoot("development")
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	ctx, cancel := context.WithTimeout(t.Context(), 2*servertest.Patience)
	defer cancel()
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t, args...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

func wantError(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := command(t, args...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
	}
}

func sql(t *testing.T, databaseURL, statement string, into ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if len(into) == 0 {
		_, err = conn.Exec(t.Context(), statement)
	} else {
		err = conn.QueryRow(t.Context(), statement).Scan(into...)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A backup made while hosts upload holds one moment: what was acknowledged before
// is in it, and its roll-ups are exact.
func TestBackupUnderWrites(t *testing.T) {
	from, to := servertest.NewDatabase(t), testdb.Empty(t)
	b := servertest.New(t, from)
	credential := b.Host("h")
	var uploads servertest.Uploads
	end := uploads.Keep(b, credential, 3, func(w, i int) api.Event {
		e := servertest.Minute(fmt.Sprintf("m%d", w), i)
		// Every tenth is late, for a week of its own.
		if i%10 == 0 {
			e.Timestamp = e.Timestamp.AddDate(1, 0, 7*i/10)
		}
		return e
	})
	servertest.Await(t, "the first events", func() bool { return uploads.Acknowledged.Load() > 30 })
	before := uploads.Acknowledged.Load()
	file := filepath.Join(t.TempDir(), "a.dump")
	out := must(t, "backup", file, "--database-url", from, "--json")
	after := uploads.Acknowledged.Load()
	end()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(out, `"schema_version"`) {
		t.Errorf("%v, %v\n%s", info, err, out)
	}
	if after == before {
		t.Error("nothing was written meanwhile")
	}

	out = must(t, "restore", file, "--database-url", to, "--check", "--keep-events-days", "0", "--keep-rollups-days", "0")
	var machines, events, rollups, wrong int64
	_, rest, _ := strings.Cut(out, "\n")
	if _, err := fmt.Sscanf(rest, "%d machines, %d events, %d roll-ups, %d wrong", &machines, &events, &rollups, &wrong); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if machines != 3 || events < before || events > uploads.Acknowledged.Load() || wrong != 0 {
		t.Errorf("%s; acknowledged %d before, %d after", out, before, after)
	}
	t.Logf("%d acknowledged before, %d after, %d in the backup; %d times 503", before, after, events, uploads.Unavailable.Load())

	// The restored one goes on, with new rows' numbers free.
	again := servertest.New(t, to)
	again.Send(credential, servertest.Minute("new", 0), servertest.Minute("m0", 100_000))
	if got, err := again.Store.CheckRollups(t.Context(), false); err != nil || got.Wrong != 0 || got.Machines != 4 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	from, to := testdb.Empty(t), testdb.Empty(t)
	file := filepath.Join(t.TempDir(), "a.dump")
	wantError(t, "nothing of trackerd-server's", "backup", file, "--database-url", from)
	must(t, "token", "create", "--name", "kept", "--role", "viewer", "--database-url", from)
	must(t, "backup", file, "--database-url", from)
	must(t, "token", "create", "--name", "there", "--role", "viewer", "--database-url", to)
	names := func() string { return must(t, "token", "list", "--database-url", to) }

	wantError(t, "--overwrite", "restore", file, "--database-url", to)
	st, err := rooms.Open(t.Context(), to, rooms.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a server is connected", "restore", "--overwrite", file, "--database-url", to)
	st.Close()
	servertest.Await(t, "the server's connection to end", func() bool {
		var n int
		sql(t, to, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '"+db.ServerName+"'", &n)
		return n == 0
	})

	// Cut off in its table of contents, and in its data; changed in its data.
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "garbage": []byte("garbage"), "head": whole[:200], "data": whole[:len(whole)-20],
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := command(t, "restore", "--overwrite", path, "--database-url", to)
		if err == nil || !strings.Contains(err.Error(), "pg_restore: error") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		t.Logf("%s: %v", name, err)
	}
	if got := names(); !strings.Contains(got, "there") || strings.Contains(got, "kept") {
		t.Errorf("after refusals: %s", got)
	}
	must(t, "restore", "--overwrite", file, "--database-url", to)
	if got := names(); strings.Contains(got, "there") || !strings.Contains(got, "kept") {
		t.Errorf("after restoring: %s", got)
	}

	sql(t, from, "INSERT INTO schema_migration (version, name) VALUES (9999, 'future')")
	must(t, "backup", file, "--database-url", from)
	wantError(t, "schema version 9999", "restore", "--overwrite", file, "--database-url", to)
}

// A server that had no connection while a backup was restored does not trust what
// it remembers: there the machines' rows may have each other's numbers.
func TestServerNoticesRestore(t *testing.T) {
	from, to := servertest.NewDatabase(t), testdb.Empty(t)
	dir := t.TempDir()
	one := servertest.New(t, from)
	credential := one.Host("h")
	must(t, "backup", filepath.Join(dir, "none"), "--database-url", from)
	one.Send(credential, servertest.Minute("a", 0))
	one.Send(credential, servertest.Minute("b", 0))
	must(t, "backup", filepath.Join(dir, "ab"), "--database-url", from)

	must(t, "restore", filepath.Join(dir, "none"), "--database-url", to)
	two := servertest.New(t, to)
	two.Send(credential, servertest.Minute("b", 0))
	two.Send(credential, servertest.Minute("a", 0))
	sql(t, to, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '"+db.ServerName+"'", new(int))
	servertest.Await(t, "the restore to begin", func() bool {
		_, err := command(t, "restore", "--overwrite", filepath.Join(dir, "ab"), "--database-url", to)
		return err == nil
	})
	servertest.Await(t, "an event to be taken", func() bool {
		r, err := two.Try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: []api.Event{servertest.Minute("a", 1), servertest.Minute("a", 2)}})
		return err == nil && r.Status == 200
	})
	viewer := two.Token(directory.RoleViewer)
	if a, b := two.Summary(viewer, "a", "date=2024-01-15"), two.Summary(viewer, "b", "date=2024-01-15"); a.KeyCount != 3 || b.KeyCount != 1 {
		t.Errorf("a has %d keys, want 3; b has %d, want 1", a.KeyCount, b.KeyCount)
	}
}

// Whoever reads a backup goes away.
func TestBackupBrokenPipe(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	must(t, "migrate", "--database-url", databaseURL)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer func() { _ = w.Close() }()
	c := newRoot("development")
	c.SetArgs([]string{"backup", "-", "--database-url", databaseURL})
	c.SetOut(w)
	if err := c.ExecuteContext(t.Context()); !errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "has stopped reading") {
		t.Error(err)
	}
}
