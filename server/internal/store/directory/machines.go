package directory

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
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
	// is_idle, LastConnected its connected and LastLocked its locked, nil where it had
	// none.
	LastInterval  int64
	LastIdle      bool
	LastConnected *bool
	LastLocked    *bool
	// Host is the row of its host.
	Host int64
	// Groups are the names of those in scope that it is in, in their order by
	// bytes and at most maxMembership of them; lists for reports and for the live view
	// leave them out.
	Groups []string `db:"-"`
}

// MachineColumns are the columns of a Machine, of the tables machine m and host h.
const MachineColumns = `m.id, m.machine_id, m.user_label, h.hostname, m.username,
	m.first_seen, m.last_seen, m.last_interval, m.last_idle, m.last_connected, m.last_locked, m.host`

// Machines lists the machines that are asked for, or returns ErrNoGroup where the
// group is not in scope.
func (d *Directory) Machines(ctx context.Context, f MachineFilter) ([]Machine, error) {
	var list []Machine
	err := d.db.Report(ctx, "listing machines", func(tx pgx.Tx) (err error) {
		if list, err = FindMachines(ctx, tx, &f); err != nil {
			return err
		}
		return tellMembership(ctx, tx, f.Scope, list)
	})
	return list, err
}

// MachineByID returns a machine in scope, or ErrNotFound.
func (d *Directory) MachineByID(ctx context.Context, scope Scope, machineID string) (Machine, error) {
	var m Machine
	err := d.db.Report(ctx, "looking up a machine", func(tx pgx.Tx) (err error) {
		m, err = machineWithGroups(ctx, tx, scope, machineID)
		return err
	})
	return m, err
}

func machineWithGroups(ctx context.Context, tx pgx.Tx, scope Scope, machineID string) (Machine, error) {
	m, err := FindMachine(ctx, tx, scope, machineID)
	if err != nil {
		return m, err
	}
	list := []Machine{m}
	err = tellMembership(ctx, tx, scope, list)
	return list[0], err
}

// SetLabel names a machine in scope for people and returns it, or ErrNotFound.
func (d *Directory) SetLabel(ctx context.Context, scope Scope, machineID, label string) (Machine, error) {
	var m Machine
	err := d.db.Write(ctx, "labelling a machine", func(tx pgx.Tx) (err error) {
		if m, err = machineWithGroups(ctx, tx, scope, machineID); err != nil {
			return err
		}
		m.UserLabel = label
		n, err := db.Exec(ctx, tx, "updating", "UPDATE machine SET user_label = $2 WHERE id = $1 AND user_label <> $2", m.Key, label)
		if err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "machine.labelled", Name: machineID, Details: map[string]string{"label": label}})
	})
	return m, err
}

// HoldMachines has whoever writes records wait until the transaction ends, since they lock their
// machines first. It waits at most so long for those who have one.
func HoldMachines(ctx context.Context, tx pgx.Tx, wait time.Duration) error {
	for _, sql := range []string{
		"SET LOCAL lock_timeout = " + db.Milliseconds(wait),
		"LOCK TABLE machine IN EXCLUSIVE MODE",
		"SET LOCAL lock_timeout = DEFAULT",
	} {
		if _, err := db.Exec(ctx, tx, "holding machines", sql); err != nil {
			return err
		}
	}
	return nil
}
