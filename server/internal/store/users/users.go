// Package users keeps the people who log in: their roles and groups, passwords as
// hashes, invitations and login sessions.
package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// MaxUsers is how many there may be: a large organisation, in one list.
	MaxUsers = 10_000
	// MaxGroups is how many groups one may be limited to, as a token is.
	MaxGroups = directory.MaxTokenGroups
)

// usersLock is the advisory lock under which users are made, so that servers count
// them one after the other. Any fixed number would do.
const usersLock = 0x7472_6163_6b75

// Users are those of one database.
type Users struct{ db *db.DB }

// New returns the users of a database.
func New(d *db.DB) *Users { return &Users{db: d} }

// refusal is a decision about users.
type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	ErrExists     refusal = "a user of that name exists"
	ErrNone       refusal = "there is no such user"
	ErrTooMany    refusal = "there are too many users"
	ErrDisabled   refusal = "the user is disabled"
	ErrInvitation refusal = "the invitation is unknown, was used or has expired"
	// ErrChanged means that the password, or whether the user may log in, has changed
	// since it was looked at.
	ErrChanged refusal = "the user was changed meanwhile"
	// ErrAccessChanged means that a change of a role is of another than there is.
	ErrAccessChanged refusal = "the user's role was changed meanwhile"
)

// Access is what a user may do, and where.
type Access struct {
	Role directory.Role
	// Limited means that they see the machines of Groups alone; where those were all
	// removed, none.
	Limited bool
	Groups  []string
}

// Version is another one as soon as the role or the groups are.
func (a Access) Version() string {
	const enough = 16
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %v %q", a.Role, a.Limited, a.Groups))
	return hex.EncodeToString(sum[:enough])
}

// Roles returns those that people who log in may have.
func Roles() []directory.Role {
	return []directory.Role{directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor}
}

// Check returns what is wrong with it, for people.
func (a Access) Check() error {
	switch {
	case !slices.Contains(Roles(), a.Role):
		return fmt.Errorf("role: want one of %v", Roles())
	case a.Limited && !Limitable(a.Role):
		return errors.New("groups: only a manager or a viewer can be limited to groups")
	case len(a.Groups) > MaxGroups:
		return fmt.Errorf("groups: want at most %d", MaxGroups)
	}
	return nil
}

// Limitable reports whether somebody with that role can be limited to groups.
func Limitable(r directory.Role) bool {
	return r == directory.RoleManager || r == directory.RoleViewer
}

// User is somebody who logs in, or is invited to.
type User struct {
	ID    string
	Login string
	Access
	// Invited means that an invitation waits for them.
	Invited bool
	// Password means that they have one.
	Password   bool
	Disabled   bool
	SecondStep bool
	CreatedAt  time.Time
	// LastLoginAt is nil until the first login.
	LastLoginAt *time.Time
	// SSO means that they log in by single sign-on.
	SSO bool
	// Logins is how many last.
	Logins int
	// Person is whom of those who are measured the user is; 0: nobody. Accounts are the
	// machine_ids that alone are the user's own then; nil: all that the person has.
	Person   int64
	Accounts []string
}

// OwnSQL returns what is the own of a user u: the person whom they are tied to with all
// accounts, else the person of the account that they opened last, with those opened.
const OwnSQL = `SELECT p.person, p.whole, ARRAY(SELECT a.machine FROM account a WHERE a.person = p.person AND (p.whole
		OR EXISTS (SELECT FROM own_account o WHERE o.usr = u.id AND o.machine = a.machine)) ORDER BY a.machine) AS machines
	FROM (SELECT u.person, true AS whole WHERE u.person IS NOT NULL
		UNION ALL (SELECT a.person, false FROM own_account o JOIN account a ON a.machine = o.machine
			WHERE o.usr = u.id ORDER BY o.tied_at DESC, o.machine LIMIT 1)) AS p ORDER BY p.whole DESC LIMIT 1`

