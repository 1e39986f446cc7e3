package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/text"
)

// Role is what an API token or a person who logs in may do.
type Role string

// The roles. API tokens are of the first two. What each may do is in one table, with
// the routes.
const (
	RoleViewer  Role = "viewer"
	RoleAdmin   Role = "admin"
	RoleManager Role = "manager"
	// RoleAuditor sees nobody's activity.
	RoleAuditor Role = "auditor"
	// RoleSelf sees one account, by a link from its host. No user has it.
	RoleSelf Role = "self"
)

// Token is an API token without its secret.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	// Limited means that it sees the machines of Groups alone; where they were
	// all removed, none. Only a viewer can be limited.
	Limited bool     `json:"limited"`
	Groups  []string `json:"groups,omitempty"`

	groups []int32
}

// Scope is which machines the token may see.
func (t *Token) Scope() Scope { return Scope{limited: t.Limited, Groups: t.groups} }

// MaxTokenGroups is how many groups a token may be limited to: each costs a page of
// machines a look.
const MaxTokenGroups = 100

// InvalidError is what is wrong with something that is to be made, in words for whoever
// asked for it.
type InvalidError struct {
	// Field is what it is about, Reason what is wrong or what it may be.
	Field, Reason string
}

// Error returns both.
func (e InvalidError) Error() string { return e.Field + ": " + e.Reason }

// Decided makes it a db.Decision.
func (InvalidError) Decided() {}

// FieldOf returns what an InvalidError is about; empty where it is none.
func FieldOf(err error) string {
	var invalid InvalidError
	errors.As(err, &invalid)
	return invalid.Field
}

// Check returns what is wrong with a token that is to be made, as an InvalidError.
func (t *Token) Check() error {
	switch {
	case t.Role != RoleViewer && t.Role != RoleAdmin:
		return InvalidError{"role", "want admin or viewer"}
	case strings.TrimSpace(t.Name) == "" || len(t.Name) > api.MaxTokenNameBytes || !text.Printable(t.Name):
		return InvalidError{"name", fmt.Sprintf("want 1 to %d printable bytes that say what the token is for", api.MaxTokenNameBytes)}
	case t.Limited && t.Role != RoleViewer:
		return InvalidError{"group", "only a token with the role viewer can be limited to groups"}
	case len(t.Groups) > MaxTokenGroups:
		return InvalidError{"group", fmt.Sprintf("want at most %d", MaxTokenGroups)}
	case slices.ContainsFunc(t.Groups, func(name string) bool { return !text.Printable(name) }):
		return InvalidError{"group", "want a group's name, in printable characters"}
	}
	return nil
}

// created is the change that made it.
func (t *Token) created() audit.Change {
	details := map[string]string{"role": string(t.Role)}
	if t.Limited {
		details["groups"] = strings.Join(t.Groups, ", ")
	}
	return audit.Change{What: "token.created", ID: t.ID, Name: t.Name, Details: details}
}

// AddToken keeps an API token, or returns ErrNoGroup where one of its groups does
// not exist.
func (d *Directory) AddToken(ctx context.Context, t Token, hash []byte) error {
	return d.db.Write(ctx, "keeping the API token", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "inserting", "INSERT INTO api_token (id, name, role, secret_hash, limited) VALUES ($1, $2, $3, $4, $5)",
			t.ID, t.Name, t.Role, hash, t.Limited)
		if err != nil {
			return err
		}
		for _, name := range t.Groups {
			n, err := db.Exec(ctx, tx, "limiting", `INSERT INTO api_token_group (token, grp)
				SELECT $1, id FROM machine_group WHERE name = $2 ON CONFLICT DO NOTHING`, t.ID, name)
			if err == nil && n == 0 {
				_, err = FindGroup(ctx, tx, Scope{}, name)
			}
			if err != nil {
				return fmt.Errorf("group %q: %w", name, err)
			}
		}
		return audit.Write(ctx, tx, t.created())
	})
}

// firstTokenLock is the advisory lock under which servers that start together
// make one first token. Any fixed number would do.
const firstTokenLock = 0x7472_6163_6b74

