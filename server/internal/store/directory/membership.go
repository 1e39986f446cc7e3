package directory

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// maxMembership bounds the groups that are shown of a machine: more than anyone puts
// it into, and a page of 1,000 machines that are all in 10,000 groups can be sent.
const maxMembership = 100

// membershipSQL returns the groups of each machine that is in any; of a caller's
// groups alone, where these are given. Like a page of machines it goes row by row
// through a key. Names are not joined: that took half as long again, and the
// machines of a page share few groups.
const membershipSQL = `SELECT m, n.grp FROM unnest($1::int[]) m CROSS JOIN LATERAL (
		SELECT grp FROM group_member WHERE machine = m AND (NOT $2 OR grp = ANY($3)) LIMIT $4
	) n`

// membership means that a machine is in a group, both by their rows.
type membership struct{ Machine, Group int32 }

// tellMembership adds to each machine the groups in scope that it is in.
func tellMembership(ctx context.Context, tx pgx.Tx, scope Scope, machines []Machine) error {
	place := make(map[int32]*Machine, len(machines))
	keys := make([]int32, len(machines))
	for i := range machines {
		keys[i], place[machines[i].Key] = machines[i].Key, &machines[i]
	}
	all, err := db.Collect[membership](ctx, tx, "reading which groups machines are in", membershipSQL, keys, scope.limited, scope.Groups, maxMembership)
	if err != nil || len(all) == 0 {
		return err
	}
	members := map[int32][]*Machine{}
	for _, m := range all {
		members[m.Group] = append(members[m.Group], place[m.Machine])
	}
	groups, err := db.Collect[Group](ctx, tx, "reading the groups of machines", "SELECT "+groupColumnList+` FROM machine_group g
		WHERE g.id = ANY($1) ORDER BY g.name`, slices.Collect(maps.Keys(members)))
	for _, g := range groups {
		for _, m := range members[g.Key] {
			m.Groups = append(m.Groups, g.Name)
		}
	}
	return err
}
