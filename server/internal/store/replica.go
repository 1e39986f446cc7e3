package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// UsualReplicaLag is how far a replica may be behind: a report of the day
	// is not wrong for lacking half a minute.
	UsualReplicaLag = 30 * time.Second
	// replicaEvery is how often a replica is looked at, and so the grain of its
	// lag.
	replicaEvery = time.Second
	// replicaPatience bounds one look at it: one that hangs is away.
	replicaPatience = 2 * time.Second
	// replicaAway is for how long it is left alone at least, so that one that
	// comes and goes does not fail a request each second.
	replicaAway = 5 * time.Second
	// replicaMarks bounds what is remembered of the primary's progress: over
	// an hour of a replica that falls behind.
	replicaMarks = 4096
)

// errReplicaLeft ends what still reads from a replica that was given up.
var errReplicaLeft = errors.New("the replica is no longer read from")

// errNotCaughtUp says that the replica was never seen with all that there was.
var errNotCaughtUp = errors.New("it has not caught up with the primary yet")

// replica is a streaming standby of the database that answers questions whose
// answer may be a little old. It is in use while it answers and is not too far
// behind.
type replica struct {
	*route
	log *slog.Logger
	// limit is how far it may be behind.
	limit   time.Duration
	retried atomic.Int64

	mu sync.Mutex
	// use ends when the replica is given up; nil where it is not in use.
	use    context.Context
	giveUp context.CancelCauseFunc
	// away is until when it is left alone.
	away time.Time
	// told says that the log knows that it is not in use.
	told bool
	// begun is when it was first looked at.
	begun    time.Time
	progress progress
	lag      time.Duration
}

// ReplicaState says how a replica does.
type ReplicaState struct {
	// Configured says that there is to be one, InUse that it is read from.
	Configured, InUse bool
	// Lag is how far it was behind when it was last looked at; before it first
	// caught up, for how long it was waited for.
	Lag time.Duration
	// Retried counts reads that it failed and the primary was asked instead.
	Retried int64
}

// ReplicaState says how the replica does.
func (s *Store) ReplicaState() ReplicaState {
	r := s.replica
	if r == nil {
		return ReplicaState{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return ReplicaState{Configured: true, InUse: r.use != nil, Lag: r.lag, Retried: r.retried.Load()}
}

// report runs do in a read-only transaction that sees one state of the database,
// which may be some seconds old: on the replica where one is in use. What a caller
// wrote himself, or what decides who may do what, is not for it.
//
// Where the replica fails, do is run once more, on the primary, and must begin
// from nothing again.
func (s *Store) report(ctx context.Context, what string, do func(pgx.Tx) error) error {
	if err := s.opened(what); err != nil {
		return err
	}
	if s.replica != nil {
		if err, answered := s.replica.try(ctx, do); answered {
			return classify(what, err)
		}
	}
	return s.questions.within(ctx, what, func() error { return s.read(ctx, what, do) })
}

// snapshot is a read-only transaction that sees one state of the database.
func snapshot() pgx.TxOptions {
	return pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
}

// try runs do on the replica. Where that says nothing of do itself, it is not
// answered.
func (r *replica) try(ctx context.Context, do func(pgx.Tx) error) (err error, answered bool) { //nolint:revive // The error is the answer.
	r.mu.Lock()
	use := r.use
	r.mu.Unlock()
	if use == nil {
		return nil, false
	}
	// Who reads from a replica that hangs need not wait to the end.
	bound, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(use, func() { cancel(errReplicaLeft) })()
	err = pgx.BeginTxFunc(bound, r, snapshot(), do)
	var decided decision
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotFound) || errors.As(err, &decided) {
		return err, true
	}
	r.retried.Add(1)
	if lost(err) {
		r.leave(err)
	}
	return nil, false
}

// leave gives the replica up for a while.
func (r *replica) leave(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.use != nil {
		r.giveUp(errReplicaLeft)
		r.use = nil
		r.away = time.Now().Add(replicaAway)
	}
	if errors.Is(why, errNotCaughtUp) && time.Since(r.begun) <= r.limit {
		// As after every start.
		return
	}
	if !r.told {
		r.told = true
		r.log.Warn("the database's replica is not used; the primary answers instead", "error", why)
	}
}

// RunReplica looks at the replica, where there is one, until ctx ends.
func (s *Store) RunReplica(ctx context.Context) error {
	r := s.replica
	if r == nil {
		return nil
	}
	tick := time.NewTicker(replicaEvery)
	defer tick.Stop()
	for {
		if s.migrated.Load() {
			if err := s.lookAtReplica(ctx); ctx.Err() == nil {
				r.decide(err)
			}
		}
		select {
		case <-ctx.Done():
			r.stop()
			return nil
		case <-tick.C:
		}
	}
}

// stop ends the use of the replica for good.
func (r *replica) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.use != nil {
		r.giveUp(errReplicaLeft)
		r.use = nil
	}
}

