package policies

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
)

// Hours are the work hours that policy has had for hosts: accounts whose hosts are in the
// same groups share them.
type Hours struct {
	// Of is which of Held is that of an account, by machine_id.
	Of map[string]int
	// Held are versions, with nothing but work hours; those of before and to come as well.
	Held []policy.Reply
}

// hoursOnly is a policy's document without what is not about work hours.
const hoursOnly = "json_build_object('work_hours', p.document->'work_hours')"

// HoursOf returns the work hours of accounts. Which groups a host was in before is not known:
// it is as it is now.
func (p *Policies) HoursOf(ctx context.Context, machineIDs []string) (Hours, error) {
	h := Hours{Of: map[string]int{}}
	err := p.db.Read(ctx, "reading work hours", func(tx pgx.Tx) error {
		list, err := read(ctx, tx, hoursOnly, "WHERE p.host_group IS NULL OR p.grp IS NOT NULL ORDER BY p.version")
		if err != nil {
			return err
		}
		type account struct {
			MachineID string
			Groups    []string
		}
		accounts, err := db.Collect[account](ctx, tx, "reading groups of hosts", `SELECT m.machine_id, ARRAY(SELECT g.name FROM host_group_member o
			JOIN host_group g ON g.id = o.grp WHERE o.host = m.host ORDER BY g.name) FROM machine m WHERE m.machine_id = ANY($1)`, machineIDs)
		if err != nil {
			return fmt.Errorf("reading accounts: %w", err)
		}
		known := map[string]int{}
		for _, a := range accounts {
			key := strings.Join(a.Groups, "\x00")
			i, found := known[key]
			if !found {
				i = len(h.Held)
				known[key], h.Held = i, append(h.Held, heldBy(list, a.Groups))
			}
			h.Of[a.MachineID] = i
		}
		return nil
	})
	return h, err
}

// HostHours are the work hours that policy has for hosts.
type HostHours struct {
	// Of is which of Held is that of a host, by its row; those that it lacks have the first.
	Of map[int64]int
	// Held are versions, with nothing but work hours.
	Held []policy.Reply
}

// HostHours returns the work hours of all hosts.
func (p *Policies) HostHours(ctx context.Context) (HostHours, error) {
	h := HostHours{Of: map[int64]int{}}
	err := p.db.Read(ctx, "reading work hours", func(tx pgx.Tx) error {
		list, err := read(ctx, tx, hoursOnly, "WHERE p.host_group IS NULL OR p.grp IS NOT NULL ORDER BY p.version")
		if err != nil {
			return err
		}
		hosts, err := db.Collect[struct {
			Host   int64
			Groups []string
		}](ctx, tx, "reading groups of hosts", `SELECT m.host, array_agg(g.name ORDER BY g.name) FROM host_group_member m
			JOIN host_group g ON g.id = m.grp GROUP BY m.host`)
		if err != nil {
			return fmt.Errorf("reading hosts: %w", err)
		}
		h.Held = []policy.Reply{heldBy(list, nil)}
		known := map[string]int{}
		for _, host := range hosts {
			key := strings.Join(host.Groups, "\x00")
			i, found := known[key]
			if !found {
				i = len(h.Held)
				known[key], h.Held = i, append(h.Held, heldBy(list, host.Groups))
			}
			h.Of[host.Host] = i
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
