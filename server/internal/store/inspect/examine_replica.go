package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// replicaCatchUp is how long an examination waits for a standby to replay what
	// the primary has: on an idle one that takes milliseconds.
	replicaCatchUp = 5 * time.Second
	// replicaLookEvery is how often it looks meanwhile.
	replicaLookEvery = 50 * time.Millisecond
)

// ReplicaExamination is what can be seen of the replica that reports are read from.
type ReplicaExamination struct {
	// Away is why it can't be asked; nil where it can.
	Away error
	// Standby means that it is one, Same that it is one of this database.
	Standby, Same bool
	// CaughtUp means that within replicaCatchUp it replayed all that the primary had
	// at the beginning; it is Behind by less than that took.
	CaughtUp bool
	// Behind is how old the last transaction is that it has replayed, where it has
	// not caught up, and BehindBytes how much of the log it lacks.
	Behind      time.Duration
	BehindBytes int64
}

// ExamineReplica looks at the replica; nil where none is named. It changes nothing.
func (in *Inspector) ExamineReplica(ctx context.Context) (*ReplicaExamination, error) {
	replica := in.db.Standby()
	if replica == nil {
		return nil, nil //nolint:nilnil // There is none to report.
	}
	primary, err := db.PositionOf(ctx, in.db.Primary())
	if err != nil {
		return nil, db.Classify("asking the primary for its position", err)
	}
	var e ReplicaExamination
	begun := time.Now()
	for {
		standby, err := askStandby(ctx, replica)
		if err != nil {
			e.Away = fmt.Errorf("asking it for its position: %w", err)
			return &e, nil
		}
		e.Standby, e.Same = standby.Standby, standby.Cluster == primary.Cluster && standby.Database == primary.Database
		e.CaughtUp, e.BehindBytes = standby.At >= primary.At, max(primary.At-standby.At, 0)
		if !e.Standby || !e.Same {
			return &e, nil
		}
		if e.CaughtUp {
			e.Behind = time.Since(begun)
			return &e, nil
		}
		if time.Since(begun) > replicaCatchUp {
			break
		}
		select {
		case <-ctx.Done():
			return &e, ctx.Err()
		case <-time.After(replicaLookEvery):
		}
	}
	if e.Behind, err = ReplayAge(ctx, replica); err != nil {
		e.Away = err
	}
	return &e, nil
}

// askStandby does not wait for one that hangs.
func askStandby(ctx context.Context, r *db.Pool) (db.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, db.ReplicaPatience+db.ConnectTimeout)
	defer cancel()
	return db.PositionOf(ctx, r)
}

// ReplayAge is how old the last transaction is that a standby has replayed.
func ReplayAge(ctx context.Context, r *db.Pool) (time.Duration, error) {
	var seconds float64
	err := pgx.BeginTxFunc(ctx, r, pgx.TxOptions{}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)::float8").Scan(&seconds)
	})
	if err != nil {
		return 0, fmt.Errorf("asking it how far it is behind: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
