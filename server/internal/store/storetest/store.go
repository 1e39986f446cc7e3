// Package storetest opens the rooms of store together, on real databases, for tests.
package storetest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/upkeep"
)

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

// Options are those of all rooms.
type Options struct {
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

// Open opens all rooms of a database. It does not connect.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
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

// Names of events' types that no variable has.
type (
	// Batch is what one request brings.
	Batch = events.Batch
	// Written is what became of one.
	Written = events.Written
)

func open(tb testing.TB, url string, opts Options) *Store {
	tb.Helper()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s, err := Open(tb.Context(), url, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Unprepared opens a store on a database that was not migrated.
func Unprepared(tb testing.TB, url string) *Store {
	tb.Helper()
	return open(tb, url, Options{})
}

// Prepared opens a store on a migrated database.
func Prepared(tb testing.TB, url string, opts Options) *Store {
	tb.Helper()
	s := open(tb, url, opts)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// OpenAt opens a store whose clock stands still.
func OpenAt(tb testing.TB, url string, keep partition.Retention, now time.Time) *Store {
	tb.Helper()
	return Prepared(tb, url, Options{Keep: keep, Now: func() time.Time { return now }})
}

// CompactDays is for how many days OpenCompacting leaves events alone.
const CompactDays = 3

// OpenCompacting opens a store that compacts, with a clock that stands still.
func OpenCompacting(tb testing.TB, url string, now time.Time) *Store {
	tb.Helper()
	return Prepared(tb, url, Options{CompactAfter: CompactDays * 24 * time.Hour, Now: func() time.Time { return now }})
}
