package storetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/server/internal/localpg"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// clusterEnv is where a package's tests find their PostgreSQL.
const clusterEnv = "TRACKERD_SERVER_TEST_CLUSTER"

// Main runs a package's tests beside a PostgreSQL of their own, and returns the exit
// code; TestMain calls it.
func Main(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		// Fuzz targets need no database, and each of their workers runs this.
		return m.Run()
	}
	code, err := runBesideCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func runBesideCluster(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "trk")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := localpg.Start(ctx, localpg.Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.Close(ctx)) }()
	if err := os.Setenv(clusterEnv, cluster.DatabaseURL("%s")); err != nil {
		return 1, err
	}
	if code = m.Run(); code != 0 {
		return code, nil
	}
	// The one goroutine left reaps the cluster.
	return code, goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

// NewDatabase makes an empty database and returns its URL.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	pattern := os.Getenv(clusterEnv)
	named := func(name string) string { return strings.Replace(pattern, "%25s", name, 1) }
	conn := Connect(tb, named("postgres"))
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	if _, err := conn.Exec(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return named(name)
}

// Connect makes a connection that ends with the test.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

// AddHost enrols a host and returns its row.
func AddHost(tb testing.TB, s *Store) int64 {
	tb.Helper()
	e := directory.Enrollment{ID: "enr", Kind: api.EnrollHost, UsesLeft: 1, ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.AddEnrollment(tb.Context(), e, []byte{1}); err != nil {
		tb.Fatal(err)
	}
	err := s.Enroll(tb.Context(), directory.EnrollRequest{
		Kind:    api.EnrollHost,
		TokenID: "enr", TokenMatches: func([]byte) bool { return true }, HostID: "h", CredentialID: "cred", CredentialHash: []byte{1},
	})
	if err != nil {
		tb.Fatal(err)
	}
	h, _, err := s.HostByCredential(tb.Context(), "cred")
	if err != nil {
		tb.Fatal(err)
	}
	return h.Key
}
