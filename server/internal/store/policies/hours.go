package policies

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
)

// HoursBy are the work hours that policy has had for hosts, of those before and to come as
// well: those that are in the same groups share them.
type HoursBy[K comparable] struct {
	// Of is which of Held is that of each.
	Of map[K]int
	// Held are versions, with nothing but work hours.
	Held []policy.Reply
}

type (
	// Hours are those of accounts, by machine_id.
	Hours = HoursBy[string]
	// HostHours are those of hosts in groups, by their row. Others have the first of Held.
	HostHours = HoursBy[int64]
)

// hoursOnly is a policy's document without what is not about work hours.
const hoursOnly = "json_build_object('work_hours', p.document->'work_hours')"

// HoursOf returns the work hours of accounts. Which groups a host was in before is not known:
// it is as it is now.
func (p *Policies) HoursOf(ctx context.Context, machineIDs []string) (Hours, error) {
	return readHours(ctx, p.db, Hours{Of: map[string]int{}}, nil, `SELECT m.machine_id, ARRAY(SELECT g.name FROM host_group_member o
		JOIN host_group g ON g.id = o.grp WHERE o.host = m.host ORDER BY g.name) FROM machine m WHERE m.machine_id = ANY($1)`, machineIDs)
}

// HostHours returns the work hours of all hosts.
func (p *Policies) HostHours(ctx context.Context) (HostHours, error) {
	noGroups := []string{}
	return readHours(ctx, p.db, HostHours{Of: map[int64]int{}}, [][]string{noGroups}, `SELECT m.host, array_agg(g.name ORDER BY g.name) FROM host_group_member m
		JOIN host_group g ON g.id = m.grp GROUP BY m.host`)
}

// readHours adds to h what is held by the groups of each first, and then by those of the rows
// that a statement has of somebody and their groups.
func readHours[K comparable](ctx context.Context, d *db.DB, h HoursBy[K], first [][]string, sql string, args ...any) (HoursBy[K], error) {
	err := d.Read(ctx, "reading work hours", func(tx pgx.Tx) error {
		list, err := read(ctx, tx, hoursOnly, "WHERE p.host_group IS NULL OR p.grp IS NOT NULL ORDER BY p.version")
		if err != nil {
			return err
		}
		type member struct {
			Who    K
			Groups []string
		}
		members, err := db.Collect[member](ctx, tx, "reading groups of hosts", sql, args...)
		if err != nil {
			return err
		}
		known := map[string]int{}
		place := func(groups []string) int {
			key := strings.Join(groups, "\x00")
			i, found := known[key]
			if !found {
				i = len(h.Held)
				known[key], h.Held = i, append(h.Held, heldBy(list, groups))
			}
			return i
		}
		for _, groups := range first {
			place(groups)
		}
		for _, m := range members {
			h.Of[m.Who] = place(m.Groups)
		}
		return nil
	})
	return h, err
}

// heldBy returns the versions for hosts of some groups.
func heldBy(list []Version, groups []string) (reply policy.Reply) {
	for i := range list {
		if v := &list[i].Version; v.HostGroup == nil || slices.Contains(groups, *v.HostGroup) {
			reply.Policies = append(reply.Policies, *v)
		}
	}
	return reply
}
