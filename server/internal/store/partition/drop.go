package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// LockNotAvailable is PostgreSQL's code for a lock that was not waited for longer.
const LockNotAvailable = "55P03"

// KeepWritersOut locks a partition, if it is there, and its table first, as those do
// who come through that; a writer may name the partition as well.
func KeepWritersOut(ctx context.Context, tx pgx.Tx, table, partition string) (there bool, err error) {
	if _, err := db.Exec(ctx, tx, "locking "+table, "LOCK TABLE ONLY "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return false, err
	}
	if there, err := Exists(ctx, tx, partition); err != nil || !there {
		return false, err
	}
	_, err = db.Exec(ctx, tx, "locking "+partition, "LOCK TABLE "+partition+" IN ACCESS EXCLUSIVE MODE")
	return err == nil, err
}

// Exists reports whether a table or partition is there.
func Exists(ctx context.Context, tx pgx.Tx, table string) (there bool, err error) {
	if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil {
		return false, fmt.Errorf("looking whether %s is there: %w", table, err)
	}
	return there, nil
}

// dropWait bounds the wait for a table's readers and writers when a partition is
// dropped, since others wait behind it; the next round tries again. It is less than
// deadlock_timeout, so that it never costs a writer.
const dropWait = 500 * time.Millisecond

// Drop drops a partition with all that is in it.
func (p *Partitions) Drop(ctx context.Context, name string) error {
	return p.db.Write(ctx, "dropping partition "+name, func(tx pgx.Tx) error {
		mine, err := TryLock(ctx, tx)
		if err != nil {
			return err
		}
		if !mine {
			return errors.New("another server is making or dropping partitions")
		}
		// Another server may have dropped it since.
		_, err = db.Exec(ctx, tx, "dropping", "DROP TABLE IF EXISTS "+name)
		return err
	})
}

// TryLock begins dropping a partition: it bounds the wait for the
// table's readers and writers, and reports whether no other server makes or drops one.
func TryLock(ctx context.Context, tx pgx.Tx) (mine bool, err error) {
	if _, err := db.Exec(ctx, tx, "setting the timeout", "SET LOCAL lock_timeout = "+db.Milliseconds(dropWait)); err != nil {
		return false, err
	}
	if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(partitionLock)).Scan(&mine); err != nil {
		return false, fmt.Errorf("looking whether another server drops partitions: %w", err)
	}
	return mine, nil
}

// DropEmpty drops a partition if it is empty: as far as can be seen, and then for
// certain, with nobody else at it. That must not take long, since all wait.
func DropEmpty(ctx context.Context, tx pgx.Tx, t Table, name string) error {
	empty := false
	isEmpty := "SELECT NOT EXISTS (SELECT FROM " + name + ")"
	if err := tx.QueryRow(ctx, isEmpty).Scan(&empty); err != nil || !empty {
		return err
	}
	for _, sql := range []string{
		"SET LOCAL lock_timeout = " + db.Milliseconds(dropWait),
		"SET LOCAL statement_timeout = " + db.Milliseconds(dropWait),
	} {
		if _, err := db.Exec(ctx, tx, "setting a timeout", sql); err != nil {
			return err
		}
	}
	if there, err := KeepWritersOut(ctx, tx, t.Name, name); err != nil || !there {
		return err
	}
	if err := tx.QueryRow(ctx, isEmpty).Scan(&empty); err != nil || !empty {
		return err
	}
	if _, err := db.Exec(ctx, tx, "giving it time", "SET LOCAL statement_timeout = "+db.Milliseconds(db.StatementTimeout)); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, "dropping", "DROP TABLE "+name)
	return err
}
