package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Schema is how far the database's schema is.
type Schema struct {
	// Version is the newest migration in the database, zero where there is
	// none; Known the newest that this program has.
	Version int `json:"version"`
	Known   int `json:"known"`
	// Pending are the names of those that the database lacks.
	Pending []string `json:"pending"`
}

// OlderSchemaError means that the database lacks migrations, which this program
// was set to leave alone. It may be asked again: somebody else migrates.
type OlderSchemaError struct{ Have, Need int }

// Error returns what to do.
func (e OlderSchemaError) Error() string {
	return fmt.Sprintf("the database has schema version %d and this program needs %d: run trackerd-server migrate", e.Have, e.Need)
}

// Decided makes it a Decision.
func (OlderSchemaError) Decided() {}

// Is makes it a kind of ErrUnavailable.
func (OlderSchemaError) Is(target error) bool { return target == ErrUnavailable }

// Schema reads how far the schema is. It works on any database and changes
// nothing.
func (d *DB) Schema(ctx context.Context) (Schema, error) {
	var schema Schema
	list, err := migrations()
	if err != nil {
		return schema, err
	}
	schema.Known, schema.Pending = len(list), []string{}
	err = d.ReadAnySchema(ctx, "reading the schema version", func(tx pgx.Tx) error {
		schema.Version, err = schemaVersion(ctx, tx)
		return err
	})
	if err != nil {
		return schema, err
	}
	for _, m := range list[min(schema.Version, len(list)):] {
		schema.Pending = append(schema.Pending, fmt.Sprintf("%04d_%s", m.version, m.name))
	}
	return schema, nil
}

// schemaVersion is the newest migration in the database; zero where there is none.
func schemaVersion(ctx context.Context, tx pgx.Tx) (int, error) {
	var version int
	var exists bool
	err := tx.QueryRow(ctx, "SELECT to_regclass('schema_migration') IS NOT NULL").Scan(&exists)
	if err == nil && exists {
		err = tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM schema_migration").Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", err)
	}
	return version, nil
}

// checkSchema opens the store's methods if the schema is what this program needs.
func (d *DB) checkSchema(ctx context.Context) error {
	schema, err := d.Schema(ctx)
	switch {
	case err != nil:
		return err
	case schema.Version > schema.Known:
		return NewerSchemaError{Have: schema.Version, Know: schema.Known}
	case schema.Version < schema.Known:
		return OlderSchemaError{Have: schema.Version, Need: schema.Known}
	}
	d.migrated.Store(true)
	return nil
}
