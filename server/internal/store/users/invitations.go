package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

// InvitationExpiry is for how long an invitation is good by default: a weekend.
const InvitationExpiry = 72 * time.Hour

// Invitation is a link by which somebody sets their password, without its secret.
type Invitation struct {
	ID   string
	Hash []byte
	// ExpiresAt is until when it is good.
	ExpiresAt time.Time
}

// Invite makes a user and an invitation, or returns ErrExists, ErrTooMany or
// directory.ErrNoGroup.
func (u *Users) Invite(ctx context.Context, login string, a Access, inv Invitation) (invited User, err error) {
	err = u.db.Write(ctx, "inviting a user", func(tx pgx.Tx) error {
		id, err := add(ctx, tx, login, a)
		if err != nil {
			return err
		}
		if err := keep(ctx, tx, id, inv); err != nil {
			return err
		}
		if invited, err = one(ctx, tx, "WHERE u.id = $1", id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, invited.become(userInvited))
	})
	return invited, err
}

// InviteAgain makes another invitation for a user, as for one who has forgotten the
// password, in the place of any before; or returns ErrNone, ErrDisabled or ErrBySSO. Their
// password and logins stay until it is accepted.
func (u *Users) InviteAgain(ctx context.Context, id string, inv Invitation) (User, error) {
	return u.change(ctx, "inviting a user again", userInvited, id, func(tx pgx.Tx) error {
		invited, err := one(ctx, tx, "WHERE u.id = $1", id)
		if err == nil && invited.SSO {
			err = ErrBySSO
		}
		if err == nil && invited.Disabled {
			err = ErrDisabled
		}
		if err != nil {
			return err
		}
		return keep(ctx, tx, id, inv)
	})
}

func keep(ctx context.Context, tx pgx.Tx, user string, inv Invitation) error {
	_, err := db.Exec(ctx, tx, "keeping the invitation", `INSERT INTO invitation (id, usr, secret_hash, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (usr) DO UPDATE SET id = EXCLUDED.id, secret_hash = EXCLUDED.secret_hash,
			created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at`, inv.ID, user, inv.Hash, inv.ExpiresAt)
	return err
}

// Invited returns whom an invitation is for, if its secret is right; else
// ErrInvitation.
func (u *Users) Invited(ctx context.Context, invitation string, matches func(hash []byte) bool) (invited User, err error) {
	err = u.db.Read(ctx, "looking up an invitation", func(tx pgx.Tx) (err error) {
		invited, err = find(ctx, tx, invitation, matches)
		return err
	})
	return invited, err
}

func find(ctx context.Context, tx pgx.Tx, invitation string, matches func([]byte) bool) (User, error) {
	var user string
	var hash []byte
	err := tx.QueryRow(ctx, "SELECT usr, secret_hash FROM invitation WHERE id = $1 AND expires_at > now()", invitation).Scan(&user, &hash)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !matches(hash) {
		return User{}, ErrInvitation
	}
	if err != nil {
		return User{}, fmt.Errorf("reading: %w", err)
	}
	return one(ctx, tx, "WHERE u.id = $1 AND NOT u.disabled", user)
}

// Accept sets the password that an invitation is for, once, and ends all logins that
// were there; or returns ErrInvitation.
func (u *Users) Accept(ctx context.Context, invitation string, matches func(hash []byte) bool, passwordHash string) (User, error) {
	invited, err := u.Invited(ctx, invitation, matches)
	if err != nil {
		return User{}, err
	}
	ctx = audit.As(ctx, audit.Actor{Kind: audit.User, ID: invited.ID, Name: invited.Login})
	return u.change(ctx, "accepting an invitation", userPassword, invited.ID, func(tx pgx.Tx) error {
		// Of two at once the second waits at the user's row, and finds nothing.
		if _, err := find(ctx, tx, invitation, matches); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "using it up", "DELETE FROM invitation WHERE id = $1", invitation); err != nil {
			return err
		}
		return setPassword(ctx, tx, invited.ID, passwordHash)
	})
}

// setPassword sets a password and ends all logins.
func setPassword(ctx context.Context, tx pgx.Tx, user, hash string) error {
	if _, err := db.Exec(ctx, tx, "setting the password", "UPDATE app_user SET password_hash = $2 WHERE id = $1", user, hash); err != nil {
		return err
	}
	return endLogins(ctx, tx, user)
}
