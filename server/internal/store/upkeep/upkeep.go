// Package upkeep keeps the database in shape while servers write to it: it makes
// partitions ahead and drops what is no longer kept, compacts the events of past
// days, packs sums gone cold, and checks sums against events.
package upkeep

import (
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
	"activity-tracker.example/server/internal/store/uncollected"
)

// Upkeep is that of one database.
type Upkeep struct {
	db         *db.DB
	partitions *partition.Partitions
	// compactAfter is for how long a day must be over until its events are
	// compacted; zero means never.
	compactAfter time.Duration
	access       *access.Log
	notCollected *uncollected.Times
	notes        *notes.Notes
	screenshots  *screenshots.Screenshots
	policies     *policies.Policies
	keepAccess   time.Duration
	now          func() time.Time
	log          *slog.Logger
}

// Options are how upkeep is done.
type Options struct {
	// CompactAfter is for how long a day must be over until its events are
	// compacted; zero means never.
	CompactAfter time.Duration
	// Access is who looked, which is kept for KeepAccess; zero means for ever.
	Access     *access.Log
	KeepAccess time.Duration
	// NotCollected is kept as long as roll-ups are.
	NotCollected *uncollected.Times
	// Notes are kept as long as roll-ups are.
	Notes *notes.Notes
	// Screenshots have a retention of their own.
	Screenshots *screenshots.Screenshots
	// Policies may have it kept for a shorter time.
	Policies *policies.Policies
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
}

// New returns the upkeep of a database.
func New(d *db.DB, partitions *partition.Partitions, opts Options) *Upkeep {
	return &Upkeep{
		db: d, partitions: partitions, compactAfter: opts.CompactAfter, access: opts.Access, notCollected: opts.NotCollected, notes: opts.Notes, screenshots: opts.Screenshots, policies: opts.Policies, keepAccess: opts.KeepAccess,
		now: opts.Now, log: opts.Log,
	}
}
