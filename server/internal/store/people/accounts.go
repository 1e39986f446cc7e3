package people

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// Change runs do in a transaction while no other change of people is under way; several times,
// perhaps (db.WriteAgain).
func Change(ctx context.Context, d *db.DB, what string, do func(pgx.Tx) error) error {
	return d.WriteAgain(ctx, what, func(tx pgx.Tx) error {
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
		return audit.Write(ctx, tx, joined.become("person.joined", machineIDs...))
	})
	return joined, err
}

func join(ctx context.Context, tx pgx.Tx, id int64, machineIDs []string) error {
	keys, err := keysOf(ctx, tx, machineIDs)
	if err != nil {
		return err
	}
	if err := move(ctx, tx, keys, "hand = 'joined', person = $2", id); err != nil {
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
// a new one where that is this person and has other accounts as well. No rule of a host group
// joins it from then on. It returns the person that the account is of then; ErrNone, or db.ErrNotFound where it was not this
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
		if done, err := leave(ctx, tx, key, id, len(from.Accounts) == 1); err != nil || !done {
			parted = from
			return err
		}
		var to int64
		if err := tx.QueryRow(ctx, "SELECT person FROM account WHERE machine = $1", key).Scan(&to); err != nil {
			return fmt.Errorf("reading whose it is: %w", err)
		}
		if parted, err = Find(ctx, tx, directory.Scope{}, to); err != nil {
			return err
		}
		return audit.Write(ctx, tx, from.become("person.parted", machineID))
	})
	return parted, err
}

// leave has an account leave a person, for good: no rule joins it again. Where it is alone
// with whom it was made with, it stays, and only that is noted. It reports whether that was
// not so already.
func leave(ctx context.Context, tx pgx.Tx, key int32, id int64, alone bool) (done bool, err error) {
	var home int64
	var parted bool
	if err := tx.QueryRow(ctx, "SELECT home, hand IS NOT DISTINCT FROM 'parted' FROM account WHERE machine = $1", key).Scan(&home, &parted); err != nil {
		return false, fmt.Errorf("reading where it was made: %w", err)
	}
	if home == id && alone && parted {
		return false, nil
	}
	if home == id && !alone {
		if home, err = newHome(ctx, tx, key, id); err != nil {
			return false, err
		}
	}
	return true, move(ctx, tx, []int32{key}, "hand = 'parted', home = $2, person = $2", home)
}

// newHome returns a new person for an account to be made with, which leaves the one that it
// was made with.
func newHome(ctx context.Context, tx pgx.Tx, key int32, id int64) (home int64, err error) {
	if err := tx.QueryRow(ctx, "INSERT INTO person DEFAULT VALUES RETURNING id").Scan(&home); err != nil {
		return 0, fmt.Errorf("making a person: %w", err)
	}
	return home, succeed(ctx, tx, key, id)
}

// succeed has a person, whose account leaves that was made with them, be the one whom the
// next of those was made with that a rule joined to it: so they keep label and groups.
// Nobody succeeds where an administrator joined somebody, or the next one's own person has
// a label, a group or a user.
func succeed(ctx context.Context, tx pgx.Tx, key int32, id int64) error {
	var freed int64
	err := tx.QueryRow(ctx, succeedSQL, key, id).Scan(&freed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("having the next account succeed: %w", err)
	}
	_, err = db.Exec(ctx, tx, "removing the person whom it was made with", "DELETE FROM person WHERE id = $1", freed)
	return err
}

// succeedSQL has the next account be made with person $2 from whom account $1 leaves, and
// returns the person whom it was made with.
const succeedSQL = `WITH next AS MATERIALIZED (
		SELECT o.machine, o.home FROM account o JOIN account l ON l.machine = $1 AND l.rule = o.rule AND l.name = o.name
		WHERE o.person = $2 AND o.machine <> $1 ORDER BY o.named_late, o.machine LIMIT 1
	), bare AS MATERIALIZED (
		SELECT next.* FROM next JOIN person p ON p.id = next.home AND p.label = ''
		WHERE NOT EXISTS (SELECT FROM account a WHERE a.person = $2 AND a.hand = 'joined' AND a.machine <> $1)
			AND NOT EXISTS (SELECT FROM account a WHERE a.person = next.home) AND NOT EXISTS (SELECT FROM group_person g WHERE g.person = next.home)
			AND NOT EXISTS (SELECT FROM app_user u WHERE u.person = next.home)
	)
	UPDATE account a SET home = $2 FROM bare WHERE a.machine = bare.machine RETURNING bare.home`

// move changes whose accounts are, and which groups hold them then; then the rules of host
// groups are applied to all whom that touches.
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
	if err := regroup(ctx, tx, keys); err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, "applying rules", `SELECT apply_name_rule(ARRAY(SELECT machine FROM account
		WHERE rule IS NOT NULL AND (person = ANY($1) OR home = ANY($1) OR machine = ANY($2))))`, people, keys)
	return err
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
	_, err := db.Exec(ctx, tx, "regrouping accounts", "SELECT regroup_accounts($1)", keys)
	return err
}
