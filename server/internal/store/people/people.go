// Package people keeps which accounts are one person's. A machine is an account on a
// host; each has a person of its own from its first event on, and may be joined to
// another's. Nothing of what accounts did is written anew by that.
package people

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// MaxAccounts is how many accounts a person may have: more than anybody has, and few
// enough to add up in one answer.
const MaxAccounts = 100

// peopleLock is the advisory lock under which accounts change hands, one change after
// the other: they are rare, and each may be of any people and groups. Any fixed number
// would do.
const peopleLock = 0x7472_6163_6b61

// refusal is a decision about people.
type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	ErrNone refusal = "there is no such person"
	// ErrTooMany means that a person would have more than MaxAccounts.
	ErrTooMany refusal = "the person would have too many accounts"
	// ErrPartial means that who asks sees some of the person's accounts, and not all.
	ErrPartial refusal = "the person has other accounts, too"
)

// People are those of one database.
type People struct{ db *db.DB }

// New returns the people of a database.
func New(d *db.DB) *People { return &People{db: d} }

// Person is somebody with the accounts of theirs that the caller may see.
type Person struct {
	ID        int64
	Label     string
	CreatedAt time.Time
	// Accounts are by machine_id.
	Accounts []directory.Machine `db:"-"`
	// Partial means that they have others, which the caller may not see.
	Partial bool `db:"-"`
}

// Keys returns the rows of the accounts.
func (p *Person) Keys() []int32 {
	keys := make([]int32, len(p.Accounts))
	for i := range p.Accounts {
		keys[i] = p.Accounts[i].Key
	}
	return keys
}

// Filter is which people are asked for, in the order of their ids.
type Filter struct {
	Scope directory.Scope
	// Group is the name of one in which they have an account; empty: any or none.
	Group string
	// MachineID is an account of the one person that is asked for; empty: all.
	MachineID string
	// Search is a part of their label, or of what an account in scope is called; empty: any.
	Search string
	// ID is that of the one person that is asked for, by Within; 0: all.
	ID int64
	// After is the id of the last person of the page before.
	After int64
	// Limit is how many people at most; it must be given.
	Limit int
}

const (
	personColumns = "p.id, p.label, p.created_at"
	// allSQL leaves out people whose accounts have all been joined to others'.
	allSQL = `SELECT ` + personColumns + ` FROM person p
		WHERE p.id > $1 AND EXISTS (SELECT FROM account a WHERE a.person = p.id) ORDER BY p.id LIMIT $2`
	// foundSQL looks for $3 in all people, or in those with accounts in the groups $5: in
	// their labels, and in what these accounts and their hosts are called.
	foundSQL = `SELECT ` + personColumns + ` FROM person p WHERE p.id > $1 AND EXISTS (SELECT FROM account a
			JOIN machine m ON m.id = a.machine JOIN host h ON h.id = m.host
			WHERE a.person = p.id AND (NOT $4 OR EXISTS (SELECT FROM group_member g WHERE g.machine = a.machine AND g.grp = ANY($5)))
				AND strpos(lower(concat_ws(E'\n', p.label, m.machine_id, m.user_label, m.username, h.hostname) COLLATE "default"), lower($3)) > 0)
		ORDER BY p.id LIMIT $2`
	ofGroupsSQL = `SELECT ` + personColumns + ` FROM (
			SELECT DISTINCT a.person FROM group_member g JOIN account a ON a.machine = g.machine
			WHERE g.grp = ANY($3) AND a.person > $1 ORDER BY 1 LIMIT $2
		) v JOIN person p ON p.id = v.person ORDER BY p.id`
)

// List lists the people that are asked for, with those of their accounts that are in
// scope. It returns directory.ErrNoGroup where the group is not.
func (p *People) List(ctx context.Context, f Filter) ([]Person, error) {
	var list []Person
	err := p.db.Report(ctx, "listing people", func(tx pgx.Tx) (err error) {
		list, err = find(ctx, tx, f)
		return err
	})
	return list, err
}

