package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	// migrationLock is the advisory lock under which servers that start
	// together migrate one after the other. Any fixed number would do.
	migrationLock = 0x7472_6163_6b64
	// migrationWait bounds the wait for another server's migration.
	migrationWait = 2 * time.Minute
)

// migration is one file NNNN_name.sql.
type migration struct {
	version int
	name    string
	sql     string
}

// NewerSchemaError means that a newer program has already changed the database.
type NewerSchemaError struct{ Have, Know int }

// Error returns what to do.
func (e NewerSchemaError) Error() string {
	return fmt.Sprintf("the database has schema version %d and this program knows only %d: start the newer trackerd-server", e.Have, e.Know)
}

// Decided makes it a Decision.
func (NewerSchemaError) Decided() {}

func migrations() ([]migration, error) {
	entries, err := fs.ReadDir(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("reading the embedded migrations: %w", err)
	}
	var list []migration
	for i, entry := range entries {
		number, name, _ := strings.Cut(strings.TrimSuffix(entry.Name(), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("embedded migration %s: want number %04d", entry.Name(), i+1)
		}
		sql, err := fs.ReadFile(migrationFiles, "migrations/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading embedded migration %s: %w", entry.Name(), err)
		}
		list = append(list, migration{version: version, name: name, sql: string(sql)})
	}
	return list, nil
}

// Migrate brings the schema up to date and opens the store's methods. It applies
// what is missing all in one transaction and under a lock, so that servers may
// start together and a failed migration leaves nothing. A store that leaves the
// schema alone (Options.NoMigrate) only looks, and returns OlderSchemaError where
// something is missing.
func (d *DB) Migrate(ctx context.Context) error {
	if d.noMigrate {
		return d.checkSchema(ctx)
	}
	list, err := migrations()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		// SET takes no parameters; the value is ours.
		if _, err := Exec(ctx, tx, "setting the timeout", "SET LOCAL statement_timeout = "+Milliseconds(migrationWait)); err != nil {
			return err
		}
		if _, err := Exec(ctx, tx, "waiting for another server's migration", "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		// A migration takes as long as it takes.
		if _, err := Exec(ctx, tx, "setting the timeout", "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return d.applyMissing(ctx, tx, list)
	})
	if err != nil {
		return Classify("migrating the database", err)
	}
	d.migrated.Store(true)
	if d.pool.pooled.Load() {
		d.log.Info("a connection pooler is in front of PostgreSQL: settings are made in each transaction")
	}
	return nil
}

func (d *DB) applyMissing(ctx context.Context, tx pgx.Tx, list []migration) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migration (
		version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`
	if _, err := Exec(ctx, tx, "making the list of migrations", table); err != nil {
		return err
	}
	have, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if have > len(list) {
		return NewerSchemaError{Have: have, Know: len(list)}
	}
	for _, m := range list[have:] {
		what := fmt.Sprintf("migration %04d_%s", m.version, m.name)
		if _, err := Exec(ctx, tx, what, m.sql); err != nil {
			return err
		}
		if _, err := Exec(ctx, tx, what, "INSERT INTO schema_migration (version, name) VALUES ($1, $2)", m.version, m.name); err != nil {
			return err
		}
		d.log.Info("database migrated", "version", m.version, "name", m.name)
	}
	return nil
}