// AddFirstToken keeps an API token unless there is any already, and reports whether
// it did.
func (d *Directory) AddFirstToken(ctx context.Context, t Token, hash []byte) (bool, error) {
	var n int64
	err := d.db.Write(ctx, "keeping the first API token", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "waiting for other servers", "SELECT pg_advisory_xact_lock($1)", int64(firstTokenLock))
		if err != nil {
			return err
		}
		n, err = db.Exec(ctx, tx, "inserting", `INSERT INTO api_token (id, name, role, secret_hash)
			SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM api_token)`, t.ID, t.Name, t.Role, hash)
		if err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, t.created())
	})
	return err == nil && n == 1, err
}

// Tokens lists all API tokens, oldest first.
func (d *Directory) Tokens(ctx context.Context) ([]Token, error) {
	var list []Token
	err := d.db.Read(ctx, "listing the API tokens", func(tx pgx.Tx) (err error) {
		rows, err := tx.Query(ctx, `SELECT t.id, t.name, t.role, t.created_at, t.limited, ARRAY(
				SELECT g.name FROM api_token_group l JOIN machine_group g ON g.id = l.grp WHERE l.token = t.id ORDER BY g.name)
			FROM api_token t ORDER BY t.created_at, t.id`)
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Token, err error) {
			err = row.Scan(&t.ID, &t.Name, &t.Role, &t.CreatedAt, &t.Limited, &t.Groups)
			return t, err
		})
		return err
	})
	return list, err
}

// RemoveToken revokes an API token at once, or returns ErrNotFound.
func (d *Directory) RemoveToken(ctx context.Context, id string) error {
	return d.db.Write(ctx, "revoking the API token", func(tx pgx.Tx) error {
		var name string
		err := tx.QueryRow(ctx, "DELETE FROM api_token WHERE id = $1 RETURNING name", id).Scan(&name)
		if errors.Is(err, pgx.ErrNoRows) {
			return db.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("deleting: %w", err)
		}
		return audit.Write(ctx, tx, audit.Change{What: "token.revoked", ID: id, Name: name})
	})
}

// TokenByID returns a token without the names of its groups and the hash of its
// secret, or ErrNotFound.
func (d *Directory) TokenByID(ctx context.Context, id string) (Token, []byte, error) {
	t := Token{ID: id}
	var hash []byte
	err := d.db.AskOnce(ctx, "looking up an API token", `SELECT name, role, created_at, limited, secret_hash,
			ARRAY(SELECT grp FROM api_token_group WHERE token = t.id ORDER BY grp)
		FROM api_token t WHERE id = $1`, id, &t.Name, &t.Role, &t.CreatedAt, &t.Limited, &hash, &t.groups)
	return t, hash, err
}

// Host is an enrolled host.
type Host struct {
	// Key is the host's row.
	Key int64
	// HostID is what the host calls itself.
	HostID string
	// Credential is its present credential's id.
	Credential string
	// CredentialUsed means that its present credential was used before.
	CredentialUsed bool
}

// HostByCredential returns the host whose present credential has that id, and the
// hash of its secret, or ErrNotFound.
func (d *Directory) HostByCredential(ctx context.Context, id string) (Host, []byte, error) {
	h := Host{Credential: id}
	var hash []byte
	err := d.db.AskOnce(ctx, "looking up a host credential", `SELECT h.id, h.host_id, c.first_used_at IS NOT NULL, c.secret_hash
		FROM host_credential c JOIN host h ON h.id = c.host WHERE c.id = $1`, id, &h.Key, &h.HostID, &h.CredentialUsed, &hash)
	if err == nil && h.CredentialUsed {
		d.hosts.Put(id, knownHost{h, hash})
	}
	return h, hash, err
}

// knownHost is a credential's host and the hash of its secret.
type knownHost struct {
	host Host
	hash []byte
}

// RememberedHost returns what HostByCredential returned before, if anything. It may
// have been revoked since: only events.Writer.WriteEvents, which looks again, may rely on it.
func (d *Directory) RememberedHost(credentialID string) (Host, []byte, bool) {
	known, ok := d.hosts.Get(credentialID)
	return known.host, known.hash, ok
}

// MarkUsed notes that a host has authenticated with that credential.
func (d *Directory) MarkUsed(ctx context.Context, credentialID string) error {
	return d.db.Write(ctx, "noting the first use of a credential", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "updating", `UPDATE host_credential SET first_used_at = now()
			WHERE id = $1 AND first_used_at IS NULL`, credentialID)
		return err
	})
}
