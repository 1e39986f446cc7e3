package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

// MaxGroups is how many groups there may be: more than anyone can distinguish, and
// few enough to list.
const MaxGroups = 10_000

// groupsLock is the advisory lock under which groups are made, so that servers
// count them one after the other. Any fixed number would do.
const groupsLock = 0x7472_6163_6b67

// More refusals about groups.
const (
	// ErrGroupExists means that another group has that name.
	ErrGroupExists groupError = "a group of that name exists"
	// ErrTooManyGroups means that there are MaxGroups already.
	ErrTooManyGroups groupError = "there are too many groups"
	// ErrOfPerson means that a person in the group brings the machine.
	ErrOfPerson groupError = "a person in the group brings the machine"
	// ErrClosedMonths means that the group has closed months, which it would take with it.
	ErrClosedMonths groupError = "the group has closed months"
)

// Group is a group of machines.
type Group struct {
	// Key is the group's row.
	Key  int32
	Name string
	// Machines is how many it has.
	Machines  int32
	CreatedAt time.Time
}

const groupColumnList = "g.id, g.name, g.members, g.created_at"

// Groups lists up to limit groups in scope whose name is greater than after, by
// the bytes of the name.
func (d *Directory) Groups(ctx context.Context, scope Scope, after string, limit int) ([]Group, error) {
	var list []Group
	err := d.db.Read(ctx, "listing groups", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Group](ctx, tx, "reading", "SELECT "+groupColumnList+` FROM machine_group g
			WHERE g.name > $1 AND (NOT $3 OR g.id = ANY($4)) ORDER BY g.name LIMIT $2`, after, limit, scope.limited, scope.Groups)
		return err
	})
	return list, err
}

// GroupByName returns a group in scope, or ErrNoGroup.
func (d *Directory) GroupByName(ctx context.Context, scope Scope, name string) (Group, error) {
	var g Group
	err := d.db.Read(ctx, "looking up a group", func(tx pgx.Tx) (err error) {
		g, err = FindGroup(ctx, tx, scope, name)
		return err
	})
	return g, err
}

// FindGroup is GroupByName within a transaction.
func FindGroup(ctx context.Context, tx pgx.Tx, scope Scope, name string) (Group, error) {
	list, err := db.Collect[Group](ctx, tx, "looking up the group", "SELECT "+groupColumnList+` FROM machine_group g
		WHERE g.name = $1 AND (NOT $2 OR g.id = ANY($3))`, name, scope.limited, scope.Groups)
	if err != nil {
		return Group{}, err
	}
	if len(list) == 0 {
		return Group{}, ErrNoGroup
	}
	return list[0], nil
}

// LockGroup is FindGroup for a change: changes of one group follow each other.
func LockGroup(ctx context.Context, tx pgx.Tx, name string) (Group, error) {
	if _, err := db.Exec(ctx, tx, "locking the group", "SELECT FROM machine_group WHERE name = $1 FOR NO KEY UPDATE", name); err != nil {
		return Group{}, err
	}
	return FindGroup(ctx, tx, Scope{}, name)
}

// AddGroup makes a group unless there is one of that name, and reports whether it
// did. There may be MaxGroups; then it is ErrTooManyGroups.
func (d *Directory) AddGroup(ctx context.Context, name string) (g Group, made bool, err error) {
	err = d.db.Write(ctx, "making a group", func(tx pgx.Tx) error {
		if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(groupsLock)); err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "inserting", `INSERT INTO machine_group (name) SELECT $1
			WHERE (SELECT count(*) FROM machine_group) < $2 ON CONFLICT (name) DO NOTHING`, name, MaxGroups)
		if err != nil {
			return err
		}
		made = n == 1
		g, err = FindGroup(ctx, tx, Scope{}, name)
		if errors.Is(err, ErrNoGroup) {
			return ErrTooManyGroups
		}
		if err != nil || !made {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "group.created", Name: name})
	})
	return g, made, err
}

