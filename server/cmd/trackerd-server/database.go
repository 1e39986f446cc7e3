package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/store"
)

const (
	// commandTimeout bounds a command that a person types, with making a
	// private PostgreSQL.
	commandTimeout = 3 * time.Minute
	// databaseStop bounds an orderly stop of the private PostgreSQL; systemd
	// gives a service 90 s.
	databaseStop = 30 * time.Second
)

// database is the store, and the private PostgreSQL where there is one.
type database struct {
	store   *store.Store
	private *localpg.Server
	// url leads to it, with any password.
	url string
}

// openDatabase connects to the named database or to the private one.
func openDatabase(ctx context.Context, s *settings, log *slog.Logger) (*database, error) {
	d := &database{url: s.databaseURL}
	if d.url == "" {
		private, err := localpg.Start(ctx, localpg.Options{StateDir: s.stateDir, MustExist: !s.mayMake, Log: log})
		if errors.Is(err, localpg.ErrNone) {
			return nil, fmt.Errorf("%w: what is the server's --state-dir, or --database-url? (trackerd-server serve makes one)", err)
		}
		if err != nil {
			return nil, err
		}
		d.private = private
		d.url = private.URL()
	}
	if err := d.reopen(ctx, s, log); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

// reopen gives the database a fresh store.
func (d *database) reopen(ctx context.Context, s *settings, log *slog.Logger) (err error) {
	name := store.CommandName
	if s.serving {
		name = store.ServerName
	}
	d.store, err = store.Open(ctx, d.url, store.Options{
		Log: log, Keep: s.keep, CompactAfter: s.compactAfter, NoMigrate: s.noMigrate, Name: name,
		ReplicaURL: s.replicaURL, ReplicaLag: s.replicaLag,
	})
	return err
}

// watch keeps the private PostgreSQL running until ctx ends.
func (d *database) watch(ctx context.Context) error {
	if d.private == nil {
		return nil
	}
	return d.private.Watch(ctx)
}

// close ends all connections, and the private PostgreSQL unless another command
// uses it. It works also when ctx has ended.
func (d *database) close(ctx context.Context) error {
	if d.store != nil {
		d.store.Close()
	}
	if d.private == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseStop)
	defer cancel()
	if err := d.private.Close(ctx); err != nil {
		return fmt.Errorf("leaving the private PostgreSQL: %w", err)
	}
	return nil
}

// withDatabase runs one command on a database as it is.
func withDatabase(ctx context.Context, s *settings, log *slog.Logger, do func(context.Context, *database) error) (err error) {
	d, err := openDatabase(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	return s.explain(do(ctx, d))
}

// withStore runs one command on a database that is up to date.
func withStore(ctx context.Context, s *settings, log *slog.Logger, do func(context.Context, *store.Store) error) error {
	return withDatabase(ctx, s, log, func(ctx context.Context, d *database) error {
		if err := d.store.Migrate(ctx); err != nil {
			return err
		}
		return do(ctx, d.store)
	})
}
