package store

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/pgtest"
)

// What an examination says of compaction: what waits, and when it last went through.
func TestExamineCompaction(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	s := openCompacting(t, url, now)
	state := func(s *Store) CompactionState {
		t.Helper()
		e, err := s.Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return e.Compaction
	}
	if c := state(s); c != (CompactionState{}) {
		t.Errorf("an empty database: %+v", c)
	}
	host := addHost(t, s)
	events := days(rand.New(rand.NewPCG(1, 2)), now, 2, 6)
	if _, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	// Half of a day that is due, and the two after it; the estimate is made by
	// ANALYZE.
	from, due := time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC), int64(0)
	for _, e := range events {
		if e.Timestamp.Before(time.Date(2026, 5, 17, 0, 0, 0, 0, time.UTC)) {
			due++
		}
	}
	if _, err := s.pool.Exec(t.Context(), "ANALYZE event"); err != nil {
		t.Fatal(err)
	}
	if c := state(s); c.Ended || !c.From.Equal(from) || c.Events != due {
		t.Errorf("%+v, want %d events from %v on", c, due, from)
	}
	compact(t, s)
	if c := state(s); !c.Ended || c.Ago < 0 || c.Ago > time.Minute || c.Events != 0 || !c.From.IsZero() {
		t.Errorf("after compacting: %+v", c)
	}
	s.compactAfter = 0
	if c := state(s); !c.Off {
		t.Errorf("told never to compact: %+v", c)
	}
}

// What an examination says of a replica that keeps up, stands still, is away, was
// promoted, or is another's.
func TestExamineReplica(t *testing.T) {
	t.Parallel()
	r := newReplicated(t)
	look := func(s *Store) ReplicaExamination {
		t.Helper()
		e, err := s.ExamineReplica(t.Context())
		if err != nil || e == nil {
			t.Fatalf("%+v %v", e, err)
		}
		return *e
	}
	if e := look(r.Store); e.Away != nil || !e.Standby || !e.Same || !e.CaughtUp {
		t.Errorf("keeping up: %+v", e)
	}
	r.standby.SQL("postgres", "SELECT pg_wal_replay_pause()")
	pgtest.Await(t, "replay to stop", func() bool {
		return r.standby.SQL("postgres", "SELECT pg_get_wal_replay_pause_state()") == "paused"
	})
	r.write(1)
	if e := look(r.Store); e.Away != nil || !e.Standby || !e.Same || e.CaughtUp || e.Behind <= 0 || e.BehindBytes <= 0 {
		t.Errorf("standing still: %+v", e)
	}
	r.standby.SQL("postgres", "SELECT pg_promote()")
	if e := look(r.Store); e.Away != nil || e.Standby || !e.Same {
		t.Errorf("promoted: %+v", e)
	}
	r.standby.Stop(syscall.SIGKILL)
	if e := look(r.Store); e.Away == nil {
		t.Errorf("away: %+v", e)
	}
	// Any other database will do.
	another, err := Open(t.Context(), newDatabase(t), Options{ReplicaURL: r.primary.URL("postgres"), Log: r.Store.log})
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if e := look(another); e.Away != nil || e.Same {
		t.Errorf("another's: %+v", e)
	}
	if e, err := open(t, newDatabase(t)).ExamineReplica(t.Context()); e != nil || err != nil {
		t.Errorf("none named: %+v %v", e, err)
	}
}
