package policies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
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
	// ErrUnconfirmed means that hosts would come under a rule for which nobody has
	// confirmed that they share a directory with the others.
	ErrUnconfirmed refusal = "hosts would come under the rule of equal user names, and nobody has confirmed that they share one directory with the others"
	// ErrRulesOfHost means that a host would be in two groups with a rule.
	ErrRulesOfHost refusal = "a host would be under the rule of equal user names of two host groups"
	// ErrGroupChanged means that a change is of another version than there is.
	ErrGroupChanged refusal = "the host group was changed since"
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
	// SameDirectory means that equal user names on its hosts are one person: an
	// administrator has confirmed that they share one directory, and so that the root of
	// each may name its accounts after users of all. ConfirmedAt is when; ConfirmedBy, who.
	SameDirectory bool
	ConfirmedAt   *time.Time
	ConfirmedBy   string
	// Version is of its hosts and its rule: as long as they are the same, it is.
	Version string `db:"-"`
}

// HostGroupChange is what a host group is to be.
type HostGroupChange struct {
	Name  string
	Hosts []string
	// SameDirectory confirms that all these hosts share one directory, or takes that back.
	// nil leaves it as it is; then no hosts may come to a group that has the rule.
	SameDirectory *bool
	// By is who does it, as the history keeps it.
	By string
	// Versions are those that the change may be of; nil: any.
	Versions []string
}

const hostGroupsSQL = `SELECT g.name, ARRAY(SELECT h.host_id FROM host_group_member m JOIN host h ON h.id = m.host
	WHERE m.grp = g.id ORDER BY h.host_id), g.confirmed_at IS NOT NULL, g.confirmed_at, g.confirmed_by
	FROM host_group g WHERE $1 IN ('', g.name) ORDER BY g.name`

// HostGroups lists all groups of hosts by name.
func (p *Policies) HostGroups(ctx context.Context) ([]HostGroup, error) {
	var list []HostGroup
	err := p.db.Read(ctx, "listing host groups", func(tx pgx.Tx) (err error) {
		list, err = readHostGroups(ctx, tx, "")
		return err
	})
	return list, err
}

// readHostGroups reads the one of a name, or all.
func readHostGroups(ctx context.Context, tx pgx.Tx, name string) ([]HostGroup, error) {
	list, err := db.Collect[HostGroup](ctx, tx, "reading", hostGroupsSQL, name)
	for i := range list {
		list[i].Version = list[i].version()
	}
	return list, err
}

func (g *HostGroup) version() string {
	const enough = 16
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %v", g.Hosts, g.ConfirmedAt != nil))
	return hex.EncodeToString(sum[:enough])
}

// checkVersion refuses a change of another version than there is.
func (c *HostGroupChange) checkVersion(ctx context.Context, tx pgx.Tx) error {
	if c.Versions == nil {
		return nil
	}
	is := api.NoHostGroupVersion
	list, err := readHostGroups(ctx, tx, c.Name)
	if len(list) > 0 {
		is = list[0].Version
	}
	if err == nil && !slices.Contains(c.Versions, is) {
		err = ErrGroupChanged
	}
	return err
}

func hostGroup(ctx context.Context, tx pgx.Tx, name string) (id int32, err error) {
	err = tx.QueryRow(ctx, "SELECT id FROM host_group WHERE name = $1", name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrNoHostGroup
	}
	return id, err
}

// SetHostGroup makes these hosts a group's, and no others; it makes the group where there
// is none. Where it has the rule of equal user names, or had it, the accounts of its hosts
// are joined and parted with it.
func (p *Policies) SetHostGroup(ctx context.Context, c HostGroupChange) error {
	return p.change(ctx, "setting a host group", func(tx pgx.Tx) error {
		if err := c.checkVersion(ctx, tx); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, "making it", `INSERT INTO host_group (name) SELECT $1
			WHERE (SELECT count(*) FROM host_group) < $2 ON CONFLICT DO NOTHING`, c.Name, MaxHostGroups)
		if err != nil {
			return err
		}
		id, err := hostGroup(ctx, tx, c.Name)
		if errors.Is(err, ErrNoHostGroup) {
			return ErrTooManyHostGroups
		}
		if err != nil {
			return err
		}
		if err := setHosts(ctx, tx, id, c); err != nil {
			return err
		}
		details := map[string]string{"hosts": strconv.Itoa(len(c.Hosts))}
		if c.SameDirectory != nil {
			details["same_directory"] = strconv.FormatBool(*c.SameDirectory)
		}
		return audit.Write(ctx, tx, audit.Change{What: "host_group.set", Name: c.Name, Details: details})
	})
}

