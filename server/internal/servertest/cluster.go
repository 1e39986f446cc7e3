// Package servertest starts whole servers within a test, each on a database of its
// own in one real PostgreSQL, and holds every reply against openapi.json.
package servertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/secret"
)

const (
	// Patience bounds every wait of a test.
	Patience = 60 * time.Second
	// clusterTimeout bounds making the cluster of a run.
	clusterTimeout = 10 * time.Minute
	// clusterEnv names, for the tests and the commands that they start, where the
	// package's PostgreSQL is.
	clusterEnv = "TRACKERD_SERVER_TEST_CLUSTER"
)

// Cluster runs a package's tests beside one PostgreSQL; its Run is for TestMain. It
// fails where goroutines are left.
type Cluster struct {
	M *testing.M
	// EveryReply fails a run of all tests in which a reply that openapi.json
	// describes never came.
	EveryReply bool
}

// Run runs the tests and returns the exit code.
func (c Cluster) Run() (code int) {
	if err := c.run(&code); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (c Cluster) run(code *int) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "trk")
	if err != nil {
		return fmt.Errorf("making a folder for PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := localpg.Start(ctx, localpg.Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close(ctx)) }()
	if err := os.Setenv(clusterEnv, cluster.DatabaseURL("%s")); err != nil {
		return err
	}
	seen := filepath.Join(dir, "seen")
	if err := errors.Join(os.Mkdir(seen, 0o700), os.Setenv(seenEnv, seen)); err != nil {
		return err
	}
	if *code = c.M.Run(); *code != 0 {
		return nil
	}
	if c.EveryReply {
		if err := checkSeen(); err != nil {
			return err
		}
	}
	// The one goroutine left reaps the cluster.
	return goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

// NewDatabase makes an empty database and returns its URL.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	pattern := os.Getenv(clusterEnv)
	named := func(name string) string { return strings.Replace(pattern, "%25s", name, 1) }
	conn, err := pgx.Connect(ctx, named("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	name := strings.ToLower("t" + secret.New(secret.KindToken).ID)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return named(name)
}