// RenameGroup renames a group, or returns ErrNoGroup or ErrGroupExists.
func (d *Directory) RenameGroup(ctx context.Context, name, to string) (Group, error) {
	var g Group
	err := d.db.Write(ctx, "renaming a group", func(tx pgx.Tx) (err error) {
		// The lock of those who make groups, too: two renamings to one name.
		if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(groupsLock)); err != nil {
			return err
		}
		if g, err = LockGroup(ctx, tx, name); err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "updating", `UPDATE machine_group SET name = $2
			WHERE id = $1 AND NOT EXISTS (SELECT FROM machine_group WHERE name = $2 AND id <> $1)`, g.Key, to)
		if err == nil && n == 0 {
			return ErrGroupExists
		}
		if err != nil {
			return err
		}
		g.Name = to
		return audit.Write(ctx, tx, audit.Change{What: "group.renamed", Name: name, Details: map[string]string{"to": to}})
	})
	return g, err
}

// RemoveGroup removes a group, or returns ErrNoGroup or ErrClosedMonths. Its machines stay;
// tokens that were limited to it see that much less.
func (d *Directory) RemoveGroup(ctx context.Context, name string) error {
	return d.db.Write(ctx, "removing a group", func(tx pgx.Tx) error {
		// Whoever closes a month of it ends before, or finds that it is gone.
		n, err := db.Exec(ctx, tx, "locking the group", "SELECT FROM machine_group WHERE name = $1 FOR UPDATE", name)
		if err == nil && n == 0 {
			return ErrNoGroup
		}
		if err != nil {
			return err
		}
		n, err = db.Exec(ctx, tx, "deleting", `DELETE FROM machine_group g WHERE name = $1
			AND NOT EXISTS (SELECT FROM month WHERE grp = g.id)`, name)
		if err == nil && n == 0 {
			return ErrClosedMonths
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "group.removed", Name: name})
	})
}

// AddMember puts a machine into a group, where it may be already. It returns
// ErrNoGroup, or ErrNotFound for the machine.
func (d *Directory) AddMember(ctx context.Context, group, machineID string) error {
	change := audit.Change{What: "group.machine_added", Details: map[string]string{"machine_id": machineID}}
	return d.changeGroup(ctx, "adding a machine to a group", group, &change, func(tx pgx.Tx, g Group) (int64, error) {
		m, err := FindMachine(ctx, tx, Scope{}, machineID)
		if err != nil {
			return 0, err
		}
		return putIn(ctx, tx, g, []string{m.MachineID})
	})
}

// putIn puts machines themselves into a locked group and returns how many it did not
// have, in the order that events lock machines in: the foreign key locks them too.
func putIn(ctx context.Context, tx pgx.Tx, g Group, machineIDs []string) (int64, error) {
	_, err := db.Exec(ctx, tx, "updating", `UPDATE group_member SET direct = true
		WHERE grp = $1 AND machine_id = ANY($2) AND NOT direct`, g.Key, machineIDs)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, "inserting", `INSERT INTO group_member (grp, machine_id, machine)
		SELECT $1, m.machine_id, m.id FROM machine m WHERE m.machine_id = ANY($2) ORDER BY m.id
		ON CONFLICT DO NOTHING`, g.Key, machineIDs)
}

// brought is whether a person in its group brings the group_member gm.
const brought = `EXISTS (SELECT FROM account a JOIN group_person p ON p.person = a.person WHERE a.machine = gm.machine AND p.grp = gm.grp)`

// takeOut takes machines themselves out of a locked group, and returns how many it does
// not have any more: those that people in it bring stay.
func takeOut(ctx context.Context, tx pgx.Tx, g Group, machineIDs []string) (int64, error) {
	_, err := db.Exec(ctx, tx, "updating", `UPDATE group_member gm SET direct = false
		WHERE grp = $1 AND machine_id = ANY($2) AND direct AND `+brought, g.Key, machineIDs)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, "deleting", `DELETE FROM group_member gm
		WHERE grp = $1 AND machine_id = ANY($2) AND NOT `+brought, g.Key, machineIDs)
}

