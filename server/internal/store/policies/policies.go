// Package policies keeps what may be measured: versions of policies, the groups of hosts
// that they are for, and who has read which notice.
package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// MaxVersions bounds how many there may ever be, as none is deleted.
	MaxVersions = 100_000
	// revisionFor is for how long a revision that was read is taken as the present one:
	// hosts that upload ask for it each time.
	revisionFor = 2 * time.Second
	// revisionTimeout bounds reading it: events are stored by then, and their reply waits.
	revisionTimeout = time.Second
)

// Policies are those of one database.
type Policies struct {
	db *db.DB

	mu       sync.Mutex
	revision int64
	readAt   time.Time
}

// New returns the policies of a database.
func New(d *db.DB) *Policies { return &Policies{db: d} }

type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	ErrNone        refusal = "there is no such version"
	ErrChanged     refusal = "another version was written meanwhile"
	ErrPast        refusal = "a version can't hold from a moment in the past on"
	ErrTooManyNext refusal = "as many versions as there may be wait for their moment"
	ErrTooMany     refusal = "there are as many versions as there may be"
)

// Version is a policy as it was written, with when and by whom.
type Version struct {
	policy.Version

	CreatedAt time.Time
	Author    string
	// Holds means that it is in force: its moment has come, and no later one's has.
	Holds bool
}

// Draft is a version to be written.
type Draft struct {
	// HostGroup is nil for all hosts.
	HostGroup *string
	// ValidFrom is the moment from which on it holds; zero means now.
	ValidFrom time.Time
	Policy    policy.Document
	Author    string
}

// holds is true of a row p whose version is in force.
const holds = `(p.valid_from <= now() AND (p.host_group IS NULL OR p.grp IS NOT NULL) AND NOT EXISTS (SELECT FROM policy n
	WHERE n.grp IS NOT DISTINCT FROM p.grp AND (n.host_group IS NULL) = (p.host_group IS NULL) AND n.valid_from <= now()
		AND (n.valid_from, n.version) > (p.valid_from, p.version)))`

const selectVersions = `SELECT p.version, p.host_group, p.valid_from, p.created_at, p.author, ` + holds + `, %s FROM policy p `

// read reads versions; where follows the query.
func read(ctx context.Context, tx pgx.Tx, document, where string, args ...any) ([]Version, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(selectVersions, document)+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
		var raw []byte
		if err := row.Scan(&v.Version.Version, &v.HostGroup, &v.ValidFrom, &v.CreatedAt, &v.Author, &v.Holds, &raw); err != nil {
			return v, err
		}
		v.ValidFrom, v.CreatedAt = v.ValidFrom.UTC(), v.CreatedAt.UTC()
		if raw == nil {
			return v, nil
		}
		if err := json.Unmarshal(raw, &v.Policy); err != nil {
			return v, fmt.Errorf("reading version %d as it is stored: %w", v.Version.Version, err)
		}
		return v, nil
	})
}

// List returns up to limit versions without their policies, the newest first, of those
// before a version (0: all), and the number of the newest of all.
func (p *Policies) List(ctx context.Context, before int64, limit int) (list []Version, newest int64, err error) {
	err = p.db.Read(ctx, "listing policies", func(tx pgx.Tx) (err error) {
		if newest, err = newestOf(ctx, tx); err != nil {
			return err
		}
		list, err = read(ctx, tx, "NULL::json", "WHERE $1 = 0 OR p.version < $1 ORDER BY p.version DESC LIMIT $2", before, limit)
		return err
	})
	return list, newest, err
}

func newestOf(ctx context.Context, tx pgx.Tx) (newest int64, err error) {
	err = tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM policy").Scan(&newest)
	return newest, err
}

// ByVersion returns a version, or ErrNone.
func (p *Policies) ByVersion(ctx context.Context, version int64) (Version, error) {
	return p.one(ctx, "WHERE p.version = $1", version)
}

// InForce returns the version that is in force for all hosts (nil) or for a group, or
// ErrNone.
func (p *Policies) InForce(ctx context.Context, group *string) (Version, error) {
	return p.one(ctx, "WHERE p.host_group IS NOT DISTINCT FROM $1 AND "+holds, group)
}

func (p *Policies) one(ctx context.Context, where string, arg any) (found Version, err error) {
	err = p.db.Read(ctx, "looking up a policy", func(tx pgx.Tx) error {
		list, err := read(ctx, tx, "p.document", where, arg)
		if err == nil && len(list) == 0 {
			return ErrNone
		}
		if err == nil {
			found = list[0]
		}
		return err
	})
	return found, err
}

