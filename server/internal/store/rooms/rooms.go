// Package rooms opens all rooms of one database together, for those who need several.
package rooms

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/heartbeat"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/self"
	"activity-tracker.example/server/internal/store/uncollected"
	"activity-tracker.example/server/internal/store/upkeep"
	"activity-tracker.example/server/internal/store/users"
)

// Store is all rooms of one database.
type Store struct {
	*db.DB
	*directory.Directory
	*events.Writer
	*query.Reader
	*upkeep.Upkeep
	*inspect.Inspector
	Partitions   *partition.Partitions
	Dictionary   *dictionary.Dictionary
	Users        *users.Users
	Self         *self.Self
	People       *people.People
	Policies     *policies.Policies
	Heartbeats   *heartbeat.Heartbeats
	NotCollected *uncollected.Times
	Screenshots  *screenshots.Screenshots
	Notes        *notes.Notes
	Dossier      *dossier.Dossier
	Erasures     *erasure.Erasures
	Months       *months.Months
	Access       *access.Log
	Audit        *audit.Log
}

// Options are those of all rooms.
type Options struct {
	Keep         partition.Retention
	CompactAfter time.Duration
	// KeepAccess is for how long it is kept who looked; zero means for ever.
	KeepAccess time.Duration
	// KeepBackups is for how long backups are kept; zero means that nobody said.
	KeepBackups time.Duration
	// Screenshots is how pictures are kept; its clock is Now.
	Screenshots screenshots.Options
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
	s := &Store{DB: d, Partitions: partition.New(d, opts.Keep, opts.Now), Directory: directory.New(d), Users: users.New(d), Self: self.New(d), People: people.New(d), Policies: policies.New(d)}
	s.NotCollected, s.Heartbeats = uncollected.New(d), heartbeat.New(d, opts.Now)
	s.Notes = notes.New(d, s.Partitions, opts.Now)
	s.Access, s.Audit, s.Dossier = access.New(d, opts.Now), audit.New(d), dossier.New(d)
	opts.Screenshots.Now = opts.Now
	s.Screenshots = screenshots.New(d, opts.Screenshots)
	s.Erasures = erasure.New(d, s.Screenshots, opts.KeepBackups, opts.Now)
	s.Dictionary = dictionary.New(d, s.Partitions)
	s.Writer = events.New(d, s.Partitions, s.Dictionary, s.ForgetHosts)
	s.Reader = query.New(d, s.Partitions)
	s.Months = months.New(d, s.Reader, opts.Now)
	s.Upkeep = upkeep.New(d, s.Partitions, upkeep.Options{
		CompactAfter: opts.CompactAfter, Access: s.Access, NotCollected: s.NotCollected, Notes: s.Notes, Screenshots: s.Screenshots, Policies: s.Policies, KeepAccess: opts.KeepAccess, Now: opts.Now, Log: opts.Log,
	})
	s.Inspector = inspect.New(d, s.Partitions, s.Upkeep)
	return s, nil
}

// Collectors are the figures of all rooms for Prometheus.
func (s *Store) Collectors() []prometheus.Collector {
	return slices.Concat(s.Writer.Collectors(), s.Dictionary.Collectors(), s.DB.Collectors(), s.Screenshots.Collectors())
}
