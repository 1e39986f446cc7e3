package localpg

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stateDir is a folder that PostgreSQL's account can get into, with a path
// short enough for a socket.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := Start(ctx, Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func pidOf(t *testing.T, s *Server) int {
	t.Helper()
	pid, err := s.PID()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func query(t *testing.T, url, sql string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var value string
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}

// must fails where PostgreSQL does not answer.
func must(t *testing.T, s *Server) {
	t.Helper()
	if _, err := query(t, s.URL(), "SELECT 'x'"); err != nil {
		t.Fatal(err)
	}
}

// await waits for a condition.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := poll(t.Context(), patience, func() (bool, error) { return done(), nil })
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

func TestLastUserStops(t *testing.T) {
	// A blank and other odd letters are a matter of quoting.
	dir := filepath.Join(stateDir(t), `a +'b"`)
	one := start(t, dir)
	two := start(t, dir)
	pid := pidOf(t, one)
	if pid == 0 || pidOf(t, two) != pid {
		t.Fatalf("processes %d and %d", pid, pidOf(t, two))
	}
	stop(t, one)
	must(t, two)
	stop(t, two)
	if pidOf(t, one) != 0 || worksIn(pid, one.path("data")) {
		t.Error("it runs on without users")
	}
	three := start(t, dir)
	must(t, three)
	stop(t, three)
}

func TestManyAtOnce(t *testing.T) {
	dir := stateDir(t)
	results := make(chan error)
	for range 4 {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s, err := Start(ctx, Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				_, err = query(t, s.URL(), "SELECT 'x'")
				err = errors.Join(err, s.Close(ctx))
			}
			results <- err
		}()
	}
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestClosedToOthers(t *testing.T) {
	dir := stateDir(t)
	s := start(t, dir)
	defer stop(t, s)
	for setting, want := range map[string]string{
		"listen_addresses": "", "synchronous_commit": "on", "log_min_error_statement": "panic",
		"unix_socket_permissions": "0700",
	} {
		got, err := query(t, s.URL(), "SELECT current_setting('"+setting+"')")
		if err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
	for _, name := range []string{"data", "run"} {
		info, err := os.Stat(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	// Another role of the same user id is refused, too.
	if _, err := query(t, strings.Replace(s.URL(), "user=trackerd", "user=postgres", 1), "SELECT 'x'"); err == nil {
		t.Error("another role gets in")
	}
	if os.Geteuid() == 0 && owner(t, s.base) != 0 {
		t.Error("the account can replace root's files")
	}
}

func owner(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func TestWatchRestartsAfterKill(t *testing.T) {
	s := start(t, stateDir(t))
	defer stop(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.Watch(ctx) }()
	old := pidOf(t, s)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "another process", func() bool {
		pid := pidOf(t, s)
		_, err := query(t, s.URL(), "SELECT 'x'")
		return pid != 0 && pid != old && err == nil
	})
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
}

// A server killed with kill -9 leaves PostgreSQL running: its lock goes with it.
func TestOrphanIsAdopted(t *testing.T) {
	dir := stateDir(t)
	killed := start(t, dir)
	pid := pidOf(t, killed)
	if err := killed.use.Close(); err != nil {
		t.Fatal(err)
	}
	next := start(t, dir)
	if got := pidOf(t, next); got != pid {
		t.Errorf("process %d, want the orphan %d", got, pid)
	}
	must(t, next)
	stop(t, next)
	<-killed.child.ended
	if worksIn(pid, next.path("data")) {
		t.Error("the orphan runs on")
	}
}

// After a restart of the machine a left-over pid file may name a process id that
// something else has now.
func TestStalePidFile(t *testing.T) {
	dir := stateDir(t)
	s := start(t, dir)
	pidPath := filepath.Join(s.path("data"), pidFile)
	text, err := os.ReadFile(pidPath)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	lines := strings.Split(string(text), "\n")
	for name, content := range map[string]string{
		"another's process": strings.Join(append([]string{strconv.Itoa(os.Getppid())}, lines[1:]...), "\n"),
		"empty":             "",
		"garbage":           "\x00\x01garbage",
	} {
		if err := os.WriteFile(pidPath, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		again := start(t, dir)
		must(t, again)
		stop(t, again)
		if t.Failed() {
			t.Fatalf("with a pid file of %s", name)
		}
	}
}

func TestHalfMadeClusterIsMadeAgain(t *testing.T) {
	dir := stateDir(t)
	half := filepath.Join(dir, "postgres", "data.new")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir)
	must(t, s)
	stop(t, s)
}

func TestInterruptedStartLeavesNothing(t *testing.T) {
	dir := stateDir(t)
	stop(t, start(t, dir))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx, Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)}); err == nil {
		stop(t, s)
		t.Fatal("it started")
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := survivors(filepath.Join(real, "postgres", "data")); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are left (%v)", pids, err)
	}
}

func TestRefusals(t *testing.T) {
	long := filepath.Join(stateDir(t), strings.Repeat("x", 100))
	tests := []struct{ name, dir, want string }{
		{"long path", long, "too long"},
	}
	if os.Geteuid() == 0 {
		closed := filepath.Join(t.TempDir(), "state")
		if err := os.Chmod(filepath.Dir(closed), 0o700); err != nil {
			t.Fatal(err)
		}
		tests = append(tests, struct{ name, dir, want string }{"closed folder above", closed, "choose another --state-dir"})
		others, open := stateDir(t), stateDir(t)
		if err := os.Chown(others, 65534, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
		tests = append(tests, []struct{ name, dir, want string }{
			{"folder of another user", others, "runuser -u"}, {"folder that all can write to", open, "chmod go-w"},
		}...)
	}
	for _, test := range tests {
		s, err := Start(t.Context(), Options{StateDir: test.dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			stop(t, s)
			t.Errorf("%s: it started", test.name)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Root follows no link that another user put into a folder, to hand over what it
// leads to.
func TestRootFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	dir, target := stateDir(t), t.TempDir()
	if err := os.Symlink(target, filepath.Join(dir, "postgres")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		stop(t, s)
		t.Error("it started")
	}
	if _, err := os.Stat(filepath.Join(target, "run")); err == nil {
		t.Error("what the link leads to belongs to PostgreSQL now")
	}
}

func TestDataOfAnotherVersion(t *testing.T) {
	dir := stateDir(t)
	data := filepath.Join(dir, "postgres", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, versionFile), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "")
	_, err := Start(t.Context(), Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "install postgresql-9") {
		t.Errorf("%v", err)
	}
}
