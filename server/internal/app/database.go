package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/upkeep"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
)

// databaseStop bounds an orderly stop of the private PostgreSQL; a service
// has 90 s for it.
const databaseStop = 30 * time.Second

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
	Store *Store
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
	d.Store, err = OpenStore(ctx, d.URL, StoreOptions{
		Log: d.log, Keep: partition.Retention(c.Keep), CompactAfter: c.CompactAfter, NoMigrate: c.Database.NoMigrate, Name: name,
		ReplicaURL: c.Database.ReplicaURL, ReplicaLag: c.Database.ReplicaMaxLag,
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

// Store is all rooms of one database.
type Store struct {
	*db.DB
	*directory.Directory
	*events.Writer
	*query.Reader
	*upkeep.Upkeep
	*inspect.Inspector
	Partitions *partition.Partitions
	Dictionary *dictionary.Dictionary
}

// StoreOptions are those of all rooms.
type StoreOptions struct {
	Keep         partition.Retention
	CompactAfter time.Duration
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Log        *slog.Logger
	NoMigrate  bool
	ReplicaURL string
	ReplicaLag time.Duration
	Name       string
}

// OpenStore opens all rooms of a database. It does not connect.
func OpenStore(ctx context.Context, url string, opts StoreOptions) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d, err := db.Open(ctx, url, db.Options{
		Log: opts.Log, NoMigrate: opts.NoMigrate, ReplicaURL: opts.ReplicaURL, ReplicaLag: opts.ReplicaLag, Name: opts.Name,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{DB: d, Partitions: partition.New(d, opts.Keep, opts.Now), Directory: directory.New(d)}
	s.Dictionary = dictionary.New(d, s.Partitions)
	s.Writer = events.New(d, s.Partitions, s.Dictionary, s.ForgetHosts)
	s.Reader = query.New(d, s.Partitions)
	s.Upkeep = upkeep.New(d, s.Partitions, upkeep.Options{CompactAfter: opts.CompactAfter, Now: opts.Now, Log: opts.Log})
	s.Inspector = inspect.New(d, s.Partitions, s.Upkeep)
	return s, nil
}

// Collectors are the figures of all rooms for Prometheus.
func (s *Store) Collectors() []prometheus.Collector {
	return slices.Concat(s.Writer.Collectors(), s.Dictionary.Collectors(), s.DB.Collectors())
}
