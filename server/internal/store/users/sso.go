package users

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// AttemptExpiry is how long somebody has to log in at the provider: time to find
	// the second step's device.
	AttemptExpiry = 10 * time.Minute
	// maxAttempts is how many may be under way; the oldest goes for one more. It is more
	// than 1,000 people begin within AttemptExpiry, and one address may begin far fewer.
	maxAttempts = 20_000
	// nameDigits of a hash tell a user from one whose name was there first.
	nameDigits = 8
)

// What is refused of single sign-on.
const (
	// ErrAttempt means that an attempt is unknown, was used or has expired.
	ErrAttempt refusal = "the attempt is unknown, was used or has expired"
	// ErrBySSO means that the provider decides it of this user.
	ErrBySSO refusal = "the user logs in by single sign-on"
)

// Attempt is a login that goes to the provider, without its secret.
type Attempt struct {
	ID   string
	Hash []byte
	// Next is the path where the browser goes afterwards.
	Next string
}

// KeepAttempt keeps an attempt until it is taken or has expired.
func (u *Users) KeepAttempt(ctx context.Context, a Attempt) error {
	return u.db.Write(ctx, "keeping an attempt to log in", func(tx pgx.Tx) error {
		if _, err := db.Exec(ctx, tx, "forgetting old ones", `DELETE FROM sso_attempt WHERE id IN (
				SELECT id FROM sso_attempt WHERE expires_at <= now() OR id IN (SELECT id FROM sso_attempt ORDER BY expires_at DESC OFFSET $1)
				FOR UPDATE SKIP LOCKED)`, maxAttempts-1); err != nil {
			return err
		}
		_, err := db.Exec(ctx, tx, "inserting", "INSERT INTO sso_attempt (id, secret_hash, next, expires_at) VALUES ($1, $2, $3, now() + $4::interval)",
			a.ID, a.Hash, a.Next, AttemptExpiry)
		return err
	})
}

// TakeAttempt uses an attempt up, of which the caller knows the secret, and returns
// where the browser goes; or ErrAttempt.
func (u *Users) TakeAttempt(ctx context.Context, id string, matches func(hash []byte) bool) (next string, err error) {
	err = u.db.Write(ctx, "taking an attempt to log in", func(tx pgx.Tx) error {
		var hash []byte
		err := tx.QueryRow(ctx, "SELECT next, secret_hash FROM sso_attempt WHERE id = $1 AND expires_at > now() FOR UPDATE", id).Scan(&next, &hash)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !matches(hash) {
			return ErrAttempt
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		_, err = db.Exec(ctx, tx, "deleting", "DELETE FROM sso_attempt WHERE id = $1", id)
		return err
	})
	return next, err
}

// Identity is who somebody is by the provider: Issuer and Subject name them for good.
type Identity struct {
	Issuer, Subject string
	// Login is what a new user is called, where nobody is yet.
	Login string
}

// BeginSSO keeps a login of somebody whom the provider has named, and to whom their
// groups there give granted; nil: nothing. A user is made with the first. It reports
// false where they may not log in: then they have no role, and no login lasts. Groups of
// granted that do not exist are left out.
func (u *Users) BeginSSO(ctx context.Context, who Identity, granted *Access, s Fresh) (user User, admitted bool, err error) {
	err = u.db.Write(ctx, "beginning a login by single sign-on", func(tx pgx.Tx) error {
		user, admitted = User{}, false
		known, change, err := u.settle(ctx, tx, who, granted)
		if err != nil || known.ID == "" {
			return err
		}
		admitted = granted != nil && !known.Disabled
		if admitted {
			err = keepSSO(ctx, tx, known.ID, s)
		} else {
			err = endLogins(ctx, tx, known.ID)
		}
		if err != nil {
			return err
		}
		if user, err = one(ctx, tx, "WHERE u.id = $1", known.ID); err != nil || change == "" {
			return err
		}
		ctx := audit.As(ctx, audit.Actor{Kind: audit.User, ID: user.ID, Name: user.Login})
		return audit.Write(ctx, tx, user.become(change))
	})
	return user, admitted, err
}

// keepSSO keeps a login that the provider vouches for.
func keepSSO(ctx context.Context, tx pgx.Tx, user string, s Fresh) error {
	if _, err := db.Exec(ctx, tx, "noting the login", "UPDATE app_user SET last_login_at = now() WHERE id = $1", user); err != nil {
		return err
	}
	if err := keepLogin(ctx, tx, user, s); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, "marking it", "UPDATE login_session SET sso = true, logout_hint = $2 WHERE id = $1", s.ID, s.LogoutHint)
	return err
}

