package policies

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
)

// maxReceipts bounds the notices that one account may have read: years of changes.
const maxReceipts = 1000

// What is refused about receipts.
const (
	// ErrNotOwned means that the host owns no such machine_id, whether or not another
	// does, or was erased after the notice was read.
	ErrNotOwned        refusal = "the host has no such machine_id"
	ErrTooManyReceipts refusal = "the account has as many receipts as there may be"
)

// Receipt is that a program of an account has confirmed that a notice was read.
type Receipt struct {
	// Machine is the account's row.
	Machine    int32
	MachineID  string
	Hostname   string
	Username   string
	Notice     string
	ReadAt     time.Time
	ReceivedAt time.Time
	HostID     string
}

// AddReceipt keeps a receipt of a host's machine_id; one that is there stays as it is.
func (p *Policies) AddReceipt(ctx context.Context, host int64, machineID, notice string, readAt time.Time) error {
	return p.db.Write(ctx, "keeping a receipt", func(tx pgx.Tx) error {
		var machine *int32
		var kept int
		var known bool
		// Its row is locked, so that those of one machine are counted one after the other.
		err := tx.QueryRow(ctx, `SELECT max(id) FROM (SELECT id FROM machine WHERE machine_id = $1 AND host = $2
			AND (erased_before > $3) IS NOT TRUE FOR NO KEY UPDATE) m`, machineID, host, readAt).Scan(&machine)
		if err != nil {
			return fmt.Errorf("looking up the machine: %w", err)
		}
		if machine == nil {
			return ErrNotOwned
		}
		err = tx.QueryRow(ctx, `SELECT count(*), coalesce(bool_or(notice = $2), false) FROM receipt WHERE machine = $1`, *machine, notice).Scan(&kept, &known)
		if err != nil {
			return fmt.Errorf("counting: %w", err)
		}
		if kept >= maxReceipts && !known {
			return ErrTooManyReceipts
		}
		_, err = db.Exec(ctx, tx, "inserting", `INSERT INTO receipt (machine, notice, read_at, host) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`, *machine, notice, readAt, host)
		return err
	})
}

// ReceiptFilter is which receipts are asked for.
type ReceiptFilter struct {
	// Notice is the version of one notice; empty: of all.
	Notice string
	// AfterMachine and AfterNotice are the last of the page before.
	AfterMachine, AfterNotice string
	Limit                     int
}

// Receipts lists receipts by machine_id and notice; it notes whose they are.
func (p *Policies) Receipts(ctx context.Context, f ReceiptFilter) ([]Receipt, error) {
	var list []Receipt
	err := p.db.Read(ctx, "listing receipts", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Receipt](ctx, tx, "reading", `SELECT m.id, m.machine_id, coalesce(o.hostname, ''), coalesce(m.username, ''), r.notice, r.read_at, r.received_at, h.host_id
			FROM receipt r JOIN machine m ON m.id = r.machine JOIN host h ON h.id = r.host LEFT JOIN host o ON o.id = m.host
			WHERE ($1 = '' OR r.notice = $1) AND (m.machine_id COLLATE "C", r.notice) > ($2, $3)
			ORDER BY m.machine_id COLLATE "C", r.notice LIMIT $4`, f.Notice, f.AfterMachine, f.AfterNotice, f.Limit)
		for i := range list {
			access.See(ctx, list[i].Machine)
		}
		return err
	})
	return list, err
}
