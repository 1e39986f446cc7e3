package policies

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// MaxHostGroups is how many there may be: more than anyone can distinguish.
	MaxHostGroups = 1000
	// MaxGroupHosts is how many hosts one may have.
	MaxGroupHosts = 10_000
)

// What is refused about groups of hosts.
const (
	ErrNoHostGroup       refusal = "there is no such host group"
	ErrTooManyHostGroups refusal = "there are as many host groups as there may be"
	ErrGroupsOfHost      refusal = "a host would be in more host groups than it may be"
)

// NoHostError names a host that does not exist.
type NoHostError struct{ HostID string }

func (e NoHostError) Error() string { return fmt.Sprintf("there is no host %q", e.HostID) }

// Decided makes it a db.Decision.
func (NoHostError) Decided() {}

// HostGroup is a group of hosts.
type HostGroup struct {
	Name string
	// Hosts are host_ids.
	Hosts []string
}

// HostGroups lists all groups of hosts by name.
func (p *Policies) HostGroups(ctx context.Context) ([]HostGroup, error) {
	var list []HostGroup
	err := p.db.Read(ctx, "listing host groups", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[HostGroup](ctx, tx, "reading", `SELECT g.name, ARRAY(SELECT h.host_id FROM host_group_member m JOIN host h ON h.id = m.host
			WHERE m.grp = g.id ORDER BY h.host_id) FROM host_group g ORDER BY g.name`)
		return err
	})
	return list, err
}

func hostGroup(ctx context.Context, tx pgx.Tx, name string) (id int32, err error) {
	err = tx.QueryRow(ctx, "SELECT id FROM host_group WHERE name = $1", name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrNoHostGroup
	}
	return id, err
}

// SetHostGroup makes these hosts a group's, and no others; it makes the group where there
// is none.
func (p *Policies) SetHostGroup(ctx context.Context, name string, hostIDs []string) error {
	return p.change(ctx, "setting a host group", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "making it", `INSERT INTO host_group (name) SELECT $1
			WHERE (SELECT count(*) FROM host_group) < $2 ON CONFLICT DO NOTHING`, name, MaxHostGroups)
		if err != nil {
			return err
		}
		id, err := hostGroup(ctx, tx, name)
		if errors.Is(err, ErrNoHostGroup) {
			return ErrTooManyHostGroups
		}
		if err != nil {
			return err
		}
		var unknown string
		err = tx.QueryRow(ctx, `SELECT i FROM unnest($1::text[]) i WHERE NOT EXISTS (SELECT FROM host WHERE host_id = i) LIMIT 1`, hostIDs).Scan(&unknown)
		if err == nil {
			return NoHostError{unknown}
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("looking for unknown hosts: %w", err)
		}
		if err := setHosts(ctx, tx, id, hostIDs); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "host_group.set", Name: name, Details: map[string]string{"hosts": strconv.Itoa(len(hostIDs))}})
	})
}

func setHosts(ctx context.Context, tx pgx.Tx, id int32, hostIDs []string) error {
	if _, err := db.Exec(ctx, tx, "taking hosts out", "DELETE FROM host_group_member WHERE grp = $1", id); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, "putting hosts in", `INSERT INTO host_group_member (grp, host)
		SELECT $1, id FROM host WHERE host_id = ANY($2)`, id, hostIDs)
	if err != nil {
		return err
	}
	var most int
	err = tx.QueryRow(ctx, `SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM host_group_member
		WHERE host IN (SELECT host FROM host_group_member WHERE grp = $1) GROUP BY host) c`, id).Scan(&most)
	if err == nil && most > policy.MaxHostGroups {
		return ErrGroupsOfHost
	}
	return err
}

// RemoveHostGroup removes a group, or returns ErrNoHostGroup. Its policies stay in the
// history and hold for nobody.
func (p *Policies) RemoveHostGroup(ctx context.Context, name string) error {
	return p.change(ctx, "removing a host group", func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "deleting", "DELETE FROM host_group WHERE name = $1", name)
		if err == nil && n == 0 {
			return ErrNoHostGroup
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "host_group.removed", Name: name})
	})
}
