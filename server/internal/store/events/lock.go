package events

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockSQL locks machines by ascending row, whoever does it, and returns whose they
// are, in that order, and until when any of them is compacted.
const lockSQL = `SELECT coalesce(array_agg(host), '{}'), max(compacted_before) FROM
	(SELECT host, compacted_before FROM machine WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) AS locked`

// locked is what lockSQL returns.
type locked struct {
	hosts           []int64
	compactedBefore *time.Time
}

func (l *locked) scan(row pgx.Row) error {
	if err := row.Scan(&l.hosts, &l.compactedBefore); err != nil {
		return fmt.Errorf("locking machines: %w", err)
	}
	return nil
}

// mayHoldLate reports whether some rows may be of compacted times.
func (l *locked) mayHoldLate(rows []row) bool {
	if l.compactedBefore == nil {
		return false
	}
	before := l.compactedBefore.UnixMicro()
	return slices.ContainsFunc(rows, func(r row) bool { return r.micros < before })
}

// LockMachines locks machines by their rows, as everybody does who changes what
// is kept of them.
func LockMachines(ctx context.Context, tx pgx.Tx, keys []int32) error {
	var l locked
	err := l.scan(tx.QueryRow(ctx, lockSQL, keys))
	if err == nil && len(l.hosts) != len(keys) {
		return errMachineGone
	}
	return err
}
