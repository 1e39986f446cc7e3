package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/db"
)

// lockNotAvailable is PostgreSQL's code for a lock that was not waited for longer.
const lockNotAvailable = "55P03"

// dropWait bounds the wait for a table's readers and writers when a partition is
// dropped, since others wait behind it; the next round tries again. It is less than
// deadlock_timeout, so that it never costs a writer.
const dropWait = 500 * time.Millisecond

// ErrBusy means that a partition was not dropped since others are at it, or make or
// drop one: a later round tries again.
var ErrBusy = errors.New("others are at the partition, or make or drop one")

// Drop drops a partition if it is still there and unneeded, and reports whether it
// did. unneeded is asked when nobody else is at the partition any more, while all
// wait; nil stands for one that goes whatever is in it.
func (p *Partitions) Drop(ctx context.Context, t Table, name string, unneeded func(pgx.Tx) (bool, error)) (dropped bool, err error) {
	busy := false
	err = p.db.Write(ctx, "dropping partition "+name, func(tx pgx.Tx) error {
		dropped = false
		mine, err := tryLock(ctx, tx)
		if busy = err == nil && !mine; err != nil || busy {
			return err
		}
		if there, err := keepOthersOut(ctx, tx, t, name); err != nil || !there {
			return err
		}
		if unneeded != nil {
			if still, err := unneeded(tx); err != nil || !still {
				return err
			}
		}
		_, err = db.Exec(ctx, tx, "dropping", "SET LOCAL statement_timeout = "+db.Milliseconds(db.StatementTimeout))
		if err == nil {
			_, err = db.Exec(ctx, tx, "dropping", "DROP TABLE "+name)
		}
		dropped = err == nil
		return err
	})
	var pg *pgconn.PgError
	if busy || errors.As(err, &pg) && pg.Code == lockNotAvailable {
		return false, fmt.Errorf("dropping partition %s: %w", name, ErrBusy)
	}
	if dropped = dropped && err == nil; dropped {
		p.made.Forget()
	}
	return dropped, err
}

// Alone runs do while nobody else is at a table or its default partition, or returns ErrBusy.
// All wait meanwhile.
func (p *Partitions) Alone(ctx context.Context, t Table, do func(pgx.Tx) error) error {
	what := "locking " + t.Name
	err := p.db.Write(ctx, what, func(tx pgx.Tx) error {
		mine, err := tryLock(ctx, tx)
		if err == nil && !mine {
			err = ErrBusy
		}
		if err != nil {
			return err
		}
		if _, err := keepOthersOut(ctx, tx, t, t.Name+"_default"); err != nil {
			return err
		}
		return do(tx)
	})
	var pg *pgconn.PgError
	if errors.Is(err, ErrBusy) || errors.As(err, &pg) && pg.Code == lockNotAvailable {
		return fmt.Errorf("%s: %w", what, ErrBusy)
	}
	return err
}

// tryLock begins dropping a partition: it bounds the wait for the table's readers
// and writers, and reports whether no other server makes or drops one.
func tryLock(ctx context.Context, tx pgx.Tx) (mine bool, err error) {
	if _, err := db.Exec(ctx, tx, "setting the timeout", "SET LOCAL lock_timeout = "+db.Milliseconds(dropWait)); err != nil {
		return false, err
	}
	if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(partitionLock)).Scan(&mine); err != nil {
		return false, fmt.Errorf("looking whether another server drops partitions: %w", err)
	}
	return mine, nil
}

// keepOthersOut locks a partition, if it is there, and its table first, as those do
// who come through that; a writer may name the partition as well.
func keepOthersOut(ctx context.Context, tx pgx.Tx, t Table, name string) (there bool, err error) {
	if _, err := db.Exec(ctx, tx, "locking "+t.Name, "LOCK TABLE ONLY "+t.Name+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return false, err
	}
	if there, err := Exists(ctx, tx, name); err != nil || !there {
		return false, err
	}
	_, err = db.Exec(ctx, tx, "locking "+name, "LOCK TABLE "+name+" IN ACCESS EXCLUSIVE MODE")
	return err == nil, err
}

// Exists reports whether a partition is there.
func Exists(ctx context.Context, tx pgx.Tx, name string) (there bool, err error) {
	if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&there); err != nil {
		return false, fmt.Errorf("looking whether %s is there: %w", name, err)
	}
	return there, nil
}

// Empty reports whether a partition holds nothing. It may not take long: Drop asks
// it while all wait.
func Empty(ctx context.Context, tx pgx.Tx, name string) (empty bool, err error) {
	if _, err := db.Exec(ctx, tx, "setting the timeout", "SET LOCAL statement_timeout = "+db.Milliseconds(dropWait)); err != nil {
		return false, err
	}
	if err := tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT 1 FROM "+name+")").Scan(&empty); err != nil {
		return false, fmt.Errorf("looking whether %s is empty: %w", name, err)
	}
	return empty, nil
}