// settle makes or changes a user as the provider has it, and returns them, and what was
// changed for the audit log. Nobody is returned where there is none and none is made.
func (u *Users) settle(ctx context.Context, tx pgx.Tx, who Identity, granted *Access) (known User, change string, err error) {
	if known, err = ofIdentity(ctx, tx, who); err != nil && !errors.Is(err, ErrNone) {
		return User{}, "", err
	}
	if errors.Is(err, ErrNone) {
		if granted == nil {
			return User{}, "", nil
		}
		// Another login of theirs may make them at this moment.
		if _, err := db.Exec(ctx, tx, "waiting for others", "SELECT pg_advisory_xact_lock($1)", int64(usersLock)); err != nil {
			return User{}, "", err
		}
		if known, err = ofIdentity(ctx, tx, who); errors.Is(err, ErrNone) {
			known, err = makeSSO(ctx, tx, who, *granted)
			return known, userMade, err
		}
		if err != nil {
			return User{}, "", err
		}
	}
	want, change := nothing(), userRoleLost
	if granted != nil {
		change = userProviderAccess
		if want, err = existing(ctx, tx, *granted); err != nil {
			return User{}, "", err
		}
	}
	if known.Access.equal(want) {
		return known, "", nil
	}
	return known, change, setAccess(ctx, tx, known.ID, want)
}

// nothing is what somebody has whose groups give no role any more.
func nothing() Access { return Access{Role: directory.RoleViewer, Limited: true} }

func (a Access) equal(b Access) bool {
	return a.Role == b.Role && a.Limited == b.Limited && slices.Equal(slices.Sorted(slices.Values(a.Groups)), slices.Sorted(slices.Values(b.Groups)))
}

// ofIdentity returns the user whom the provider calls so, whose row is locked, or
// ErrNone.
func ofIdentity(ctx context.Context, tx pgx.Tx, who Identity) (User, error) {
	var id string
	err := tx.QueryRow(ctx, `SELECT u.id FROM sso_user s JOIN app_user u ON u.id = s.usr WHERE s.issuer = $1 AND s.subject = $2
		FOR NO KEY UPDATE OF u`, who.Issuer, who.Subject).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, ErrNone
	}
	if err != nil {
		return User{}, fmt.Errorf("looking up an identity: %w", err)
	}
	return one(ctx, tx, "WHERE u.id = $1", id)
}

// makeSSO makes the user of an identity. Whoever has the name already keeps it, and
// nobody becomes them by it.
func makeSSO(ctx context.Context, tx pgx.Tx, who Identity, granted Access) (User, error) {
	access, err := existing(ctx, tx, granted)
	if err != nil {
		return User{}, err
	}
	id, err := add(ctx, tx, who.Login, access)
	if errors.Is(err, ErrExists) {
		sum := sha256.Sum256([]byte(who.Issuer + "\x00" + who.Subject))
		id, err = add(ctx, tx, who.Login+"~"+hex.EncodeToString(sum[:])[:nameDigits], access)
	}
	if err != nil {
		return User{}, err
	}
	if _, err := db.Exec(ctx, tx, "keeping the identity", "INSERT INTO sso_user (issuer, subject, usr) VALUES ($1, $2, $3)", who.Issuer, who.Subject, id); err != nil {
		return User{}, err
	}
	return one(ctx, tx, "WHERE u.id = $1", id)
}

// existing returns a without groups that do not exist: who is limited to none sees none.
func existing(ctx context.Context, tx pgx.Tx, a Access) (Access, error) {
	if !a.Limited {
		return a, nil
	}
	rows, err := tx.Query(ctx, "SELECT name FROM machine_group WHERE name = ANY($1) ORDER BY name LIMIT $2", a.Groups, MaxGroups)
	if err != nil {
		return a, fmt.Errorf("reading groups: %w", err)
	}
	if a.Groups, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return a, fmt.Errorf("reading groups: %w", err)
	}
	return a, nil
}

// refuseSSO returns ErrBySSO of a user of whom the provider decides.
func refuseSSO(ctx context.Context, tx pgx.Tx, user string) error {
	n, err := db.Exec(ctx, tx, "looking for an identity", "SELECT FROM sso_user WHERE usr = $1", user)
	if err == nil && n > 0 {
		err = ErrBySSO
	}
	return err
}

// LogoutHint returns what was kept with a login to log out at the provider; nothing for
// one by password.
func (u *Users) LogoutHint(ctx context.Context, session string) (sso bool, hint []byte, err error) {
	err = u.db.AskOnce(ctx, "looking up a login", "SELECT sso, logout_hint FROM login_session WHERE id = $1", session, &sso, &hint)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil, nil
	}
	return sso, hint, err
}