const selectUsers = `SELECT u.id, u.login, u.role, u.limited,
	ARRAY(SELECT g.name FROM app_user_group l JOIN machine_group g ON g.id = l.grp WHERE l.usr = u.id ORDER BY g.name),
	EXISTS (SELECT FROM invitation i WHERE i.usr = u.id AND i.expires_at > now()),
	u.password_hash IS NOT NULL, u.disabled, u.totp_secret IS NOT NULL, u.created_at, u.last_login_at,
	EXISTS (SELECT FROM sso_user o WHERE o.usr = u.id),
	(SELECT count(*)::int FROM login_session s WHERE s.usr = u.id AND ` + lasting + `),
	coalesce(own.person, 0), CASE WHEN NOT own.whole THEN ARRAY(SELECT m.machine_id FROM machine m WHERE m.id = ANY(own.machines) ORDER BY m.machine_id) END
	FROM app_user u LEFT JOIN LATERAL (` + OwnSQL + `) own ON true `

// list reads users; where follows selectUsers.
func list(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]User, error) {
	rows, err := tx.Query(ctx, selectUsers+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (u User, err error) {
		err = row.Scan(&u.ID, &u.Login, &u.Role, &u.Limited, &u.Groups, &u.Invited, &u.Password, &u.Disabled,
			&u.SecondStep, &u.CreatedAt, &u.LastLoginAt, &u.SSO, &u.Logins, &u.Person, &u.Accounts)
		return u, err
	})
}

// one reads the user that where finds, or returns ErrNone.
func one(ctx context.Context, tx pgx.Tx, where string, arg string) (User, error) {
	found, err := list(ctx, tx, where, arg)
	if err != nil {
		return User{}, err
	}
	if len(found) == 0 {
		return User{}, ErrNone
	}
	return found[0], nil
}

// All lists the users by name.
func (u *Users) All(ctx context.Context) ([]User, error) {
	var all []User
	err := u.db.Read(ctx, "listing users", func(tx pgx.Tx) (err error) {
		all, err = list(ctx, tx, "ORDER BY u.login")
		return err
	})
	return all, err
}

