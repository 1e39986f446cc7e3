package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// LoginIdle is after how long without a request a login ends: a night is
	// enough, a working day with its breaks is not.
	LoginIdle = 8 * time.Hour
	// LoginEnd is after how long it ends in any case: once a week somebody types
	// their password.
	LoginEnd = 7 * 24 * time.Hour
	// SSOEnd is after how long one by single sign-on ends in any case: whoever has lost
	// their group at the provider is asked for it again within that time.
	SSOEnd = 12 * time.Hour
	// MaxLogins is how many logins a user may have at once: more than anybody's
	// devices. The oldest ends for one more.
	MaxLogins = 20
	// SelfEnd is after how long a login ends that opens one account by a link.
	SelfEnd = time.Hour
	// seenEvery is how exactly it is kept when a login was last used: a row is not
	// written with each request.
	seenEvery = time.Minute
)

// lasting is whether a login s has not ended. The intervals are LoginIdle, SSOEnd, LoginEnd
// and SelfEnd, as a test makes sure.
const lasting = "s.last_seen_at > now() - interval '8 hours' AND s.created_at > now() - CASE WHEN s.sso THEN interval '12 hours' ELSE interval '7 days' END" +
	" AND (s.machine IS NULL OR s.created_at > now() - interval '1 hour')"

// LoginSession is a login that lasts.
type LoginSession struct {
	ID         string
	CreatedAt  time.Time
	LastSeenAt time.Time
	// Address and Agent are from where and with what.
	Address, Agent string
}

// Known is what a login is checked against.
type Known struct {
	ID    string
	Login string
	// Hash is the password's; empty: they have none.
	Hash     string
	Disabled bool
	// Secret is that of the second step; empty: there is none. Step is the newest
	// that was used.
	Secret []byte
	Step   int64
}

// Known returns what the login of that name is checked against, or ErrNone.
func (u *Users) Known(ctx context.Context, login string) (Known, error) {
	k := Known{Login: login}
	err := u.db.AskOnce(ctx, "looking up who logs in", `SELECT id, coalesce(password_hash, ''), disabled,
			totp_secret, totp_step
		FROM app_user WHERE login = $1`, login, &k.ID, &k.Hash, &k.Disabled, &k.Secret, &k.Step)
	if errors.Is(err, db.ErrNotFound) {
		return k, ErrNone
	}
	return k, err
}

// Fresh is a login that begins.
type Fresh struct {
	ID   string
	Hash []byte
	// Address and Agent are from where and with what.
	Address, Agent string
	// Replaces is the id of the login, whoever's, that ends with it; empty: none does.
	Replaces string
	// Rehashed is the password's hash at today's cost; empty: it stays.
	Rehashed string
	// Spent is the code of the second step; nothing where the user has none.
	Spent Spent
	// LogoutHint is for logging out at the provider, encrypted; nil: nothing.
	LogoutHint []byte
}

// Begin keeps a login of a user who was known as k, or returns ErrChanged where that
// has changed, or the code was used meanwhile: a login never outlives the password that
// it was made with.
func (u *Users) Begin(ctx context.Context, k Known, s Fresh) (User, error) {
	return u.change(ctx, "beginning a login", "", k.ID, func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "checking", `UPDATE app_user SET last_login_at = now(), password_hash = coalesce(nullif($3, ''), password_hash)
			WHERE id = $1 AND NOT disabled AND password_hash = $2`, k.ID, k.Hash, s.Rehashed)
		if err == nil && n == 0 {
			err = ErrChanged
		}
		if err == nil {
			err = spend(ctx, tx, k, s.Spent)
		}
		if err != nil {
			return err
		}
		return keepLogin(ctx, tx, k.ID, s)
	})
}

// keepLogin keeps a login in the place of the one that it replaces and of the oldest.
func keepLogin(ctx context.Context, tx pgx.Tx, user string, s Fresh) error {
	_, err := db.Exec(ctx, tx, "ending old ones", `DELETE FROM login_session WHERE id = $2 OR usr = $1 AND id NOT IN (
			SELECT s.id FROM login_session s WHERE s.usr = $1 AND `+lasting+` ORDER BY s.created_at DESC, s.id LIMIT $3)`,
		user, s.Replaces, MaxLogins-1)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, "inserting", `INSERT INTO login_session (id, usr, secret_hash, address, agent) VALUES ($1, $2, $3, $4, $5)`,
		s.ID, user, s.Hash, s.Address, s.Agent)
	return err
}

