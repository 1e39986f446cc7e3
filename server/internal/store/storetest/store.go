// Package storetest opens the rooms of store together, on real databases, for tests.
package storetest

import (
	"log/slog"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/testdb"
)

// Names of other rooms' types, short and such that no variable has.
type (
	// Store is all rooms of one database.
	Store = rooms.Store
	// Options are those of all rooms.
	Options = rooms.Options
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
	s, err := rooms.Open(tb.Context(), url, opts)
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

// OnOneNode skips a test of what is done only where the database is not spread.
func OnOneNode(tb testing.TB, s *Store) {
	tb.Helper()
	if s.Spread() || testdb.Elsewhere() {
		tb.Skip("the database is spread over several nodes")
	}
}

// OnBoth runs a test on a database on one node, and on one that looks to servers as if it
// were spread over several. A database that is named for the tests is what it is.
func OnBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("as it is", func(t *testing.T) { test(t, NewDatabase(t)) })
	if testdb.Elsewhere() {
		return
	}
	t.Run("as if spread", func(t *testing.T) {
		url := NewDatabase(t)
		testdb.PretendSpread(t, url)
		test(t, url)
	})
}