// AnyActive reports whether anybody has a password or came by single sign-on: until then a first
// administrator is to be made.
func (u *Users) AnyActive(ctx context.Context) (active bool, err error) {
	err = u.db.Read(ctx, "looking for a first user", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM app_user WHERE password_hash IS NOT NULL) OR EXISTS (SELECT FROM sso_user)`).Scan(&active)
	})
	return active, err
}

// ByID returns a user, or ErrNone.
func (u *Users) ByID(ctx context.Context, id string) (User, error) {
	return u.find(ctx, "WHERE u.id = $1", id)
}

// ByLogin returns the user of that name, or ErrNone.
func (u *Users) ByLogin(ctx context.Context, login string) (User, error) {
	return u.find(ctx, "WHERE u.login = $1", login)
}

func (u *Users) find(ctx context.Context, where, arg string) (found User, err error) {
	err = u.db.Read(ctx, "looking up a user", func(tx pgx.Tx) (err error) {
		found, err = one(ctx, tx, where, arg)
		return err
	})
	return found, err
}

// change runs do on a user whose row is locked, and returns the user as they are
// then, or ErrNone. It is written down as of that kind; empty: not at all, as logging
// in is.
func (u *Users) change(ctx context.Context, what, kind, id string, do func(pgx.Tx) error) (changed User, err error) {
	err = u.db.Write(ctx, what, func(tx pgx.Tx) (err error) {
		if _, err := db.Exec(ctx, tx, "locking", "SELECT FROM app_user WHERE id = $1 FOR NO KEY UPDATE", id); err != nil {
			return err
		}
		if _, err := one(ctx, tx, "WHERE u.id = $1", id); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		if changed, err = one(ctx, tx, "WHERE u.id = $1", id); err != nil || kind == "" {
			return err
		}
		return audit.Write(ctx, tx, changed.become(kind))
	})
	return changed, err
}

// become is the change that made a user what they are.
func (u *User) become(what string) audit.Change {
	c := audit.Change{What: what, ID: u.ID, Name: u.Login}
	switch what {
	case userInvited, userAccess, userMade, userProviderAccess:
		c.Details = map[string]string{"role": string(u.Role)}
		if u.Limited {
			c.Details["groups"] = strings.Join(u.Groups, ", ")
		}
	}
	return c
}

// The kinds of changes of users.
const (
	userInvited    = "user.invited"
	userAccess     = "user.access_changed"
	userDisabled   = "user.disabled"
	userEnabled    = "user.enabled"
	userPassword   = "user.password_set"
	userLoggedOut  = "user.logged_out"
	userLoginEnded = "user.login_ended"
	userSecondStep = "user.second_step_removed"
	// What follows from somebody's groups at the provider when they log in.
	userMade           = "user.made_by_sso"
	userProviderAccess = "user.access_by_sso"
	userRoleLost       = "user.role_lost"
	// What users change of their own.
	userOwnPassword         = "user.password_changed"
	userSecondStepBegun     = "user.second_step_begun"
	userSecondStepConfirmed = "user.second_step_confirmed"
)

// SetDisabled lets a user log in or not. It ends all that a disabled one has: logins
// and invitations.
func (u *Users) SetDisabled(ctx context.Context, id string, disabled bool) (User, error) {
	kind := userEnabled
	if disabled {
		kind = userDisabled
	}
	return u.change(ctx, "disabling or enabling a user", kind, id, func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "updating", "UPDATE app_user SET disabled = $2 WHERE id = $1", id, disabled)
		if err != nil || !disabled {
			return err
		}
		if _, err := db.Exec(ctx, tx, "ending invitations", "DELETE FROM invitation WHERE usr = $1", id); err != nil {
			return err
		}
		return endLogins(ctx, tx, id)
	})
}

// SetAccess changes what a user may do, if that is of one of these versions; nil is any. It
// holds from their next request on. Where a group does not exist it is directory.ErrNoGroup;
// where the provider decides it, ErrBySSO.
func (u *Users) SetAccess(ctx context.Context, id string, a Access, versions []string) (User, error) {
	return u.change(ctx, "changing a user's role", userAccess, id, func(tx pgx.Tx) error {
		if err := refuseSSO(ctx, tx, id); err != nil {
			return err
		}
		if versions != nil {
			was, err := one(ctx, tx, "WHERE u.id = $1", id)
			if err != nil {
				return err
			}
			if !slices.Contains(versions, was.Version()) {
				return ErrAccessChanged
			}
		}
		return setAccess(ctx, tx, id, a)
	})
}

func setAccess(ctx context.Context, tx pgx.Tx, id string, a Access) error {
	_, err := db.Exec(ctx, tx, "updating", "UPDATE app_user SET role = $2, limited = $3 WHERE id = $1", id, a.Role, a.Limited)
	if err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, "clearing groups", "DELETE FROM app_user_group WHERE usr = $1", id); err != nil {
		return err
	}
	return limit(ctx, tx, id, a)
}

// limit limits a user without groups to theirs.
func limit(ctx context.Context, tx pgx.Tx, id string, a Access) error {
	if !a.Limited {
		return nil
	}
	for _, name := range a.Groups {
		n, err := db.Exec(ctx, tx, "limiting", `INSERT INTO app_user_group (usr, grp)
			SELECT $1, id FROM machine_group WHERE name = $2
			ON CONFLICT (usr, grp) DO UPDATE SET grp = EXCLUDED.grp`, id, name)
		if err == nil && n == 0 {
			err = directory.ErrNoGroup
		}
		if err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
	}
	return nil
}

// add makes a user without a password.
func add(ctx context.Context, tx pgx.Tx, login string, a Access) (id string, err error) {
	if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(usersLock)); err != nil {
		return "", err
	}
	_, err = one(ctx, tx, "WHERE u.login = $1", login)
	if err == nil {
		return "", ErrExists
	}
	if !errors.Is(err, ErrNone) {
		return "", err
	}
	id = newID()
	n, err := db.Exec(ctx, tx, "inserting", `INSERT INTO app_user (id, login, role, limited) SELECT $1, $2, $3, $4
		WHERE (SELECT count(*) FROM app_user) < $5`, id, login, a.Role, a.Limited, MaxUsers)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", ErrTooMany
	}
	return id, limit(ctx, tx, id, a)
}

// newID returns what a user is called by the API: a name may change hands.
func newID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it never fails
	return "usr_" + hex.EncodeToString(b)
}
