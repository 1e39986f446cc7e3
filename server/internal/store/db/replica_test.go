package db_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// Questions are answered by a replica that is not far behind, what was written and
// who may do what by the primary, and nobody notices where the replica fails.
func TestReportsComeFromTheReplica(t *testing.T) {
	t.Parallel()
	r := storetest.NewReplicated(t)
	pgtest.Await(t, "the event on the replica", func() bool { return r.Count() == 1 })
	r.Standby.SQL("postgres", "SELECT pg_wal_replay_pause()")
	r.WriteAt(1)
	if n := r.Count(); n != 1 {
		t.Errorf("%d events, want the one that the replica has", n)
	}
	if m, err := r.SetLabel(t.Context(), directory.Scope{}, "m", "new"); err != nil || m.UserLabel != "new" {
		t.Errorf("a label is answered with %q, %v", m.UserLabel, err)
	}
	if err := r.AddToken(t.Context(), directory.Token{ID: "t", Role: directory.RoleViewer}, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.TokenByID(t.Context(), "t"); err != nil {
		t.Errorf("a new token: %v", err)
	}
	r.Used(false)
	if n, lag := r.Count(), r.ReplicaState().Lag; n != 2 || lag < 2*time.Second {
		t.Errorf("%d events while the replica is %v behind", n, lag)
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	r.Standby.SQL("postgres", "SELECT pg_wal_replay_resume()")
	r.Used(true)
	if n := r.Count(); n != 2 {
		t.Errorf("%d events", n)
	}
	if off, on := r.Log.Count("replica is not used"), r.Log.Count("are read from the database's replica"); off != 1 || on != 2 {
		t.Errorf("the log tells of leaving %d times and of use %d times", off, on)
	}
}

// Nobody gets an error while the replica is killed and started again.
func TestReplicaGoesAndComes(t *testing.T) {
	t.Parallel()
	r := storetest.NewReplicated(t)
	pgtest.Await(t, "the event on the replica", func() bool { return r.Count() == 1 })
	asking, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for asking.Err() == nil {
				if n := r.Count(); n != 1 {
					t.Errorf("%d events", n)
				}
			}
		})
	}
	r.Standby.Stop(syscall.SIGKILL)
	r.Used(false)
	r.Standby.Start()
	r.Used(true)
	stop()
	wait.Wait()
	if n := r.ReplicaState().Retried; n == 0 {
		t.Error("no read was under way")
	}
	// One that was promoted goes its own way.
	r.Standby.SQL("postgres", "SELECT pg_promote()")
	r.Used(false)
	if r.Log.Count("it is not a standby") != 1 {
		t.Error("the log does not say why")
	}
}

// What retention drops on the primary is cancelled on the replica for those who
// read it there; they get their answer from the primary.
func TestRetentionConflictsWithTheReplica(t *testing.T) {
	t.Parallel()
	r := storetest.NewReplicated(t, "max_standby_streaming_delay=100ms")
	pgtest.Await(t, "the event on the replica", func() bool { return r.Count() == 1 })
	attempts, events := 0, 0
	err := r.Report(t.Context(), "reading slowly", func(tx pgx.Tx) error {
		attempts++
		var standby bool
		if err := tx.QueryRow(t.Context(), "SELECT pg_is_in_recovery(), (SELECT count(*) FROM event)").Scan(&standby, &events); err != nil {
			return err
		}
		if standby != (attempts == 1) {
			t.Errorf("attempt %d: on the standby %v", attempts, standby)
		}
		if !standby {
			return nil
		}
		r.Primary.SQL("postgres", "DROP TABLE event_20260504")
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			if _, err := db.Exec(t.Context(), tx, "reading on", "SELECT FROM event"); err != nil {
				return err
			}
		}
		return errors.New("the replica did not cancel the transaction")
	})
	if err != nil || attempts != 2 || events != 0 {
		t.Errorf("%d attempts, %d events, %v", attempts, events, err)
	}
	if s := r.ReplicaState(); s.Retried != 1 {
		t.Errorf("after a conflict: %+v", s)
	}
	// A conflict may end the connection rather than the statement; the replica is
	// left alone for a moment then.
	r.Used(true)
}

// Another database than ours is never read from.
func TestReplicaOfAnotherDatabase(t *testing.T) {
	log := &storetest.Lines{}
	other := storetest.NewDatabase(t)
	s, err := rooms.Open(t.Context(), storetest.NewDatabase(t), storetest.Options{ReplicaURL: other, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Prepare(t.Context(), func(error) {}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.LookOnce(t.Context())
	}
	if state := s.ReplicaState(); state.InUse || !state.Configured || log.Count("it is not a standby") != 1 {
		t.Errorf("%+v", state)
	}
	if _, err := s.MachineByID(t.Context(), directory.Scope{}, "m"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := rooms.Open(t.Context(), storetest.NewDatabase(t), storetest.Options{ReplicaURL: "postgres://%zz", Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a wrong URL is taken")
	}
}
