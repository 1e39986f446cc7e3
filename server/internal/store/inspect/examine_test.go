package inspect_test

import (
	"log/slog"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/upkeep"
)

// What an examination finds of compaction: what waits, and when it last went through.
func TestExamineCompaction(t *testing.T) {
	t.Parallel()
	storetest.OnBoth(t, examineCompaction)
}

func examineCompaction(t *testing.T, url string) {
	t.Helper()
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, url, now)
	state := func(s *storetest.Store) upkeep.CompactionState {
		t.Helper()
		e, err := s.Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return e.Compaction
	}
	if c := state(s); c != (upkeep.CompactionState{}) {
		t.Errorf("an empty database: %+v", c)
	}
	host := storetest.AddHost(t, s)
	events := storetest.Days(rand.New(rand.NewPCG(1, 2)), now, 2, 6)
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
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
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "ANALYZE event"); err != nil {
		t.Fatal(err)
	}
	if c := state(s); c.Ended || !c.From.Equal(from) || c.Events != due {
		t.Errorf("%+v, want %d events from %v on", c, due, from)
	}
	storetest.Compact(t, s)
	if c := state(s); !c.Ended || c.Ago < 0 || c.Ago > time.Minute || c.Events != 0 || !c.From.IsZero() {
		t.Errorf("after compacting: %+v", c)
	}
	never := storetest.OpenAt(t, url, partition.Retention{}, now)
	if c := state(never); !c.Off {
		t.Errorf("told never to compact: %+v", c)
	}
}

// What an examination finds of a replica that keeps up, stands still, is away, was
// promoted, or is another's.
func TestExamineReplica(t *testing.T) {
	t.Parallel()
	r := storetest.NewReplicated(t)
	look := func(s *storetest.Store) inspect.ReplicaExamination {
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
	r.Standby.SQL("postgres", "SELECT pg_wal_replay_pause()")
	pgtest.Await(t, "replay to stop", func() bool {
		return r.Standby.SQL("postgres", "SELECT pg_get_wal_replay_pause_state()") == "paused"
	})
	r.WriteAt(1)
	if e := look(r.Store); e.Away != nil || !e.Standby || !e.Same || e.CaughtUp || e.Behind <= 0 || e.BehindBytes <= 0 {
		t.Errorf("standing still: %+v", e)
	}
	r.Standby.SQL("postgres", "SELECT pg_promote()")
	if e := look(r.Store); e.Away != nil || e.Standby || !e.Same {
		t.Errorf("promoted: %+v", e)
	}
	r.Standby.Stop(syscall.SIGKILL)
	if e := look(r.Store); e.Away == nil {
		t.Errorf("away: %+v", e)
	}
	// Any other database will do.
	another, err := rooms.Open(t.Context(), storetest.NewDatabase(t), storetest.Options{ReplicaURL: r.Primary.URL("postgres"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if e := look(another); e.Away != nil || e.Same {
		t.Errorf("another's: %+v", e)
	}
	if e, err := storetest.Unprepared(t, storetest.NewDatabase(t)).ExamineReplica(t.Context()); e != nil || err != nil {
		t.Errorf("none named: %+v %v", e, err)
	}
}
