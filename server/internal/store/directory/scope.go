package directory

import (
	"context"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
)

// Scope is which machines a caller may see: the zero value is all of them, any
// other those of some groups. What is out of scope looks like what does not exist,
// and takes as long to look for.
type Scope struct {
	limited bool
	Groups  []int32
	// Machines are the accounts that somebody may see as their own, by their rows. They
	// are found as those of a person, and in no list.
	Machines []int32
}

// Nothing is the scope of a caller who may see no machine.
func Nothing() Scope { return Scope{limited: true} }

// OfGroups is the scope of a caller who may see the machines of these groups alone.
func OfGroups(keys []int32) Scope { return Scope{limited: true, Groups: keys} }

// OfMachines is the scope of a caller who may see these accounts of a person alone.
func OfMachines(keys []int32) Scope { return Scope{limited: true, Machines: keys} }

// Limited reports whether there may be machines out of scope.
func (s Scope) Limited() bool { return s.limited }

// groupError is a refusal about groups.
type groupError string

func (e groupError) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (groupError) Decided() {}

// ErrNoGroup means that there is no such group, or none in scope.
const ErrNoGroup groupError = "there is no such group"

// ErrNoneKnown means that of the machines that a group was to have none exists.
const ErrNoneKnown groupError = "none of the machines exists"

// MachineFilter is which machines are asked for, in the order of machine_id by
// bytes. What is empty is not asked about.
type MachineFilter struct {
	Scope Scope
	// MachineID is the one machine that is asked for.
	MachineID string
	// Group is a group's name.
	Group string
	// After is the machine_id of the last machine of the page before.
	After string
	// Limit is how many machines at most; it must be given.
	Limit int
}

// within returns the scope of what is asked for: the group's, if one is named, or
// ErrNoGroup where it is out of scope.
func (f *MachineFilter) within(ctx context.Context, tx pgx.Tx) (Scope, error) {
	if f.Group == "" {
		return f.Scope, nil
	}
	g, err := FindGroup(ctx, tx, f.Scope, f.Group)
	return Scope{limited: true, Groups: []int32{g.Key}}, err
}

// Both queries fetch rows one by one through keys (OFFSET 0 keeps PostgreSQL from
// joining otherwise): a page costs the same wherever it lies and however many
// machines there are. In the second each group adds its next machines, of which
// the first are taken.
const (
	machinesSQL = `SELECT ` + MachineColumns + ` FROM (
			SELECT * FROM machine WHERE machine_id > $1 ORDER BY machine_id LIMIT $2
		) m CROSS JOIN LATERAL (SELECT hostname FROM host WHERE id = m.host OFFSET 0) h
		ORDER BY m.machine_id`
	groupMachinesSQL = `SELECT ` + MachineColumns + ` FROM (
			SELECT DISTINCT ON (n.machine_id) n.machine_id, n.machine
			FROM unnest($3::int[]) g CROSS JOIN LATERAL (
				SELECT machine_id, machine FROM group_member
				WHERE grp = g AND machine_id > $1 ORDER BY machine_id LIMIT $2
			) n ORDER BY n.machine_id LIMIT $2
		) p CROSS JOIN LATERAL (SELECT * FROM machine WHERE id = p.machine OFFSET 0) m
		CROSS JOIN LATERAL (SELECT hostname FROM host WHERE id = m.host OFFSET 0) h
		ORDER BY p.machine_id`
)

// FindMachines returns the machines that are asked for, or ErrNoGroup.
func FindMachines(ctx context.Context, tx pgx.Tx, f *MachineFilter) ([]Machine, error) {
	scope, err := f.within(ctx, tx)
	if err != nil {
		return nil, err
	}
	switch {
	case f.MachineID != "":
		if f.MachineID <= f.After || f.Limit < 1 {
			return nil, nil
		}
		return machinesByID(ctx, tx, scope, f.MachineID)
	case scope.limited:
		return db.Collect[Machine](ctx, tx, "reading machines of groups", groupMachinesSQL, f.After, f.Limit, scope.Groups)
	default:
		return db.Collect[Machine](ctx, tx, "reading machines", machinesSQL, f.After, f.Limit)
	}
}

// machinesByID returns the machine of that name, if there is one in scope. A limited
// scope begins at the groups, so that a machine elsewhere takes as long to find as
// one that does not exist.
func machinesByID(ctx context.Context, tx pgx.Tx, scope Scope, machineID string) ([]Machine, error) {
	const what = "looking up the machine"
	if !scope.limited {
		return db.Collect[Machine](ctx, tx, what, `SELECT `+MachineColumns+`
			FROM machine m JOIN host h ON h.id = m.host WHERE m.machine_id = $1`, machineID)
	}
	return db.Collect[Machine](ctx, tx, what, `SELECT `+MachineColumns+`
		FROM (SELECT machine FROM group_member WHERE grp = ANY($2) AND machine_id = $1 LIMIT 1) g
		JOIN machine m ON m.id = g.machine JOIN host h ON h.id = m.host`, machineID, scope.Groups)
}

// FindMachine is machinesByID for one that there must be, or ErrNotFound. It is noted
// that the answer is about it.
func FindMachine(ctx context.Context, tx pgx.Tx, scope Scope, machineID string) (Machine, error) {
	list, err := machinesByID(ctx, tx, scope, machineID)
	if err != nil {
		return Machine{}, err
	}
	if len(list) == 0 {
		return Machine{}, db.ErrNotFound
	}
	access.See(ctx, list[0].Key)
	return list[0], nil
}
