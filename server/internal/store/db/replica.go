package db

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
	// ReplicaPatience bounds one look at it: one that hangs is away.
	ReplicaPatience = 2 * time.Second
	// replicaAway is for how long it is left alone at least, so that one that
	// comes and goes does not fail a request each second.
	replicaAway = 5 * time.Second
	// replicaMarks bounds what is remembered of the primary's progress: over
	// an hour of a replica that falls behind.
	replicaMarks = 4096
)

// errReplicaLeft ends what still reads from a replica that was given up.
var errReplicaLeft = errors.New("the replica is no longer read from")

// errNotCaughtUp means that the replica was never seen with all that there was.
var errNotCaughtUp = errors.New("it has not caught up with the primary yet")

// replica is a streaming standby of the database that answers questions whose
// answer may be a little old. It is in use while it answers and is not too far
// behind.
type replica struct {
	*Pool
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
	// logged means that the log knows that it is not in use.
	logged bool
	// begun is when it was first looked at.
	begun    time.Time
	progress progress
	lag      time.Duration
}

// ReplicaState is how a replica does.
type ReplicaState struct {
	// Configured means that there is to be one, InUse that it is read from.
	Configured, InUse bool
	// Lag is how far it was behind when it was last looked at; before it first
	// caught up, for how long it was waited for.
	Lag time.Duration
	// Retried counts reads that it failed and the primary was asked instead.
	Retried int64
}

// ReplicaState returns how the replica does.
func (d *DB) ReplicaState() ReplicaState {
	r := d.replica
	if r == nil {
		return ReplicaState{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return ReplicaState{Configured: true, InUse: r.use != nil, Lag: r.lag, Retried: r.retried.Load()}
}

// Report runs do in a read-only transaction that sees one state of the database,
// which may be some seconds old: on the replica where one is in use. What a caller
// wrote himself, or what decides who may do what, is not for it.
//
// Where the replica fails, do is run once more, on the primary, and must begin
// from nothing again.
func (d *DB) Report(ctx context.Context, what string, do func(pgx.Tx) error, with ...Begin) error {
	if err := d.Opened(what); err != nil {
		return err
	}
	if d.replica != nil {
		if err, answered := d.replica.try(ctx, snapshot(with), do); answered {
			return Classify(what, err)
		}
	}
	return d.questions.within(ctx, what, func() error { return d.Read(ctx, what, do, with...) })
}

// snapshot is a read-only transaction that sees one state of the database.
func snapshot(with []Begin) pgx.TxOptions {
	return pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly, BeginQuery: beginSQL(with)}
}

// try runs do on the replica. Where that shows nothing about do itself, it is not
// answered.
func (r *replica) try(ctx context.Context, opts pgx.TxOptions, do func(pgx.Tx) error) (err error, answered bool) { //nolint:revive // The error is the answer.
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
	err = pgx.BeginTxFunc(bound, r, opts, do)
	var decided Decision
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotFound) || errors.As(err, &decided) {
		return err, true
	}
	r.retried.Add(1)
	if lost(err) {
		r.leave(err)
	}
	return nil, false
}

// leave leaves the replica alone for a while.
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
	if !r.logged {
		r.logged = true
		r.log.Warn("the database's replica is not used; the primary answers instead", "error", why)
	}
}

// RunReplica looks at the replica, where there is one, until ctx ends.
func (d *DB) RunReplica(ctx context.Context) error {
	r := d.replica
	if r == nil {
		return nil
	}
	tick := time.NewTicker(replicaEvery)
	defer tick.Stop()
	for {
		if d.migrated.Load() {
			if err := d.lookAtReplica(ctx); ctx.Err() == nil {
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
	r.logged = false
	r.log.Info("reports are read from the database's replica", "lag", r.lag.Round(time.Millisecond))
}

// lookAtReplica notes how far the primary is, and returns what is against using the
// replica.
func (d *DB) lookAtReplica(ctx context.Context) error {
	r := d.replica
	primary, err := r.markPrimary(ctx, d.pool)
	if err != nil {
		// Perhaps it is only busy. What is not known counts as lag soon enough.
		d.log.Debug("the primary does not tell its position", "error", err)
	}
	ask, cancelAsk := context.WithTimeout(ctx, ReplicaPatience)
	defer cancelAsk()
	standby, askErr := PositionOf(ask, r.Pool)
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
	case d.Spread():
		return errors.New("the database is spread over several nodes, and it is a replica of one")
	case err == nil && (standby.Cluster != primary.Cluster || standby.Database != primary.Database):
		return errors.New("it is a replica of another database")
	case !caught:
		return errNotCaughtUp
	case r.lag > r.limit:
		return fmt.Errorf("it is %v behind, at most %v is allowed", r.lag.Round(time.Second), r.limit)
	}
	return nil
}

func (r *replica) markPrimary(ctx context.Context, primary *Pool) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, ReplicaPatience)
	defer cancel()
	asked := time.Now()
	p, err := PositionOf(ctx, primary)
	if err != nil {
		return p, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.mark(asked, p.At)
	return p, nil
}
