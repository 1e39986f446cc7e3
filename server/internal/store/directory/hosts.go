package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

// HostState is an enrolled host as its administrator sees it.
type HostState struct {
	HostID   string `json:"host_id"`
	Hostname string `json:"hostname"`
	// Label is what an administrator calls it; the host can't change that.
	Label string `json:"label"`
	// Kind is what enrolled: the whole host, or one person without root.
	Kind       api.EnrollKind `json:"kind"`
	EnrolledAt time.Time      `json:"enrolled_at"`
	// Machines is how many machine_ids it has reported.
	Machines int64 `json:"machines"`
	// LastSeen is when its newest event ended; nil before the first.
	LastSeen *time.Time `json:"last_seen"`
	// Revoked means that it has no credential any more.
	Revoked bool `json:"revoked"`
	// Used means that its present credential was used.
	Used bool `json:"-"`
	// LastUpload is when it last sent something, LastContact when it was last heard; nil
	// where that is not known.
	LastUpload  *time.Time `json:"last_upload"`
	LastContact *time.Time `json:"last_contact"`
	// AgentVersion is its agent's; empty where it reports none, and then neither the rest.
	AgentVersion string `json:"agent_version"`
	// ClockOffset is by how many seconds its clock is ahead.
	ClockOffset *int64 `json:"clock_offset_seconds"`
	// Unseen is what cannot be seen there; nil where that is not known.
	Unseen []api.Unseen `json:"unseen"`
	// AgentOutdated means that another host has a newer agent.
	AgentOutdated bool `json:"agent_outdated" db:"-"`
}

const selectHosts = `SELECT h.host_id, h.hostname, h.label, h.kind, h.enrolled_at, m.machines, m.last_seen,
		c.id IS NULL, c.first_used_at IS NOT NULL,
		b.upload_at, b.contact_at, coalesce(b.agent_version, ''), CASE WHEN b.agent_version <> '' THEN b.clock_offset END,
		CASE WHEN b.agent_version <> '' THEN string_to_array(b.unseen, ',') END
	FROM host h LEFT JOIN host_credential c ON c.host = h.id LEFT JOIN host_heartbeat b ON b.host = h.id
		CROSS JOIN LATERAL (SELECT count(*) AS machines, max(last_seen) AS last_seen FROM machine WHERE host = h.id) m `

// selectVersions reads which versions the agents have of hosts that are in use: a host that
// reports a version that there is not is as good as any, until it is revoked. It goes from
// one version to the next, of which there are few, along their index, and bounds them, as
// hosts report what they like.
const selectVersions = `WITH RECURSIVE next AS (
		SELECT min(agent_version) AS version FROM host_heartbeat WHERE agent_version > ''
		UNION ALL SELECT (SELECT min(b.agent_version) FROM host_heartbeat b WHERE b.agent_version > next.version) FROM next WHERE next.version IS NOT NULL
	), versions AS (SELECT version FROM next WHERE version IS NOT NULL LIMIT 1000)
	SELECT version FROM versions v WHERE (SELECT true FROM host_heartbeat b JOIN host_credential c ON c.host = b.host
		WHERE b.agent_version = v.version AND b.contact_at > now() - interval '30 days' LIMIT 1)`

// readHosts reads hosts, which tail chooses and puts in order.
func readHosts(ctx context.Context, tx pgx.Tx, tail string, args ...any) ([]HostState, error) {
	list, err := db.Collect[HostState](ctx, tx, "reading", selectHosts+tail, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	rows, err := tx.Query(ctx, selectVersions)
	if err != nil {
		return nil, fmt.Errorf("reading the versions of agents: %w", err)
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading the versions of agents: %w", err)
	}
	newest := newestVersion(versions)
	for i := range list {
		list[i].AgentOutdated = isOlder(list[i].AgentVersion, newest)
	}
	return list, nil
}

// Hosts lists all enrolled hosts by host_id.
func (d *Directory) Hosts(ctx context.Context) ([]HostState, error) {
	var list []HostState
	err := d.db.Read(ctx, "listing the hosts", func(tx pgx.Tx) (err error) {
		list, err = readHosts(ctx, tx, "ORDER BY h.host_id")
		return err
	})
	return list, err
}

// HostsAfter lists hosts by host_id, those after that one, at most so many; where search is
// not empty only those with it in what they are called.
func (d *Directory) HostsAfter(ctx context.Context, after, search string, limit int) ([]HostState, error) {
	var list []HostState
	err := d.db.Read(ctx, "listing hosts", func(tx pgx.Tx) (err error) {
		list, err = readHosts(ctx, tx, `WHERE h.host_id > $1
			AND ($3 = '' OR strpos(lower(concat_ws(E'\n', h.host_id, h.hostname, h.label) COLLATE "default"), lower($3)) > 0)
			ORDER BY h.host_id LIMIT $2`, after, limit, search)
		return err
	})
	return list, err
}

// HostByID returns a host, or ErrNotFound.
func (d *Directory) HostByID(ctx context.Context, hostID string) (HostState, error) {
	var host HostState
	err := d.db.Read(ctx, "looking up a host", func(tx pgx.Tx) (err error) {
		host, err = oneHost(ctx, tx, hostID)
		return err
	})
	return host, err
}

// RenameHost sets the name that a host is shown by; its machine_ids stay.
func (d *Directory) RenameHost(ctx context.Context, host int64, name string) error {
	return d.db.Write(ctx, "renaming a host", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "setting its name", "UPDATE host SET hostname = $2 WHERE id = $1 AND hostname <> $2", host, name)
		return err
	})
}

// LabelHost sets what a host is called, whatever it calls itself, and returns the host, or
// ErrNotFound.
func (d *Directory) LabelHost(ctx context.Context, hostID, label string) (HostState, error) {
	var host HostState
	err := d.db.Write(ctx, "labelling a host", func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "setting its label", "UPDATE host SET label = $2 WHERE host_id = $1 AND label <> $2", hostID, label)
		if err != nil {
			return err
		}
		if host, err = oneHost(ctx, tx, hostID); err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "host.labelled", Name: hostID, Details: map[string]string{"label": label}})
	})
	return host, err
}

// oneHost returns a host, or ErrNotFound.
func oneHost(ctx context.Context, tx pgx.Tx, hostID string) (HostState, error) {
	list, err := readHosts(ctx, tx, "WHERE h.host_id = $1", hostID)
	if err == nil && len(list) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return HostState{}, err
	}
	return list[0], nil
}

// RevokeHost ends a host's credential and returns the host, or ErrNotFound. Its
// data stays its own. The token that it was enrolled with no longer enrols it for
// free, as it does where a reply got lost: from now on that takes one made for it.
func (d *Directory) RevokeHost(ctx context.Context, hostID string) (HostState, error) {
	var host HostState
	err := d.db.Write(ctx, "revoking a host", func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "forgetting its enrolment", "UPDATE host SET enrollment = '' WHERE host_id = $1", hostID)
		if err != nil {
			return err
		}
		if n == 0 {
			return db.ErrNotFound
		}
		_, err = db.Exec(ctx, tx, "deleting its credential",
			"DELETE FROM host_credential WHERE host = (SELECT id FROM host WHERE host_id = $1)", hostID)
		if err != nil {
			return err
		}
		if host, err = oneHost(ctx, tx, hostID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "host.revoked", Name: hostID})
	})
	return host, err
}
