// Package dossier reads what is kept about one person that no other room lists, and knows
// of every table what an export has of it.
package dossier

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/walk"
)

// Dossier is that of one database.
type Dossier struct{ db *db.DB }

// New returns the dossier of a database.
func New(d *db.DB) *Dossier { return &Dossier{db: d} }

// Account is an account as it is kept.
type Account struct {
	MachineID string `json:"machine_id"`
	UserLabel string `json:"user_label"`
	Username  string `json:"username"`
	// HostID, Hostname and HostKind are the host that reports it, EnrolledAt when that
	// was enrolled.
	HostID     string    `json:"host_id"`
	Hostname   string    `json:"hostname"`
	HostKind   string    `json:"host_kind"`
	EnrolledAt time.Time `json:"host_enrolled_at"`
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
	// The others are of the newest record.
	LastTimestamp  time.Time `json:"last_timestamp"`
	LastInterval   int64     `json:"last_interval_sec"`
	LastIdle       bool      `json:"last_is_idle"`
	LastConnected  *bool     `json:"last_connected"`
	LastLocked     *bool     `json:"last_locked"`
	CompactedUntil time.Time `json:"compacted_before"`
}

// Accounts returns accounts by their rows.
func (d *Dossier) Accounts(ctx context.Context, keys []int32) ([]Account, error) {
	return collect[Account](ctx, d, "reading accounts", `SELECT m.machine_id, m.user_label, m.username, h.host_id, h.hostname, h.kind, h.enrolled_at,
			m.first_seen, m.last_seen, m.last_ts, m.last_interval, m.last_idle, m.last_connected, m.last_locked, m.compacted_before
		FROM machine m JOIN host h ON h.id = m.host WHERE m.id = ANY($1) ORDER BY m.machine_id`, keys)
}

// Home is a person whom an account was made with, and who has none any more.
type Home struct {
	ID        int64
	Label     string
	CreatedAt time.Time
}

// Homes returns the people, but for that one, whom accounts were made with and who have
// no account.
func (d *Dossier) Homes(ctx context.Context, person int64, keys []int32) ([]Home, error) {
	return collect[Home](ctx, d, "reading whom accounts were made with", `SELECT id, label, created_at FROM person p
		WHERE id IN (SELECT home FROM account WHERE machine = ANY($1)) AND id <> $2
			AND NOT EXISTS (SELECT FROM account a WHERE a.person = p.id) ORDER BY id`, keys, person)
}

// Membership is a place in a group.
type Membership struct {
	Group string `json:"group"`
	// MachineID is the account in it; empty: the person, with all accounts.
	MachineID string `json:"machine_id,omitempty"`
	// Direct means that it was put in itself.
	Direct bool `json:"direct"`
}

// Groups returns the groups that hold a person, one of those homes or one of those
// accounts.
func (d *Dossier) Groups(ctx context.Context, people []int64, keys []int32) ([]Membership, error) {
	return collect[Membership](ctx, d, "reading groups", `SELECT g.name, m.machine_id, m.direct FROM group_member m JOIN machine_group g ON g.id = m.grp WHERE m.machine = ANY($2)
		UNION SELECT g.name, '', true FROM group_person p JOIN machine_group g ON g.id = p.grp WHERE p.person = ANY($1) ORDER BY 1, 2`, people, keys)
}

// Users returns the login names of the users to whom a person or one of those accounts is
// their own.
func (d *Dossier) Users(ctx context.Context, person int64, keys []int32) ([]string, error) {
	type one struct{ Login string }
	list, err := collect[one](ctx, d, "reading which users they are", `SELECT login FROM app_user u WHERE person = $1
		OR EXISTS (SELECT FROM own_account o WHERE o.usr = u.id AND o.machine = ANY($2)) ORDER BY login`, person, keys)
	names := []string{}
	for _, u := range list {
		names = append(names, u.Login)
	}
	return names, err
}

// Link is one that opens an account, without its secret.
type Link struct {
	MachineID string    `json:"machine_id"`
	CreatedAt time.Time `json:"created_at"`
	Used      bool      `json:"used"`
}

// Links returns those of accounts; they are kept for a minute.
func (d *Dossier) Links(ctx context.Context, keys []int32) ([]Link, error) {
	return collect[Link](ctx, d, "reading links", `SELECT m.machine_id, l.created_at, l.used FROM self_link l JOIN machine m ON m.id = l.machine
		WHERE l.machine = ANY($1) ORDER BY l.created_at, l.id`, keys)
}