// RemoveMember takes a machine out of a group, where it may not be. It returns
// ErrNoGroup, ErrNotFound where there is no such machine at all, or ErrOfPerson.
func (d *Directory) RemoveMember(ctx context.Context, group, machineID string) error {
	change := audit.Change{What: "group.machine_removed", Details: map[string]string{"machine_id": machineID}}
	return d.changeGroup(ctx, "taking a machine out of a group", group, &change, func(tx pgx.Tx, g Group) (int64, error) {
		if _, err := FindMachine(ctx, tx, Scope{}, machineID); err != nil {
			return 0, err
		}
		n, err := takeOut(ctx, tx, g, []string{machineID})
		if err != nil || n > 0 {
			return -n, err
		}
		left, err := db.Exec(ctx, tx, "looking again", "SELECT FROM group_member WHERE grp = $1 AND machine_id = $2", g.Key, machineID)
		if err == nil && left > 0 {
			return 0, ErrOfPerson
		}
		return 0, err
	})
}

// SetMembers makes these machines a group's, and no others but those that people in it
// bring. It returns how many the group has then and those that do not exist, which are
// left out; or it returns ErrNoGroup, or ErrNoneKnown where there are some and none
// exists: that is a list of something else, by which no group should lose its machines.
func (d *Directory) SetMembers(ctx context.Context, group string, machineIDs []string) (count int, unknown []string, err error) {
	change := audit.Change{What: "group.machines_set"}
	err = d.changeGroup(ctx, "setting a group's machines", group, &change, func(tx pgx.Tx, g Group) (int64, error) {
		rows, err := tx.Query(ctx, `SELECT i FROM unnest($1::text[]) i
			WHERE NOT EXISTS (SELECT FROM machine m WHERE m.machine_id = i) GROUP BY i ORDER BY i COLLATE "C"`, machineIDs)
		if err != nil {
			return 0, fmt.Errorf("looking for unknown machines: %w", err)
		}
		if unknown, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return 0, fmt.Errorf("looking for unknown machines: %w", err)
		}
		known := func(id string) bool {
			_, found := slices.BinarySearch(unknown, id)
			return !found
		}
		if len(machineIDs) > 0 && !slices.ContainsFunc(machineIDs, known) {
			return 0, ErrNoneKnown
		}
		// Not by <> ALL: a plan that is kept for any list compares each with each.
		others, err := tx.Query(ctx, "SELECT machine_id FROM group_member WHERE grp = $1 AND direct EXCEPT SELECT unnest($2::text[])", g.Key, machineIDs)
		if err != nil {
			return 0, fmt.Errorf("looking who leaves: %w", err)
		}
		leaving, err := pgx.CollectRows(others, pgx.RowTo[string])
		if err != nil {
			return 0, fmt.Errorf("looking who leaves: %w", err)
		}
		gone, err := takeOut(ctx, tx, g, leaving)
		if err != nil {
			return 0, err
		}
		come, err := putIn(ctx, tx, g, machineIDs)
		count = int(g.Machines) + int(come-gone)
		change.Details = map[string]string{"added": strconv.FormatInt(come, 10), "removed": strconv.FormatInt(gone, 10), "machines": strconv.Itoa(count)}
		return come - gone, err
	})
	return count, unknown, err
}

// changeGroup changes a locked group's members; do returns by how many. What changes
// nothing is not written down.
func (d *Directory) changeGroup(ctx context.Context, what, name string, change *audit.Change, do func(pgx.Tx, Group) (int64, error)) error {
	change.Name = name
	return d.db.Write(ctx, what, func(tx pgx.Tx) error {
		g, err := LockGroup(ctx, tx, name)
		if err != nil {
			return err
		}
		n, err := do(tx, g)
		if err != nil {
			return err
		}
		if n != 0 {
			if _, err = db.Exec(ctx, tx, "counting", "UPDATE machine_group SET members = members + $2 WHERE id = $1", g.Key, n); err != nil {
				return err
			}
		}
		if n == 0 && (change.Details["added"] == "" || change.Details["added"] == "0") {
			return nil
		}
		return audit.Write(ctx, tx, *change)
	})
}
