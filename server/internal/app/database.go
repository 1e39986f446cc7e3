package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/screenshots"
)

// databaseStop bounds an orderly stop of the private PostgreSQL; a service
// has 90 s for it.
const databaseStop = 30 * time.Second

// leastFree is what pictures leave of their file system, in bytes: the database may be on
// it, and stops where it is full.
const leastFree = 1 << 30

// Purpose is what a database is opened for.
type Purpose int

// The purposes.
const (
	// ForCommand is a command that is meant for a server's database.
	ForCommand Purpose = iota
	// ForMaker is a command that makes a private PostgreSQL where there is none.
	ForMaker
	// ForServer is a server, which remembers rows of the database; it makes a
	// private PostgreSQL too.
	ForServer
)

// Database is the store, and the private PostgreSQL where there is one.
type Database struct {
	Store *rooms.Store
	// Private is nil where the database is named by a URL.
	Private *localpg.Server
	// URL leads to it, with any password.
	URL string

	config  config.Config
	purpose Purpose
	log     *slog.Logger
}

// OpenDatabase connects to the named database or to the private one.
func OpenDatabase(ctx context.Context, c config.Config, log *slog.Logger, purpose Purpose) (*Database, error) {
	d := &Database{URL: c.Database.URL, config: c, purpose: purpose, log: log}
	if d.URL == "" {
		private, err := localpg.Start(ctx, localpg.Options{StateDir: c.StateDir, MustExist: purpose == ForCommand, Log: log})
		if errors.Is(err, localpg.ErrNone) {
			return nil, fmt.Errorf("%w: what is the server's --state-dir, or --database-url? (trackerd-server serve makes one)", err)
		}
		if err != nil {
			return nil, err
		}
		d.Private = private
		d.URL = private.URL()
	}
	if err := d.Reopen(ctx); err != nil {
		return nil, errors.Join(err, d.Close(ctx))
	}
	return d, nil
}

// Reopen opens a fresh store.
func (d *Database) Reopen(ctx context.Context) (err error) {
	c, name := d.config, db.CommandName
	if d.purpose == ForServer {
		name = db.ServerName
	}
	d.Store, err = rooms.Open(ctx, d.URL, rooms.Options{
		Log: d.log, Keep: partition.Retention(c.Keep), CompactAfter: c.CompactAfter, KeepAccess: c.KeepAccess, KeepBackups: c.KeepBackups, NoMigrate: c.Database.NoMigrate, Name: name,
		Screenshots: screenshots.Options{Dir: c.Screenshots, Keep: c.KeepScreenshots, MaxBytes: int64(c.ScreenshotsMaxBytes), LeastFree: leastFree},
		ReplicaURL:  c.Database.ReplicaURL, ReplicaLag: c.Database.ReplicaMaxLag,
	})
	return err
}

// watch keeps the private PostgreSQL running until ctx ends.
func (d *Database) watch(ctx context.Context) error {
	if d.Private == nil {
		return nil
	}
	return d.Private.Watch(ctx)
}

// Close ends all connections, and the private PostgreSQL unless another command
// uses it. It works also when ctx has ended.
func (d *Database) Close(ctx context.Context) error {
	if d.Store != nil {
		d.Store.Close()
	}
	if d.Private == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseStop)
	defer cancel()
	if err := d.Private.Close(ctx); err != nil {
		return fmt.Errorf("leaving the private PostgreSQL: %w", err)
	}
	return nil
}

// WithDatabase runs one command on a database as it is.
func WithDatabase(ctx context.Context, c config.Config, log *slog.Logger, purpose Purpose, do func(context.Context, *Database) error) (err error) {
	d, err := OpenDatabase(ctx, c, log, purpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	return Explain(c, do(ctx, d))
}