// Within lists people within a transaction, for sums of what they did: in a group only with
// the accounts that it holds. more means that others follow. It returns directory.ErrNoGroup,
// and ErrNone where one person is asked for of whom no account is in scope.
func Within(ctx context.Context, tx pgx.Tx, f Filter) (list []Person, more bool, err error) {
	if f.Group != "" {
		g, err := directory.FindGroup(ctx, tx, f.Scope, f.Group)
		if err != nil {
			return nil, false, err
		}
		f.Scope, f.Group = directory.OfGroups([]int32{g.Key}), ""
	}
	if f.ID != 0 {
		p, err := Find(ctx, tx, f.Scope, f.ID)
		if err != nil || f.ID <= f.After {
			return nil, false, err
		}
		return []Person{p}, false, nil
	}
	n := f.Limit
	f.Limit++
	list, err = find(ctx, tx, f)
	if len(list) > n {
		return list[:n], true, err
	}
	return list, false, err
}

// IDs returns the ids of the people whom Within lists, in order, of at most f.Limit.
func IDs(ctx context.Context, tx pgx.Tx, f Filter) ([]int64, error) {
	sql, args := "SELECT DISTINCT person FROM account ORDER BY person LIMIT $1", []any{f.Limit}
	if f.Group != "" {
		g, err := directory.FindGroup(ctx, tx, f.Scope, f.Group)
		if err != nil {
			return nil, err
		}
		f.Scope = directory.OfGroups([]int32{g.Key})
	}
	if f.Scope.Limited() {
		sql = "SELECT DISTINCT a.person FROM group_member g JOIN account a ON a.machine = g.machine WHERE g.grp = ANY($2) ORDER BY a.person LIMIT $1"
		args = append(args, f.Scope.Groups)
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func find(ctx context.Context, tx pgx.Tx, f Filter) ([]Person, error) {
	if f.MachineID != "" {
		return findByAccount(ctx, tx, f)
	}
	within := f.Scope
	if f.Group != "" {
		g, err := directory.FindGroup(ctx, tx, f.Scope, f.Group)
		if err != nil {
			return nil, err
		}
		within = directory.OfGroups([]int32{g.Key})
	}
	var list []Person
	var err error
	switch {
	case f.Search != "":
		list, err = db.Collect[Person](ctx, tx, "looking for people", foundSQL, f.After, f.Limit, f.Search, within.Limited(), within.Groups)
	case within.Limited():
		list, err = db.Collect[Person](ctx, tx, "reading people of groups", ofGroupsSQL, f.After, f.Limit, within.Groups)
	default:
		list, err = db.Collect[Person](ctx, tx, "reading people", allSQL, f.After, f.Limit)
	}
	if err != nil {
		return nil, err
	}
	return list, addAccounts(ctx, tx, f.Scope, list)
}

// findByAccount returns the person of an account in scope, and in the group that is
// asked for, if any.
func findByAccount(ctx context.Context, tx pgx.Tx, f Filter) ([]Person, error) {
	machines, err := directory.FindMachines(ctx, tx, &directory.MachineFilter{Scope: f.Scope, Group: f.Group, MachineID: f.MachineID, Limit: 1})
	if err != nil || len(machines) == 0 || f.Limit < 1 {
		return nil, err
	}
	list, err := db.Collect[Person](ctx, tx, "reading the person of an account", `SELECT `+personColumns+`
		FROM account a JOIN person p ON p.id = a.person WHERE a.machine = $1 AND p.id > $2`, machines[0].Key, f.After)
	if err != nil {
		return nil, err
	}
	return list, addAccounts(ctx, tx, f.Scope, list)
}

// accountOf is an account of a person, and whether it is in scope.
type accountOf struct {
	Person  int64
	Visible bool
	directory.Machine
}

// addAccounts adds to people those of their accounts that are in scope.
func addAccounts(ctx context.Context, tx pgx.Tx, scope directory.Scope, list []Person) error {
	ids, place := make([]int64, len(list)), make(map[int64]*Person, len(list))
	for i := range list {
		ids[i], place[list[i].ID] = list[i].ID, &list[i]
	}
	all, err := accountsOf(ctx, tx, scope, ids)
	if err != nil {
		return err
	}
	for _, a := range all {
		if p := place[a.Person]; a.Visible {
			p.Accounts = append(p.Accounts, a.Machine)
		} else {
			p.Partial = true
		}
	}
	return nil
}

func accountsOf(ctx context.Context, tx pgx.Tx, scope directory.Scope, ids []int64) ([]accountOf, error) {
	rows, err := tx.Query(ctx, `SELECT a.person,
			NOT $2 OR coalesce(a.machine = ANY($4), false) OR EXISTS (SELECT FROM group_member g WHERE g.machine = a.machine AND g.grp = ANY($3)), `+directory.MachineColumns+`
		FROM unnest($1::bigint[]) i CROSS JOIN LATERAL (SELECT * FROM account WHERE person = i OFFSET 0) a
		CROSS JOIN LATERAL (SELECT * FROM machine WHERE id = a.machine OFFSET 0) m
		CROSS JOIN LATERAL (SELECT hostname FROM host WHERE id = m.host OFFSET 0) h
		ORDER BY a.person, m.machine_id`, ids, scope.Limited(), scope.Groups, scope.Machines)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[accountOf])
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	return all, nil
}

// ByID returns a person of whom an account is in scope, or ErrNone. Without a limit
// also one whose accounts have all been joined to others'.
func (p *People) ByID(ctx context.Context, scope directory.Scope, id int64) (Person, error) {
	var found Person
	err := p.db.Report(ctx, "looking up a person", func(tx pgx.Tx) (err error) {
		found, err = Find(ctx, tx, scope, id)
		return err
	})
	return found, err
}

// inScopeSQL selects a person, or nobody where none of their accounts is in scope: who has
// many out of it would take longer than nobody.
const inScopeSQL = "SELECT " + personColumns + ` FROM person p WHERE p.id = $1 AND (NOT $2 OR EXISTS (SELECT FROM account a
	WHERE a.person = p.id AND (a.machine = ANY($4) OR EXISTS (SELECT FROM group_member g WHERE g.machine = a.machine AND g.grp = ANY($3)))))`

// Find is ByID within a transaction.
func Find(ctx context.Context, tx pgx.Tx, scope directory.Scope, id int64) (Person, error) {
	list, err := db.Collect[Person](ctx, tx, "reading the person", inScopeSQL, id, scope.Limited(), scope.Groups, scope.Machines)
	if err == nil {
		err = addAccounts(ctx, tx, scope, list)
	}
	if err != nil {
		return Person{}, err
	}
	if len(list) == 0 || scope.Limited() && len(list[0].Accounts) == 0 {
		return Person{}, ErrNone
	}
	access.See(ctx, list[0].Keys()...)
	return list[0], nil
}

// SetLabel names a person of whom all accounts are in scope, and returns them; or ErrNone,
// or ErrPartial where some are: others read the name as well.
func (p *People) SetLabel(ctx context.Context, scope directory.Scope, id int64, label string) (Person, error) {
	var labelled Person
	err := p.db.Write(ctx, "labelling a person", func(tx pgx.Tx) (err error) {
		if labelled, err = Find(ctx, tx, scope, id); err != nil {
			return err
		}
		if labelled.Partial {
			return ErrPartial
		}
		labelled.Label = label
		n, err := db.Exec(ctx, tx, "updating", "UPDATE person SET label = $2 WHERE id = $1 AND label <> $2", id, label)
		if err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, labelled.become("person.labelled"))
	})
	return labelled, err
}

// become is the change that made a person what they are; machineIDs are accounts that it
// was about.
func (p *Person) become(what string, machineIDs ...string) audit.Change {
	c := audit.Change{What: what, ID: strconv.FormatInt(p.ID, 10), Name: p.Label}
	if len(machineIDs) > 0 {
		c.Details = map[string]string{"machine_ids": audit.Names(machineIDs...)}
	}
	return c
}
