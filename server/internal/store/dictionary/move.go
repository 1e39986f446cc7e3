package dictionary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

// Moved is a machine that was given to another host.
type Moved struct {
	MachineID string `json:"machine_id"`
	// From and To are host_ids; they are the same where nothing had to be done.
	From string `json:"from"`
	To   string `json:"to"`
}

// moveError is a refusal to move machines.
type moveError string

func (e moveError) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (moveError) Decided() {}

// ErrNoRoom means that the host has as many machines as it may have.
const ErrNoRoom moveError = "the host has as many machine_ids as there may be"

// UnknownError names a machine or a host that does not exist.
type UnknownError struct{ What, ID string }

// Error returns what does not exist.
func (e UnknownError) Error() string { return fmt.Sprintf("there is no %s %q", e.What, e.ID) }

// Decided makes it a db.Decision.
func (UnknownError) Decided() {}

// Move moves machines to the host with that host_id, all or none, and returns them in
// the order of their machine_ids. All that they have reported stays theirs. A writer
// looks at the owner under the lock that it takes on the machine, so that from the
// moment that this is committed on no server stores an event of the host before.
func (d *Dictionary) Move(ctx context.Context, machineIDs []string, hostID string) ([]Moved, error) {
	for _, id := range machineIDs {
		if !utf8.ValidString(id) { // PostgreSQL fails at it
			return nil, UnknownError{"machine", id}
		}
	}
	var moved []Moved
	err := d.db.Write(ctx, "moving machines to another host", func(tx pgx.Tx) (err error) {
		var host int64
		var kind api.EnrollKind
		err = tx.QueryRow(ctx, "SELECT id, kind FROM host WHERE host_id = $1 FOR NO KEY UPDATE", hostID).Scan(&host, &kind)
		if errors.Is(err, pgx.ErrNoRows) {
			return UnknownError{"host", hostID}
		}
		if err != nil {
			return fmt.Errorf("reading the host: %w", err)
		}
		if moved, err = lockOwners(ctx, tx, machineIDs, hostID); err != nil {
			return err
		}
		if _, err = db.Exec(ctx, tx, "updating", "UPDATE machine SET host = $2 WHERE machine_id = ANY($1) AND host <> $2", machineIDs, host); err != nil {
			return err
		}
		if err := checkRoom(ctx, tx, host, kind); err != nil {
			return err
		}
		for _, m := range moved {
			if m.From == m.To {
				continue
			}
			err := audit.Write(ctx, tx, audit.Change{What: "machine.moved", Name: m.MachineID, Details: map[string]string{"from": m.From, "to": m.To}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return moved, err
}

// lockOwners locks machines by ascending row, as everybody does, and returns whose
// they are.
func lockOwners(ctx context.Context, tx pgx.Tx, machineIDs []string, to string) ([]Moved, error) {
	rows, err := tx.Query(ctx, `SELECT m.machine_id, h.host_id FROM machine m JOIN host h ON h.id = m.host
		WHERE m.machine_id = ANY($1) ORDER BY m.id FOR NO KEY UPDATE OF m`, machineIDs)
	if err != nil {
		return nil, fmt.Errorf("locking machines: %w", err)
	}
	m := Moved{To: to}
	var list []Moved
	if _, err := pgx.ForEachRow(rows, []any{&m.MachineID, &m.From}, func() error {
		list = append(list, m)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("locking machines: %w", err)
	}
	for _, id := range machineIDs {
		if !slices.ContainsFunc(list, func(m Moved) bool { return m.MachineID == id }) {
			return nil, UnknownError{"machine", id}
		}
	}
	slices.SortFunc(list, func(a, b Moved) int { return cmp.Compare(a.MachineID, b.MachineID) })
	return list, nil
}

// checkRoom refuses where a host has more machines than it may have.
func checkRoom(ctx context.Context, tx pgx.Tx, host int64, kind api.EnrollKind) error {
	most := MaxHostMachines
	if kind == api.EnrollUser {
		most = MaxPersonMachines
	}
	var n int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM machine WHERE host = $1", host).Scan(&n); err != nil {
		return fmt.Errorf("counting the host's machines: %w", err)
	}
	if n > most {
		return ErrNoRoom
	}
	return nil
}
