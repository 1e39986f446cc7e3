// Package testdb gives the tests of a package a real PostgreSQL of their own, and each test
// a database in it. Databases that are migrated are copies of one that was, since migrating
// takes some four times as long as copying.
package testdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// clusterTimeout bounds making the cluster of a run.
	clusterTimeout = 10 * time.Minute
	// patience bounds making a database.
	patience = time.Minute
	// clusterEnv names, for the tests and the commands that they start, where the
	// package's PostgreSQL is.
	clusterEnv = "TRACKERD_SERVER_TEST_CLUSTER"
	// namedEnv names a database of a PostgreSQL, or of the coordinator of a Citus cluster, in
	// which the tests make theirs, instead of one of their own.
	namedEnv = "TRACKERD_TEST_DATABASE"
	// migrated is the database that others are copied from.
	migrated = "migrated"
)

// Run runs a package's tests, which tests does, beside a PostgreSQL of their own, and
// returns the exit code. tests gets a folder that is gone afterwards. Goroutines that are
// left are a failure.
func Run(tests func(dir string) (int, error)) int {
	code, err := run(tests)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

func run(tests func(dir string) (int, error)) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "trk")
	if err != nil {
		return 1, fmt.Errorf("making a folder for PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if Elsewhere() {
		if code, err = tests(dir); code != 0 || err != nil {
			return code, err
		}
		return code, goleak.Find()
	}
	cluster, err := localpg.Start(ctx, localpg.Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.Close(ctx)) }()
	if err := errors.Join(os.Setenv(clusterEnv, cluster.DatabaseURL("%s")), makeMigrated(ctx)); err != nil {
		return 1, err
	}
	if code, err = tests(dir); code != 0 || err != nil {
		return code, err
	}
	// The one goroutine left reaps the cluster.
	return code, goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

func makeMigrated(ctx context.Context) error {
	if err := create(ctx, migrated, ""); err != nil {
		return err
	}
	d, err := db.Open(ctx, url(migrated), db.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Migrate(ctx)
}

// New makes a database that is migrated, and returns its URL.
func New(tb testing.TB) string {
	tb.Helper()
	if Elsewhere() {
		return migratedElsewhere(tb)
	}
	// Copied as files, which is faster where nothing is synchronised to disk.
	return named(tb, "TEMPLATE "+migrated+" STRATEGY FILE_COPY")
}

// Empty makes an empty database, and returns its URL.
func Empty(tb testing.TB) string {
	tb.Helper()
	if Elsewhere() {
		return emptyElsewhere(tb)
	}
	return named(tb, "")
}

func named(tb testing.TB, how string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	name := strings.ToLower("t" + secret.New(secret.KindToken).ID)
	if err := create(ctx, name, how); err != nil {
		tb.Fatal(err)
	}
	return url(name)
}

func create(ctx context.Context, name, how string) (err error) {
	conn, err := pgx.Connect(ctx, url("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" "+how); err != nil {
		return fmt.Errorf("making a database: %w", err)
	}
	return nil
}

func url(name string) string { return strings.Replace(os.Getenv(clusterEnv), "%25s", name, 1) }
