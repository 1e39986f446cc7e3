package people

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// UnknownError names accounts that do not exist.
type UnknownError struct{ MachineIDs []string }

// Error returns what does not exist.
func (e UnknownError) Error() string { return fmt.Sprintf("there are no accounts %q", e.MachineIDs) }

// Decided makes it a db.Decision.
func (UnknownError) Decided() {}

// change runs do while no other change of people is under way.
func (p *People) change(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return Change(ctx, p.db, what, do)
}

// Change runs do in a transaction while no other change of people is under way.
func Change(ctx context.Context, d *db.DB, what string, do func(pgx.Tx) error) error {
	return d.Write(ctx, what, func(tx pgx.Tx) error {
		if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(peopleLock)); err != nil {
			return err
		}
		return do(tx)
	})
}

// Join makes these accounts a person's, all or none, and returns the person. It returns
// ErrNone, UnknownError or ErrTooMany.
func (p *People) Join(ctx context.Context, id int64, machineIDs []string) (Person, error) {
	var joined Person
	err := p.change(ctx, "joining accounts to a person", func(tx pgx.Tx) (err error) {
		if _, err = Find(ctx, tx, directory.Scope{}, id); err != nil {
			return err
		}
		if err = join(ctx, tx, id, machineIDs); err != nil {
			return err
		}
		if joined, err = Find(ctx, tx, directory.Scope{}, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, joined.become("person.joined", strings.Join(machineIDs, ", ")))
	})
	return joined, err
}

func join(ctx context.Context, tx pgx.Tx, id int64, machineIDs []string) error {
	keys, err := keysOf(ctx, tx, machineIDs)
	if err != nil {
		return err
	}
	if err := move(ctx, tx, keys, "person = $2", id); err != nil {
		return err
	}
	return checkAccounts(ctx, tx, id)
}

// checkAccounts refuses where a person has more accounts than they may have.
func checkAccounts(ctx context.Context, tx pgx.Tx, id int64) error {
	var n int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM account WHERE person = $1", id).Scan(&n); err != nil {
		return fmt.Errorf("counting accounts: %w", err)
	}
	if n > MaxAccounts {
		return ErrTooMany
	}
	return nil
}

// keysOf returns the rows of accounts, in ascending order, or UnknownError.
func keysOf(ctx context.Context, tx pgx.Tx, machineIDs []string) ([]int32, error) {
	type account struct {
		Key       int32
		MachineID string
	}
	list, err := db.Collect[account](ctx, tx, "looking up accounts", "SELECT id, machine_id FROM machine WHERE machine_id = ANY($1) ORDER BY id", machineIDs)
	if err != nil {
		return nil, err
	}
	keys, known := make([]int32, len(list)), make(map[string]bool, len(list))
	for i, a := range list {
		keys[i], known[a.MachineID] = a.Key, true
	}
	unknown := slices.DeleteFunc(slices.Clone(machineIDs), func(id string) bool { return known[id] })
	if len(unknown) > 0 {
		return nil, UnknownError{unknown}
	}
	return keys, nil
}

// Part moves one of a person's accounts back to the person that it was made with, or to
// a new one where that is this person and has other accounts as well. It returns the
// person that the account is of then; ErrNone, or db.ErrNotFound where it was not this
// person's.
func (p *People) Part(ctx context.Context, id int64, machineID string) (Person, error) {
	var parted Person
	err := p.change(ctx, "parting an account from a person", func(tx pgx.Tx) error {
		from, err := Find(ctx, tx, directory.Scope{}, id)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(from.Accounts, func(m directory.Machine) bool { return m.MachineID == machineID })
		if at < 0 {
			return db.ErrNotFound
		}
		key := from.Accounts[at].Key
		if err := leave(ctx, tx, key, id, len(from.Accounts) == 1); err != nil {
			return err
		}
		var to int64
		if err := tx.QueryRow(ctx, "SELECT person FROM account WHERE machine = $1", key).Scan(&to); err != nil {
			return fmt.Errorf("reading whose it is: %w", err)
		}
		if parted, err = Find(ctx, tx, directory.Scope{}, to); err != nil || to == id {
			return err
		}
		return audit.Write(ctx, tx, from.become("person.parted", machineID))
	})
	return parted, err
}

