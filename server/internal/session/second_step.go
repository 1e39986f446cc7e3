package session

import (
	"context"
	"errors"

	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/totp"
)

// issuer is what devices call the server.
const issuer = "Activity Tracker"

// Errors of the second step.
var (
	// ErrCodeNeeded means that the password is right and a code is to come with it.
	ErrCodeNeeded = errors.New("a code of the second step is needed")
	// ErrWrongCode means that a code is wrong, or was used before.
	ErrWrongCode = errors.New("the code is wrong or was used")
)

// code checks the code of somebody whose password is right. That it was not used before
// is for the store to find, with what is done by it.
func (l *Logins) code(k *proven, who pair, typed string) error {
	switch {
	case k.Secret == nil:
		return nil
	case typed == "":
		return ErrCodeNeeded
	}
	if wait := l.attempts.beginCode(who); wait > 0 {
		return WaitError(wait)
	}
	step, ok := totp.Match(k.Secret, typed, l.now(), k.Step)
	if ok {
		k.spent = users.Spent{Step: step}
	} else {
		k.spent = users.Spent{Recovery: totp.HashRecovery(typed)}
	}
	return nil
}

// noCode asks for none, of somebody who is logged in.
func noCode(*proven, pair, string) error { return nil }

// Device is what a device is to know for a second step, as people type it and as a QR
// code holds it.
type Device struct{ Secret, URI string }

// BeginSecondStep begins to set up a second step for a user who knows the password, and
// a code of the one that there is. Nothing changes until ConfirmSecondStep. Errors are
// Begin's.
func (l *Logins) BeginSecondStep(ctx context.Context, userID, password, code string, from From) (Device, error) {
	user, err := l.users.ByID(ctx, userID)
	if err != nil {
		return Device{}, err
	}
	fresh := totp.NewSecret()
	err = l.prove(ctx, Proof{Login: user.Login, Password: password, Code: code}, from, l.code, func(k proven) error {
		return l.users.BeginSecondStep(ctx, k.Known, k.spent, fresh)
	})
	return Device{Secret: totp.Text(fresh), URI: totp.URI(fresh, issuer, user.Login)}, err
}

// EndSecondStep takes the second step away of a user who knows the password and a code, and
// ends all their logins. Where there is none nothing changes. Errors are Begin's.
func (l *Logins) EndSecondStep(ctx context.Context, userID, password, code string, from From) error {
	user, err := l.users.ByID(ctx, userID)
	if err != nil {
		return err
	}
	return l.prove(ctx, Proof{Login: user.Login, Password: password, Code: code}, from, l.code, func(k proven) error {
		if k.Secret == nil {
			return nil
		}
		return l.users.EndSecondStep(ctx, k.Known, k.spent)
	})
}

// ConfirmSecondStep has a second step in force from now on, for who shows that the device
// knows it, and returns recovery codes. All logins but the one given end. Errors are
// ErrWrongCode and users.ErrNoneBegun.
func (l *Logins) ConfirmSecondStep(ctx context.Context, userID, session, code string) ([]string, error) {
	secret, err := l.users.PendingSecondStep(ctx, userID)
	if err != nil {
		return nil, err
	}
	step, ok := totp.Match(secret, code, l.now(), 0)
	if !ok {
		return nil, ErrWrongCode
	}
	codes := totp.NewRecoveryCodes()
	var hashes [][]byte
	for _, c := range codes {
		hashes = append(hashes, totp.HashRecovery(c))
	}
	return codes, l.users.ConfirmSecondStep(ctx, userID, session, secret, step, hashes)
}