// setHosts sets a group's hosts and its rule.
func setHosts(ctx context.Context, tx pgx.Tx, id int32, c HostGroupChange) error {
	if err := lockHosts(ctx, tx, c); err != nil {
		return err
	}
	before, err := membersOf(ctx, tx, id)
	if err != nil {
		return err
	}
	was, is, err := setRule(ctx, tx, id, c)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM host_group_member WHERE grp = $1", id)
	batch.Queue("INSERT INTO host_group_member (grp, host) SELECT $1, id FROM host WHERE host_id = ANY($2)", id, c.Hosts)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("setting its hosts: %w", err)
	}
	after, err := membersOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if is && c.SameDirectory == nil && slices.ContainsFunc(after, func(h int64) bool { return !contains(before, h) }) {
		return ErrUnconfirmed
	}
	if err := checkGroupsOf(ctx, tx, id); err != nil || !was && !is {
		return err
	}
	return applyRule(ctx, tx, append(before, after...))
}

// contains reports whether a sorted list has a host.
func contains(hosts []int64, h int64) bool {
	_, found := slices.BinarySearch(hosts, h)
	return found
}

func membersOf(ctx context.Context, tx pgx.Tx, id int32) (hosts []int64, err error) {
	err = tx.QueryRow(ctx, "SELECT coalesce(array_agg(host ORDER BY host), '{}') FROM host_group_member WHERE grp = $1", id).Scan(&hosts)
	if err != nil {
		return nil, fmt.Errorf("reading its hosts: %w", err)
	}
	return hosts, nil
}

// lockHosts checks that hosts exist, and locks those that may come under a rule. Whoever
// makes or names an account of theirs holds a lock on its host that this waits for, and
// reads rules only under it.
func lockHosts(ctx context.Context, tx pgx.Tx, c HostGroupChange) error {
	if c.SameDirectory != nil && *c.SameDirectory {
		if _, err := db.Exec(ctx, tx, "locking hosts", "SELECT FROM host WHERE host_id = ANY($1) ORDER BY id FOR UPDATE", c.Hosts); err != nil {
			return err
		}
	}
	var unknown string
	err := tx.QueryRow(ctx, `SELECT i FROM unnest($1::text[]) i WHERE NOT EXISTS (SELECT FROM host WHERE host_id = i) LIMIT 1`, c.Hosts).Scan(&unknown)
	switch {
	case err == nil:
		return NoHostError{unknown}
	case !errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("looking for unknown hosts: %w", err)
	}
	return nil
}

// setRule notes or takes back what was confirmed of a group, and returns whether it had the
// rule and has it.
func setRule(ctx context.Context, tx pgx.Tx, id int32, c HostGroupChange) (was, is bool, err error) {
	if err := tx.QueryRow(ctx, "SELECT confirmed_at IS NOT NULL FROM host_group WHERE id = $1", id).Scan(&was); err != nil {
		return false, false, fmt.Errorf("reading its rule: %w", err)
	}
	if c.SameDirectory == nil {
		return was, was, nil
	}
	_, err = db.Exec(ctx, tx, "setting its rule", `UPDATE host_group SET confirmed_at = CASE WHEN $2 THEN now() END, confirmed_by = CASE WHEN $2 THEN $3 ELSE '' END
		WHERE id = $1`, id, *c.SameDirectory, c.By)
	return was, *c.SameDirectory, err
}

// checkGroupsOf refuses where a group's host is in more groups than it may be.
func checkGroupsOf(ctx context.Context, tx pgx.Tx, id int32) error {
	var most, ruled int
	err := tx.QueryRow(ctx, `SELECT coalesce(max(n), 0), coalesce(max(ruled), 0) FROM (
			SELECT count(*) AS n, count(g.confirmed_at) AS ruled FROM host_group_member m JOIN host_group g ON g.id = m.grp
			WHERE m.host IN (SELECT host FROM host_group_member WHERE grp = $1) GROUP BY m.host) c`, id).Scan(&most, &ruled)
	switch {
	case err != nil:
		return fmt.Errorf("counting its hosts' groups: %w", err)
	case most > policy.MaxHostGroups:
		return ErrGroupsOfHost
	case ruled > 1:
		return ErrRulesOfHost
	}
	return nil
}

// applyRule applies the rules that there are now to the accounts of these hosts.
func applyRule(ctx context.Context, tx pgx.Tx, hosts []int64) error {
	_, err := db.Exec(ctx, tx, "joining and parting by user names", `SELECT apply_name_rule(ARRAY(
		SELECT a.machine FROM machine m JOIN account a ON a.machine = m.id WHERE m.host = ANY($1) AND a.name IS NOT NULL))`, hosts)
	return err
}

// RemoveHostGroup removes a group, or returns ErrNoHostGroup. Its policies stay in the
// history and hold for nobody.
func (p *Policies) RemoveHostGroup(ctx context.Context, name string) error {
	return p.change(ctx, "removing a host group", func(tx pgx.Tx) error {
		id, err := hostGroup(ctx, tx, name)
		if err != nil {
			return err
		}
		no := false
		if err := setHosts(ctx, tx, id, HostGroupChange{SameDirectory: &no}); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "deleting", "DELETE FROM host_group WHERE id = $1", id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "host_group.removed", Name: name})
	})
}