// leave has an account leave a person, unless it is alone there and was made there.
func leave(ctx context.Context, tx pgx.Tx, key int32, id int64, alone bool) error {
	var home int64
	if err := tx.QueryRow(ctx, "SELECT home FROM account WHERE machine = $1", key).Scan(&home); err != nil {
		return fmt.Errorf("reading where it was made: %w", err)
	}
	if home != id {
		return move(ctx, tx, []int32{key}, "person = home")
	}
	if alone {
		return nil
	}
	if err := tx.QueryRow(ctx, "INSERT INTO person DEFAULT VALUES RETURNING id").Scan(&home); err != nil {
		return fmt.Errorf("making a person: %w", err)
	}
	return move(ctx, tx, []int32{key}, "home = $2, person = $2", home)
}

// move changes whose accounts are, and which groups hold them then.
func move(ctx context.Context, tx pgx.Tx, keys []int32, set string, args ...any) error {
	people, err := touched(ctx, tx, keys, args)
	if err != nil {
		return err
	}
	if err := lockGroupsOf(ctx, tx, people); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, "updating", "UPDATE account SET "+set+" WHERE machine = ANY($1)", append([]any{keys}, args...)...); err != nil {
		return err
	}
	return regroup(ctx, tx, keys)
}

// touched returns whose accounts these are or may become.
func touched(ctx context.Context, tx pgx.Tx, keys []int32, args []any) ([]int64, error) {
	var people []int64
	err := tx.QueryRow(ctx, `SELECT array_agg(DISTINCT p) FROM (
			SELECT person AS p FROM account WHERE machine = ANY($1) UNION ALL SELECT home FROM account WHERE machine = ANY($1)) AS t`, keys).Scan(&people)
	if err != nil {
		return nil, fmt.Errorf("reading whose accounts these are: %w", err)
	}
	for _, a := range args {
		if id, ok := a.(int64); ok {
			people = append(people, id)
		}
	}
	return people, nil
}

// lockGroupsOf locks the groups that these people are in, in one order.
func lockGroupsOf(ctx context.Context, tx pgx.Tx, people []int64) error {
	_, err := db.Exec(ctx, tx, "locking groups", `SELECT FROM machine_group
		WHERE id IN (SELECT grp FROM group_person WHERE person = ANY($1)) ORDER BY id FOR NO KEY UPDATE`, people)
	return err
}

// regroup has these accounts in the groups that their people are in, and in those that
// they were put into themselves. The groups are locked.
func regroup(ctx context.Context, tx pgx.Tx, keys []int32) error {
	_, err := db.Exec(ctx, tx, "regrouping accounts", `
		WITH due AS (SELECT p.grp, m.machine_id, m.id AS machine
				FROM account a JOIN group_person p ON p.person = a.person JOIN machine m ON m.id = a.machine WHERE a.machine = ANY($1)),
			gone AS (DELETE FROM group_member g WHERE g.machine = ANY($1) AND NOT g.direct
				AND NOT EXISTS (SELECT FROM due WHERE due.grp = g.grp AND due.machine = g.machine) RETURNING g.grp),
			come AS (INSERT INTO group_member (grp, machine_id, machine, direct)
				SELECT grp, machine_id, machine, false FROM due ORDER BY machine ON CONFLICT DO NOTHING RETURNING grp)
		UPDATE machine_group g SET members = g.members + d.n FROM (
			SELECT grp, sum(n)::int AS n FROM (SELECT grp, -1 AS n FROM gone UNION ALL SELECT grp, 1 FROM come) AS each GROUP BY grp) AS d
		WHERE g.id = d.grp`, keys)
	return err
}