// Login is one that opens an account alone.
type Login struct {
	MachineID  string    `json:"machine_id"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
}

// Logins returns those of accounts that are kept; they last for an hour.
func (d *Dossier) Logins(ctx context.Context, keys []int32) ([]Login, error) {
	return collect[Login](ctx, d, "reading logins", `SELECT m.machine_id, s.created_at, s.last_seen_at, s.address, s.agent FROM login_session s JOIN machine m ON m.id = s.machine
		WHERE s.machine = ANY($1) ORDER BY s.created_at, s.id`, keys)
}

// Receipt is that a program of an account has confirmed that a notice was read.
type Receipt struct {
	MachineID  string    `json:"machine_id"`
	Notice     string    `json:"notice"`
	ReadAt     time.Time `json:"read_at"`
	ReceivedAt time.Time `json:"received_at"`
	HostID     string    `json:"host_id"`
}

// Receipts returns an account's; there are bounds for them.
func (d *Dossier) Receipts(ctx context.Context, key int32) ([]Receipt, error) {
	return collect[Receipt](ctx, d, "reading receipts", `SELECT m.machine_id, r.notice, r.read_at, r.received_at, h.host_id
		FROM receipt r JOIN machine m ON m.id = r.machine JOIN host h ON h.id = r.host WHERE r.machine = $1 ORDER BY r.notice`, key)
}

// Uncollected is a time in which, by rule, nothing of an account was collected.
type Uncollected struct {
	MachineID string    `json:"machine_id"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Reason    string    `json:"reason"`
}

// Uncollected returns such times of an account that begin at a time or later, oldest first,
// and from when on there may be others; zero: there are none.
func (d *Dossier) Uncollected(ctx context.Context, key int32, from time.Time) (list []Uncollected, next time.Time, err error) {
	const atOnce = 5000
	list, err = collect[Uncollected](ctx, d, "reading what was not collected", `SELECT m.machine_id, n.start_at, n.end_at, n.reason
		FROM not_collected n JOIN machine m ON m.id = n.machine WHERE n.machine = $1 AND n.start_at >= $2
		ORDER BY n.start_at FETCH FIRST $3 ROWS WITH TIES`, key, from, atOnce)
	if len(list) >= atOnce {
		next = walk.After(list[len(list)-1].Start)
	}
	return list, next, err
}

// Exclusion is that a version of policy leaves out whoever has a user name.
type Exclusion struct {
	Version   int64     `json:"version"`
	ValidFrom time.Time `json:"valid_from"`
	CreatedAt time.Time `json:"created_at"`
	// HostGroup is for whose hosts it is; absent: for all.
	HostGroup *string `json:"host_group"`
	Username  string  `json:"username"`
}

// versionsAtOnce is how many versions of policy are looked through at a time.
const versionsAtOnce = 1000

// Exclusions returns those among some versions after that one which name one of the
// accounts' user names, and after which version the next begin, 0 at the end. An equal
// name may be somebody else's, on other hosts.
func (d *Dossier) Exclusions(ctx context.Context, keys []int32, after int64) (list []Exclusion, next int64, err error) {
	const what = "reading policy"
	next = after + versionsAtOnce
	list, err = collect[Exclusion](ctx, d, what, `SELECT DISTINCT p.version, p.valid_from, p.created_at, p.host_group, n.name
		FROM policy p CROSS JOIN LATERAL json_array_elements_text(
			CASE json_typeof(p.document -> 'exclude_users') WHEN 'array' THEN p.document -> 'exclude_users' END) AS n(name)
		WHERE p.version > $2 AND p.version <= $3
			AND n.name IN (SELECT username FROM machine WHERE id = ANY($1) AND username <> '') ORDER BY 1, 5`, keys, after, next)
	if err != nil {
		return nil, 0, err
	}
	others, err := collect[struct{ Any bool }](ctx, d, what, "SELECT EXISTS (SELECT FROM policy WHERE version > $1)", next)
	if err != nil || !others[0].Any {
		next = 0
	}
	return list, next, err
}

func collect[T any](ctx context.Context, d *Dossier, what, sql string, args ...any) ([]T, error) {
	var list []T
	err := d.db.Report(ctx, what, func(tx pgx.Tx) (err error) {
		list, err = db.Collect[T](ctx, tx, what, sql, args...)
		return err
	})
	return list, err
}
