package testdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	neturl "net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/db"
)

// Where TRACKERD_TEST_DATABASE names the main database of a Citus cluster, each test has a
// database on all of its nodes, with the nodes of the main one. Its template1 must have the
// extension, on all nodes.

// Elsewhere reports whether a database is named for the tests.
func Elsewhere() bool { return os.Getenv(namedEnv) != "" }

// emptyElsewhere makes an empty database beside the one that is named, and drops it after
// the test.
func emptyElsewhere(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	name := strings.ToLower("t" + secret.New(secret.KindToken).ID)
	if err := onAllNodes(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
		defer cancel()
		if err := onAllNodes(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	if err := joinNodes(ctx, elsewhere(name)); err != nil {
		tb.Fatal(err)
	}
	return elsewhere(name)
}

// migratedElsewhere is emptyElsewhere with our schema, spread where there is Citus.
func migratedElsewhere(tb testing.TB) string {
	tb.Helper()
	at := emptyElsewhere(tb)
	d, err := db.Open(tb.Context(), at, db.Options{Log: slog.New(slog.DiscardHandler), Name: "the test"})
	if err != nil {
		tb.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	nodes, err := nodesOf(tb.Context())
	if err == nil && len(nodes) > 0 {
		_, _, err = d.Distribute(tb.Context())
	}
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

// elsewhere is the URL of a database beside the one that is named.
func elsewhere(name string) string {
	at, err := neturl.Parse(os.Getenv(namedEnv))
	if err != nil {
		return err.Error()
	}
	at.Path = "/" + name
	return at.String()
}

// onAllNodes runs a statement in the database that is named, and on the workers that it has.
func onAllNodes(ctx context.Context, sql string) (err error) {
	conn, err := pgx.Connect(ctx, os.Getenv(namedEnv))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	nodes, err := nodesOf(ctx)
	if err != nil || len(nodes) == 0 {
		return err
	}
	var failed *string
	if err := conn.QueryRow(ctx, "SELECT string_agg(result, '; ') FROM run_command_on_workers($1) WHERE NOT success", sql).Scan(&failed); err != nil {
		return fmt.Errorf("%s on the workers: %w", sql, err)
	}
	if failed != nil {
		return errors.New(sql + " on the workers: " + *failed)
	}
	return nil
}

// node is one of a Citus cluster.
type node struct {
	Name string
	Port int
	// Coordinator means that it is the one that is asked.
	Coordinator bool
}

// nodesOf lists the nodes of the database that is named; none where there is no Citus.
func nodesOf(ctx context.Context) (list []node, err error) {
	conn, err := pgx.Connect(ctx, os.Getenv(namedEnv))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var citus bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('pg_catalog.pg_dist_node') IS NOT NULL").Scan(&citus); err != nil || !citus {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT nodename, nodeport, groupid = 0 FROM pg_dist_node ORDER BY groupid")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[node])
}

// joinNodes makes the cluster's nodes those of another database.
func joinNodes(ctx context.Context, at string) (err error) {
	nodes, err := nodesOf(ctx)
	if err != nil || len(nodes) == 0 {
		return err
	}
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, n := range nodes {
		sql := "SELECT citus_add_node($1, $2)"
		if n.Coordinator {
			sql = "SELECT citus_set_coordinator_host($1, $2)"
		}
		if _, err := conn.Exec(ctx, sql, n.Name, n.Port); err != nil {
			return fmt.Errorf("joining %s:%d: %w", n.Name, n.Port, err)
		}
	}
	return nil
}
