package self

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Host is one that reports an account of somebody's own.
type Host struct {
	ID       int64
	Hostname string
}

// Receipt is that a notice was confirmed as read from an account of somebody's own.
type Receipt struct {
	MachineID string
	// Notice is the version of what was read.
	Notice string
	ReadAt time.Time
}

// Hosts returns the hosts of accounts, by their names.
func (s *Self) Hosts(ctx context.Context, accounts []int32) (list []Host, err error) {
	err = s.db.Read(ctx, "listing one's own hosts", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Host](ctx, tx, "reading", `SELECT h.id, h.hostname FROM host h
			WHERE h.id IN (SELECT host FROM machine WHERE id = ANY($1)) ORDER BY h.hostname, h.id`, accounts)
		return err
	})
	return list, err
}

// Receipts returns those of accounts, the newest first; there are bounds for them.
func (s *Self) Receipts(ctx context.Context, accounts []int32) (list []Receipt, err error) {
	err = s.db.Read(ctx, "listing one's own receipts", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Receipt](ctx, tx, "reading", `SELECT m.machine_id, r.notice, r.read_at FROM receipt r
			JOIN machine m ON m.id = r.machine WHERE m.id = ANY($1) ORDER BY r.read_at DESC, m.machine_id, r.notice`, accounts)
		return err
	})
	return list, err
}
