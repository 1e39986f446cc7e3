package users

import (
	"context"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// ErrNoneBegun means that no second step is being set up.
const ErrNoneBegun refusal = "no second step is being set up"

// Spent is a code of the second step that somebody has shown: by the number of its 30
// seconds, or a recovery code's hash. It works once.
type Spent struct {
	Step     int64
	Recovery []byte
}

// spend uses a code up, or returns ErrChanged where it has been used, or there is a
// second step and no code.
func spend(ctx context.Context, tx pgx.Tx, k Known, s Spent) error {
	var n int64
	var err error
	switch {
	case s.Step != 0:
		n, err = db.Exec(ctx, tx, "using a code", `UPDATE app_user SET totp_step = $3
			WHERE id = $1 AND totp_secret = $2 AND totp_step < $3`, k.ID, k.Secret, s.Step)
	case s.Recovery != nil:
		n, err = db.Exec(ctx, tx, "using a recovery code", "DELETE FROM recovery_code WHERE usr = $1 AND code_hash = $2", k.ID, s.Recovery)
	default:
		n, err = db.Exec(ctx, tx, "looking for a second step", "SELECT FROM app_user WHERE id = $1 AND totp_secret IS NULL", k.ID)
	}
	if err == nil && n == 0 {
		err = ErrChanged
	}
	return err
}

// BeginSecondStep keeps the secret of a second step that takes the place of any before
// once it is confirmed. k and s are of who asks, as for Begin.
func (u *Users) BeginSecondStep(ctx context.Context, k Known, s Spent, secret []byte) error {
	_, err := u.change(ctx, "setting up a second step", userSecondStepBegun, k.ID, func(tx pgx.Tx) error {
		if err := spend(ctx, tx, k, s); err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "keeping", "UPDATE app_user SET totp_pending = $3 WHERE id = $1 AND NOT disabled AND password_hash = $2", k.ID, k.Hash, secret)
		if err == nil && n == 0 {
			err = ErrChanged
		}
		return err
	})
	return err
}

// PendingSecondStep returns the secret that is being set up, or ErrNoneBegun.
func (u *Users) PendingSecondStep(ctx context.Context, user string) (secret []byte, err error) {
	err = u.db.AskOnce(ctx, "looking up a second step", "SELECT totp_pending FROM app_user WHERE id = $1", user, &secret)
	if err == nil && secret == nil {
		err = ErrNoneBegun
	}
	return secret, err
}

// ConfirmSecondStep puts the secret that was being set up in force, with the hashes of
// new recovery codes; its code of that step is used. All other logins than the one that
// stays end: they were made without it. It is ErrNoneBegun where another secret is being
// set up by now.
func (u *Users) ConfirmSecondStep(ctx context.Context, user, stays string, secret []byte, step int64, recovery [][]byte) error {
	_, err := u.change(ctx, "confirming a second step", userSecondStepConfirmed, user, func(tx pgx.Tx) error {
		n, err := db.Exec(ctx, tx, "putting it in force", `UPDATE app_user SET totp_secret = totp_pending, totp_pending = NULL, totp_step = $3
			WHERE id = $1 AND totp_pending = $2`, user, secret, step)
		if err == nil && n == 0 {
			err = ErrNoneBegun
		}
		if err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "taking old recovery codes away", "DELETE FROM recovery_code WHERE usr = $1", user); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "keeping recovery codes", "INSERT INTO recovery_code (usr, code_hash) SELECT $1, unnest($2::bytea[])", user, recovery); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, "ending other logins", "DELETE FROM login_session WHERE usr = $1 AND id <> $2", user, stays)
		return err
	})
	return err
}

// EndSecondStep is ForgetSecondStep by the user, who has shown what k and s are, as for Begin.
func (u *Users) EndSecondStep(ctx context.Context, k Known, s Spent) error {
	_, err := u.change(ctx, "ending a second step", userSecondStep, k.ID, func(tx pgx.Tx) error {
		if err := spend(ctx, tx, k, s); err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, "looking whether it is their password still", "SELECT FROM app_user WHERE id = $1 AND NOT disabled AND password_hash = $2", k.ID, k.Hash)
		if err == nil && n == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
		return forgetSecondStep(ctx, tx, k.ID)
	})
	return err
}

// ForgetSecondStep takes the second step of a user away, as of one who has lost the
// device, and ends all their logins; or returns ErrNone.
func (u *Users) ForgetSecondStep(ctx context.Context, user string) (User, error) {
	return u.change(ctx, "taking a second step away", userSecondStep, user, func(tx pgx.Tx) error {
		return forgetSecondStep(ctx, tx, user)
	})
}

func forgetSecondStep(ctx context.Context, tx pgx.Tx, user string) error {
	_, err := db.Exec(ctx, tx, "updating", "UPDATE app_user SET totp_secret = NULL, totp_pending = NULL WHERE id = $1", user)
	if err != nil {
		return err
	}
	if _, err := db.Exec(ctx, tx, "taking recovery codes away", "DELETE FROM recovery_code WHERE usr = $1", user); err != nil {
		return err
	}
	return endLogins(ctx, tx, user)
}
