package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
)

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// replicated is a store on a primary with a streaming replica, which is in use.
type replicated struct {
	*Store
	t                *testing.T
	primary, standby *pgtest.Cluster
	log              *lines
	host             int64
	start            time.Time
}

func newReplicated(t *testing.T, settings ...string) *replicated {
	t.Helper()
	r := &replicated{t: t, log: &lines{}, start: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	r.primary = pgtest.Start(t)
	r.standby = pgtest.Standby(t, r.primary, settings...)
	var err error
	r.Store, err = Open(t.Context(), r.primary.URL("postgres"), Options{
		ReplicaURL: r.standby.URL("postgres"), ReplicaLag: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(r.log, nil)), Now: func() time.Time { return r.start },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if err := r.Prepare(t.Context(), func(error) {}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.RunReplica(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	r.host = addHost(t, r.Store)
	r.write(0)
	r.used(true)
	return r
}

func (r *replicated) write(minute int) {
	r.t.Helper()
	_, err := r.WriteEvents(r.t.Context(), Batch{Host: r.host, Events: []api.Event{{
		MachineID: "m", Timestamp: r.start.Add(time.Duration(minute) * time.Minute), KeyCount: 1, ActiveApp: "a",
	}}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// used waits until the replica is in use, or no longer.
func (r *replicated) used(yes bool) {
	r.t.Helper()
	pgtest.Await(r.t, fmt.Sprintf("the replica's use: %v", yes), func() bool { return r.ReplicaState().InUse == yes })
}

// events asks for all events there are.
func (r *replicated) events() int {
	r.t.Helper()
	page, err := r.Events(r.t.Context(), Scope{}, "m", r.start, r.start.Add(time.Hour), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(page.Events)
}

// Questions are answered by a replica that is not far behind, what was written and
// who may do what by the primary, and nobody notices where the replica fails.
func TestReportsComeFromTheReplica(t *testing.T) {
	t.Parallel()
	r := newReplicated(t)
	pgtest.Await(t, "the event on the replica", func() bool { return r.events() == 1 })
	r.standby.SQL("postgres", "SELECT pg_wal_replay_pause()")
	r.write(1)
	if n := r.events(); n != 1 {
		t.Errorf("%d events, want the one that the replica has", n)
	}
	if m, err := r.SetLabel(t.Context(), Scope{}, "m", "new"); err != nil || m.UserLabel != "new" {
		t.Errorf("a label is answered with %q, %v", m.UserLabel, err)
	}
	if err := r.AddToken(t.Context(), Token{ID: "t", Role: RoleViewer}, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.TokenByID(t.Context(), "t"); err != nil {
		t.Errorf("a new token: %v", err)
	}
	r.used(false)
	if n, lag := r.events(), r.ReplicaState().Lag; n != 2 || lag < 2*time.Second {
		t.Errorf("%d events while the replica is %v behind", n, lag)
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	r.standby.SQL("postgres", "SELECT pg_wal_replay_resume()")
	r.used(true)
	if n := r.events(); n != 2 {
		t.Errorf("%d events", n)
	}
	if off, on := r.log.count("replica is not used"), r.log.count("are read from the database's replica"); off != 1 || on != 2 {
		t.Errorf("the log tells of leaving %d times and of use %d times", off, on)
	}
}

// Nobody gets an error while the replica is killed and started again.
func TestReplicaGoesAndComes(t *testing.T) {
	t.Parallel()
	r := newReplicated(t)
	pgtest.Await(t, "the event on the replica", func() bool { return r.events() == 1 })
	asking, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for asking.Err() == nil {
				if n := r.events(); n != 1 {
					t.Errorf("%d events", n)
				}
			}
		})
	}
	r.standby.Stop(syscall.SIGKILL)
	r.used(false)
	r.standby.Start()
	r.used(true)
	stop()
	wait.Wait()
	if n := r.ReplicaState().Retried; n == 0 {
		t.Error("no read was under way")
	}
	// One that was promoted goes its own way.
	r.standby.SQL("postgres", "SELECT pg_promote()")
	r.used(false)
	if r.log.count("it is not a standby") != 1 {
		t.Error("the log does not say why")
	}
}

// What retention drops on the primary is cancelled on the replica for those who
// read it there; they get their answer from the primary.
func TestRetentionConflictsWithTheReplica(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, "max_standby_streaming_delay=100ms")
	pgtest.Await(t, "the event on the replica", func() bool { return r.events() == 1 })
	attempts, events := 0, 0
	err := r.report(t.Context(), "reading slowly", func(tx pgx.Tx) error {
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
		r.primary.SQL("postgres", "DROP TABLE event_20260504")
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			if _, err := exec(t.Context(), tx, "reading on", "SELECT FROM event"); err != nil {
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
	r.used(true)
}

// Another database than ours is never read from.
func TestReplicaOfAnotherDatabase(t *testing.T) {
	log := &lines{}
	other := newDatabase(t)
	s, err := Open(t.Context(), newDatabase(t), Options{ReplicaURL: other, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Prepare(t.Context(), func(error) {}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.replica.decide(s.lookAtReplica(t.Context()))
	}
	if state := s.ReplicaState(); state.InUse || !state.Configured || log.count("it is not a standby") != 1 {
		t.Errorf("%+v", state)
	}
	if _, err := s.MachineByID(t.Context(), Scope{}, "m"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), newDatabase(t), Options{ReplicaURL: "postgres://%zz", Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a wrong URL is taken")
	}
}

func TestProgress(t *testing.T) {
	start := time.Now()
	var p progress
	var clock time.Time
	step := func(second int, primary, standby int64, lag time.Duration, caught bool) {
		t.Helper()
		clock = start.Add(time.Duration(second) * time.Second)
		if primary >= 0 {
			p.mark(clock, primary)
		}
		if l, c := p.behind(clock, standby); l != lag || c != caught {
			t.Errorf("second %d: %v behind, caught up %v; want %v, %v", second, l, c, lag, caught)
		}
	}
	step(0, 100, 50, 0, false)
	step(1, 200, 100, time.Second, true)
	step(2, 200, 200, 0, true)
	// Nothing is written for an hour.
	step(3600, 200, 200, 0, true)
	step(3610, 300, 200, 10*time.Second, true)
	step(3611, 400, 299, 11*time.Second, true)
	step(3612, 500, 300, 2*time.Second, true)
	// The primary does not answer.
	step(3620, -1, 500, 8*time.Second, true)
	// It was restored from an older backup.
	step(3621, 250, 240, 0, false)
	for i := range 3 * replicaMarks {
		p.mark(start.Add(time.Duration(i)*time.Second), int64(1000+i))
	}
	if len(p) > replicaMarks {
		t.Errorf("%d marks", len(p))
	}
}

func TestLost(t *testing.T) {
	for code, want := range map[string]bool{
		"40001": false, "40P01": false, "57014": false, "42P01": false, "": false,
		"57P01": true, "57P03": true, "53300": true, "08006": true,
	} {
		if lost(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})) != want {
			t.Errorf("code %s", code)
		}
	}
	if !lost(context.DeadlineExceeded) {
		t.Error("a broken connection")
	}
}