// Add writes a version, if the newest there is is one of these; nil is any. Else it is
// ErrChanged.
func (p *Policies) Add(ctx context.Context, draft Draft, newest []int64) (added Version, err error) {
	raw, err := json.Marshal(draft.Policy)
	if err != nil {
		return added, fmt.Errorf("writing a policy: %w", err)
	}
	err = p.change(ctx, "writing a policy", func(tx pgx.Tx) error {
		last, err := newestOf(ctx, tx)
		if err != nil {
			return err
		}
		if newest != nil && !slices.Contains(newest, last) {
			return ErrChanged
		}
		if last >= MaxVersions {
			return ErrTooMany
		}
		if err := insert(ctx, tx, draft, last+1, raw); err != nil {
			return err
		}
		list, err := read(ctx, tx, "p.document", "WHERE p.version = $1", last+1)
		if err != nil {
			return err
		}
		if len(list) == 1 {
			added = list[0]
		}
		change := audit.Change{What: "policy.written", ID: strconv.FormatInt(last+1, 10)}
		if draft.HostGroup != nil {
			change.Details = map[string]string{"host_group": *draft.HostGroup}
		}
		return audit.Write(ctx, tx, change)
	})
	return added, err
}

func insert(ctx context.Context, tx pgx.Tx, draft Draft, version int64, raw []byte) error {
	var grp *int32
	if draft.HostGroup != nil {
		id, err := hostGroup(ctx, tx, *draft.HostGroup)
		if err != nil {
			return err
		}
		grp = &id
	}
	var from *time.Time
	if !draft.ValidFrom.IsZero() {
		from = &draft.ValidFrom
	}
	n, err := db.Exec(ctx, tx, "inserting", `INSERT INTO policy (version, host_group, grp, valid_from, author, document)
		SELECT $1, $2, $3, coalesce($4, now()), $5, $6 WHERE $4::timestamptz IS NULL OR $4 >= now()`, version, draft.HostGroup, grp, from, draft.Author, raw)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrPast
	}
	var later int
	err = tx.QueryRow(ctx, `SELECT count(DISTINCT valid_from) FROM policy
		WHERE grp IS NOT DISTINCT FROM $1 AND host_group IS NOT DISTINCT FROM $2 AND valid_from > now()`, grp, draft.HostGroup).Scan(&later)
	if err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	if later > policy.MaxLater {
		return ErrTooManyNext
	}
	return nil
}

// change runs do with changes of policies following each other, and raises the revision. It
// may run several times (db.WriteAgain).
func (p *Policies) change(ctx context.Context, what string, do func(pgx.Tx) error) error {
	err := p.db.WriteAgain(ctx, what, func(tx pgx.Tx) error {
		// Two first ones at once: the second waits here.
		_, err := db.Exec(ctx, tx, "raising the revision", `INSERT INTO policy_state (revision) VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint)
			ON CONFLICT (one) DO UPDATE SET revision = greatest(policy_state.revision + 1, EXCLUDED.revision)`)
		if err != nil {
			return err
		}
		return do(tx)
	})
	p.mu.Lock()
	p.readAt = time.Time{}
	p.mu.Unlock()
	return err
}

// ForHost returns what holds for a host, and what will.
func (p *Policies) ForHost(ctx context.Context, host int64) (policy.Reply, error) {
	reply := policy.Reply{Policies: []policy.Version{}}
	err := p.db.Read(ctx, "reading a host's policy", func(tx pgx.Tx) error {
		// Before the versions: should one be written in between, the host asks again.
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(revision), 0) FROM policy_state").Scan(&reply.Revision); err != nil {
			return err
		}
		list, err := read(ctx, tx, "p.document", `WHERE (p.host_group IS NULL OR p.grp IN (SELECT grp FROM host_group_member WHERE host = $1))
			AND (`+holds+` OR p.valid_from > now() AND NOT EXISTS (SELECT FROM policy n
				WHERE n.grp IS NOT DISTINCT FROM p.grp AND (n.host_group IS NULL) = (p.host_group IS NULL)
					AND n.valid_from = p.valid_from AND n.version > p.version))
			ORDER BY p.host_group NULLS FIRST, p.valid_from`, host)
		for _, v := range list {
			reply.Policies = append(reply.Policies, v.Version)
		}
		return err
	})
	reply.None = len(reply.Policies) == 0
	return reply, err
}

// Revision returns the newest revision, as it was a moment ago; 0 where no policy was ever
// written, or where none was read yet. While one caller reads it, or the database is away,
// it is what it was.
func (p *Policies) Revision(ctx context.Context) int64 {
	p.mu.Lock()
	known, fresh := p.revision, time.Since(p.readAt) < revisionFor
	if !fresh {
		p.readAt = time.Now()
	}
	p.mu.Unlock()
	if fresh {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, revisionTimeout)
	defer cancel()
	err := p.db.Read(ctx, "reading the revision of policies", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT coalesce(max(revision), 0) FROM policy_state").Scan(&known)
	})
	if err == nil {
		p.mu.Lock()
		p.revision = known
		p.mu.Unlock()
	}
	return known
}
