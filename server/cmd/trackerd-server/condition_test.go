package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

// manager stands for systemd: it keeps the newest status line.
type manager struct {
	mu     sync.Mutex
	status string
}

func startManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	m := &manager{}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); wait.Wait() })
	wait.Go(func() {
		message := make([]byte, 4096)
		for {
			n, err := conn.Read(message)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(message[:n])) {
				if status, ok := strings.CutPrefix(strings.TrimSpace(line), "STATUS="); ok {
					m.mu.Lock()
					m.status = status
					m.mu.Unlock()
				}
			}
		}
	})
	return m
}

func (m *manager) says(t *testing.T, begin, within string) {
	t.Helper()
	var status string
	servertest.Await(t, begin, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		status = m.status
		return strings.HasPrefix(status, begin)
	})
	if !strings.Contains(status, within) {
		t.Errorf("the status %q lacks %q", status, within)
	}
}

// The status line and the log follow the database, each change once.
func TestStatusFollowsTheDatabase(t *testing.T) {
	m, cluster := startManager(t), pgtest.Start(t)
	cluster.Stop(syscall.SIGINT)
	st, err := store.Open(t.Context(), cluster.URL("postgres"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var log lockedBuffer
	told := slog.New(slog.NewTextHandler(&log, nil))
	c := &condition{
		s: &settings{databaseURL: cluster.URL("postgres")}, store: st, leaving: &app.Leave{Log: told},
		addr: "here", every: 10 * time.Millisecond, log: told,
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(c.begin(ctx), c.follow(ctx)) }()
	m.says(t, "waiting for the database", "systemctl start postgresql")
	cluster.Start()
	m.says(t, "answering on here", "")
	for range 2 {
		cluster.Stop(syscall.SIGINT)
		m.says(t, "answering 503 on here", "systemctl start postgresql")
		cluster.Start()
		m.says(t, "answering on here", "")
	}
	// Told to stop, it leaves the line to the stop.
	c.leaving.Begun.Store(true)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	stop()
	text := func() string {
		log.mu.Lock()
		defer log.mu.Unlock()
		return log.b.String()
	}
	for words, want := range map[string]int{"waiting for the database": 1, "does not answer": 2, "answers again": 2} {
		if got := strings.Count(text(), words); got != want {
			t.Errorf("%q stands %d times in the log:\n%s", words, got, text())
		}
	}
}

func TestAdvice(t *testing.T) {
	away := errors.Join(store.ErrUnavailable)
	for _, test := range []struct {
		s    settings
		err  error
		want string
	}{
		{settings{databaseURL: "postgres://x@/x?host=/run/postgresql", service: true}, away, "systemctl start postgresql, or name another in DATABASE_URL in /etc/trackerd-server/server.env"},
		{settings{databaseURL: "postgres://x@[::1]/x"}, away, "systemctl start postgresql"},
		{settings{databaseURL: "postgres://x:y@db.example/x"}, away, "see that the PostgreSQL that DATABASE_URL names"},
		{settings{databaseURL: "host=/run/postgresql"}, away, "systemctl start postgresql, or name another in DATABASE_URL"},
		{settings{}, away, ""},
		{settings{databaseURL: "postgres://x@localhost/x"}, store.OlderSchemaError{}, ""},
		{settings{databaseURL: "postgres://x@localhost/x"}, store.ErrNoAccess, ""},
	} {
		if got := test.s.advice(test.err); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s, %v: %q", test.s.databaseURL, test.err, got)
		}
	}
}

// What is advised depends on where a database is, however its URL says so.
func TestOnThisMachine(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres:///tracker":                                true,
		"postgres:///tracker?host=/run/postgresql":           true,
		"host=/run/postgresql dbname=tracker":                true,
		"postgres://u:p@localhost/tracker":                   true,
		"postgres://u:p@127.0.0.1:5433/tracker":              true,
		"postgres://u:p@[::1]/tracker":                       true,
		"host = ::1":                                         true,
		"postgres://u:p@db.example.org/tracker":              false,
		"host=10.1.2.3 dbname=tracker":                       false,
		"postgres://u:p@a.example.org,b.example.org/tracker": false,
	} {
		if got := onThisMachine(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

// Who asks why the service does not run reads it in the status, also where it failed
// before it listened.
func TestStatusSaysWhyAStartFailed(t *testing.T) {
	m := startManager(t)
	cmd := newCommand()
	cmd.SetArgs([]string{"serve", "--state-dir", t.TempDir(), "--listen", "443"})
	tell(cmd.ExecuteContext(t.Context()), io.Discard)
	m.says(t, "failed: ", "did you mean :443?")
	tell(foundError{errors.New("one check failed")}, io.Discard)
	m.says(t, "failed: ", "did you mean :443?")
}

// What to do about a refusal stands apart from what it was, for the doctor.
func TestExplainNoAccess(t *testing.T) {
	for _, test := range []struct {
		s    settings
		want string
	}{
		{settings{databaseURL: "postgres://x@/x?host=/run/postgresql", service: true}, makeDatabase},
		{settings{databaseURL: "postgres://x@/x?host=/run/postgresql"}, "runuser -u NAME"},
		{settings{databaseURL: "postgres://x@db.example/x"}, ""},
	} {
		var advised advisedError
		err := test.s.explain(fmt.Errorf("asking: %w", store.ErrNoAccess))
		if !errors.Is(err, store.ErrNoAccess) || errors.As(err, &advised) != (test.want != "") || !strings.Contains(advised.advice, test.want) {
			t.Errorf("%+v: %v", test.s, err)
		}
	}
}
