package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Machine is one user on one host, and the newest thing known of it.
type Machine struct {
	// Key is the machine's row.
	Key       int32
	MachineID string
	UserLabel string
	Hostname  string
	Username  string
	FirstSeen time.Time
	// LastSeen is when the newest event's interval ended, at most the server's
	// time when it arrived.
	LastSeen time.Time
	// LastInterval is the newest event's length in seconds, LastIdle its
	// is_idle.
	LastInterval int64
	LastIdle     bool
}

const machineColumnList = `m.id, m.machine_id, m.user_label, h.hostname, m.username,
	m.first_seen, m.last_seen, m.last_interval, m.last_idle`

// Machines lists up to limit machines whose machine_id is greater than after,
// in machine_id order by bytes.
func (s *Store) Machines(ctx context.Context, after string, limit int) ([]Machine, error) {
	var list []Machine
	err := s.report(ctx, "listing machines", func(tx pgx.Tx) (err error) {
		list, err = collect[Machine](ctx, tx, "reading", `SELECT `+machineColumnList+` FROM machine m JOIN host h ON h.id = m.host
			WHERE m.machine_id > $1 ORDER BY m.machine_id LIMIT $2`, after, limit)
		return err
	})
	return list, err
}

// MachineByID gives a machine, or ErrNotFound.
func (s *Store) MachineByID(ctx context.Context, machineID string) (Machine, error) {
	var m Machine
	err := s.report(ctx, "looking up a machine", func(tx pgx.Tx) error {
		var err error
		m, err = machineByID(ctx, tx, machineID)
		return err
	})
	return m, err
}

func machineByID(ctx context.Context, tx pgx.Tx, machineID string) (Machine, error) {
	list, err := collect[Machine](ctx, tx, "looking up the machine", `SELECT `+machineColumnList+`
		FROM machine m JOIN host h ON h.id = m.host WHERE m.machine_id = $1`, machineID)
	if err != nil {
		return Machine{}, err
	}
	if len(list) == 0 {
		return Machine{}, ErrNotFound
	}
	return list[0], nil
}

// SetLabel names a machine for people and gives it back, or ErrNotFound.
func (s *Store) SetLabel(ctx context.Context, machineID, label string) (Machine, error) {
	var m Machine
	err := s.write(ctx, "labelling a machine", func(tx pgx.Tx) error {
		_, err := exec(ctx, tx, "updating", "UPDATE machine SET user_label = $2 WHERE machine_id = $1", machineID, label)
		if err != nil {
			return err
		}
		m, err = machineByID(ctx, tx, machineID)
		return err
	})
	return m, err
}