// decide takes the replica into use where a look at it found nothing against it,
// and out of use otherwise.
func (r *replica) decide(against error) {
	if against != nil {
		r.leave(against)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.use != nil || time.Now().Before(r.away) {
		return
	}
	r.use, r.giveUp = context.WithCancelCause(context.Background())
	r.told = false
	r.log.Info("reports are read from the database's replica", "lag", r.lag.Round(time.Millisecond))
}

// position says how far a database is in its log, and which one it is.
type position struct {
	Standby bool
	// At counts the log's bytes.
	At int64
	// Cluster is made with a cluster and copied with it.
	Cluster  int64
	Database string
}

// positionSQL asks for a position. The log that is on disk counts: a standby gets
// no other.
const positionSQL = `SELECT pg_is_in_recovery(), coalesce(pg_wal_lsn_diff(
		CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0'), 0)::bigint,
	(SELECT system_identifier FROM pg_control_system()), current_database()::text`

func positionOf(ctx context.Context, r *route) (position, error) {
	var p position
	err := pgx.BeginTxFunc(ctx, r, pgx.TxOptions{}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, positionSQL).Scan(&p.Standby, &p.At, &p.Cluster, &p.Database)
	})
	return p, err
}

// lookAtReplica notes how far the primary is, and says what is against using the
// replica.
func (s *Store) lookAtReplica(ctx context.Context) error {
	r := s.replica
	primary, err := r.markPrimary(ctx, s.pool)
	if err != nil {
		// Perhaps it is only busy. What is not known counts as lag soon enough.
		s.log.Debug("the primary does not tell its position", "error", err)
	}
	ask, cancelAsk := context.WithTimeout(ctx, replicaPatience)
	defer cancelAsk()
	standby, askErr := positionOf(ask, r.route)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun.IsZero() {
		r.begun = now
	}
	caught := false
	if askErr == nil {
		r.lag, caught = r.progress.behind(now, standby.At)
	} else {
		r.lag = r.progress.since(now)
	}
	switch {
	case askErr != nil:
		return fmt.Errorf("it does not answer: %w", askErr)
	case !standby.Standby:
		return errors.New("it is not a standby: name a streaming replica of the database, or none")
	case err == nil && (standby.Cluster != primary.Cluster || standby.Database != primary.Database):
		return errors.New("it is a replica of another database")
	case !caught:
		return errNotCaughtUp
	case r.lag > r.limit:
		return fmt.Errorf("it is %v behind, at most %v is allowed", r.lag.Round(time.Second), r.limit)
	}
	return nil
}

func (r *replica) markPrimary(ctx context.Context, primary *route) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	asked := time.Now()
	p, err := positionOf(ctx, primary)
	if err != nil {
		return p, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.mark(asked, p.At)
	return p, nil
}

// mark says that the primary's log was that long then.
type mark struct {
	when time.Time
	at   int64
}

// progress is what is known of the primary's log, oldest first: a standby that has
// replayed up to a mark has all that was committed before the mark's time. So lag
// is told by our clock alone, and is none while nothing is written.
type progress []mark

func (p *progress) mark(when time.Time, at int64) {
	list := *p
	if n := len(list); n > 0 && list[n-1].at > at {
		// The primary was restored: another log begins.
		list = nil
	} else if n > 0 && list[n-1].at == at {
		list = list[:n-1]
	}
	if len(list) >= replicaMarks {
		// Every second one will do.
		for i := range len(list) / 2 {
			list[i] = list[2*i]
		}
		list = list[:len(list)/2]
	}
	list = append(list, mark{when, at})
	*p = list
}

// behind says for how long a standby that has replayed that much has been behind,
// and whether it was ever seen with all that there was. Marks that it has passed
// are forgotten but for the last.
func (p *progress) behind(now time.Time, replayed int64) (lag time.Duration, caught bool) {
	list := *p
	for len(list) > 1 && list[1].at <= replayed {
		list = list[1:]
	}
	*p = list
	return p.since(now), len(list) > 0 && list[0].at <= replayed
}

// since is for how long the oldest mark has been there.
func (p *progress) since(now time.Time) time.Duration {
	if len(*p) == 0 {
		return 0
	}
	return max(now.Sub((*p)[0].when), 0)
}