// Caller is whom a login stands for.
type Caller struct {
	UserID string
	Login  string
	Role   directory.Role
	Scope  directory.Scope
	// Machine is the row of the one account that the login opens, where it is of no user.
	Machine int32
	// Hash is that of the login's secret.
	Hash []byte
	// SSO means that the provider vouched for it.
	SSO bool
	// Seen means that it was noted within seenEvery that the login is in use.
	Seen bool
}

// Caller returns whom a login that lasts stands for, as they are now, or
// db.ErrNotFound.
func (u *Users) Caller(ctx context.Context, session string) (Caller, error) {
	var c Caller
	var limited bool
	var groups []int32
	err := u.db.AskOnce(ctx, "looking up a login", `SELECT coalesce(s.usr, ''), coalesce(u.login, ''), s.secret_hash, s.last_seen_at > now() - interval '1 minute', s.sso,
			coalesce(u.role, '`+string(directory.RoleSelf)+`'), coalesce(u.limited, false), ARRAY(SELECT grp FROM app_user_group WHERE usr = s.usr ORDER BY grp), coalesce(s.machine, 0)
		FROM login_session s LEFT JOIN app_user u ON u.id = s.usr WHERE s.id = $1 AND u.disabled IS NOT TRUE AND `+lasting,
		session, &c.UserID, &c.Login, &c.Hash, &c.Seen, &c.SSO, &c.Role, &limited, &groups, &c.Machine)
	switch {
	case c.Role == directory.RoleAuditor, c.Role == directory.RoleSelf:
		c.Scope = directory.Nothing()
	case limited:
		c.Scope = directory.OfGroups(groups)
	}
	return c, err
}

// See notes that a login is in use.
func (u *Users) See(ctx context.Context, session string) error {
	return u.db.Write(ctx, "noting that a login is used", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "updating", "UPDATE login_session SET last_seen_at = now() WHERE id = $1 AND last_seen_at < now() - $2::interval",
			session, seenEvery)
		return err
	})
}

// LoginSessions lists a user's logins that last, the newest first; or returns ErrNone.
func (u *Users) LoginSessions(ctx context.Context, user string) ([]LoginSession, error) {
	var all []LoginSession
	err := u.db.Read(ctx, "listing logins", func(tx pgx.Tx) (err error) {
		if _, err := one(ctx, tx, "WHERE u.id = $1", user); err != nil {
			return err
		}
		all, err = db.Collect[LoginSession](ctx, tx, "reading", `SELECT id, created_at, last_seen_at, address, agent
			FROM login_session s WHERE usr = $1 AND `+lasting+" ORDER BY created_at DESC, id", user)
		return err
	})
	return all, err
}

// End ends one login of a user, or returns ErrNone or db.ErrNotFound. It is written down
// where somebody else ends it.
func (u *Users) End(ctx context.Context, user, session string) error {
	kind := ""
	if audit.ActorOf(ctx).ID != user {
		kind = userLoginEnded
	}
	_, err := u.change(ctx, "ending a login", kind, user, func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "deleting", "DELETE FROM login_session s WHERE id = $1 AND usr = $2 AND "+lasting, session, user)
		if err == nil && n == 0 {
			return fmt.Errorf("login: %w", db.ErrNotFound)
		}
		return err
	})
	return err
}

// EndAll ends all logins of a user, or returns ErrNone.
func (u *Users) EndAll(ctx context.Context, user string) (User, error) {
	return u.change(ctx, "ending all logins of a user", userLoggedOut, user, func(tx pgx.Tx) error { return endLogins(ctx, tx, user) })
}

func endLogins(ctx context.Context, tx pgx.Tx, user string) error {
	_, err := db.Exec(ctx, tx, "ending logins", "DELETE FROM login_session WHERE usr = $1", user)
	return err
}

// ChangePassword puts another password's hash in the place of the one that k has, and
// ends all logins; or returns ErrChanged.
func (u *Users) ChangePassword(ctx context.Context, k Known, hash string) error {
	_, err := u.change(ctx, "changing a password", userOwnPassword, k.ID, func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "checking", "SELECT FROM app_user WHERE id = $1 AND NOT disabled AND password_hash = $2", k.ID, k.Hash)
		if err == nil && n == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
		return setPassword(ctx, tx, k.ID, hash)
	})
	return err
}
