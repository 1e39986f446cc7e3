// Package session logs people in and out: it checks passwords, slows down who
// guesses, and lets invitations set passwords.
package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

const (
	// siteAtOnce is how many logins of one address may wait for their turn at once:
	// one that floods must not take all turns.
	siteAtOnce = 8
	// siteWait is how long one more waits for that.
	siteWait = 8 * time.Second
	// maxAgentBytes bounds what is kept of a browser's name.
	maxAgentBytes = 200
)

// Errors that callers distinguish.
var (
	// ErrWrong means that the name, the password or both are wrong, or that nobody
	// may log in with them: the caller never learns which.
	ErrWrong = errors.New("the login name or the password is wrong")
	// ErrBusy means that too many log in at once.
	ErrBusy = errors.New("too many people log in at once")
)

// WaitError means that too many attempts failed.
type WaitError time.Duration

// Error returns for how long to wait.
func (e WaitError) Error() string {
	return "too many failed attempts: wait for " + time.Duration(e).String()
}

// Logins begins and ends them.
type Logins struct {
	users    *users.Users
	hasher   *password.Hasher
	attempts *attempts
	now      func() time.Time
	limiter  *limiter.Limiter[netip.Addr]
}

// New returns the logins of these users.
func New(u *users.Users, h *password.Hasher, now func() time.Time) *Logins {
	return &Logins{users: u, hasher: h, attempts: newAttempts(now), now: now, limiter: limiter.New[netip.Addr](siteAtOnce, siteWait)}
}

// From is where somebody calls from, and with what.
type From struct {
	Address netip.Addr
	Agent   string
}

// Proof is what somebody shows to be who they are. Code is that of the second step,
// where they have one.
type Proof struct{ Login, Password, Code string }

// proven is what was found of somebody whose proof is right.
type proven struct {
	users.Known
	// typed is the password as it is hashed, weak whether its hash is.
	typed string
	weak  bool
	// spent is the code that they showed.
	spent users.Spent
}

// Begin logs somebody in. What the browser keeps is new each time; the login replaced,
// which the same browser had before, ends. Errors are ErrWrong, ErrBusy and WaitError.
func (l *Logins) Begin(ctx context.Context, p Proof, from From, replaced string) (users.User, secret.Credential, error) {
	fresh := secret.New(secret.KindLogin)
	var user users.User
	err := l.prove(ctx, p, from, l.code, func(k proven) (err error) {
		s := users.Fresh{
			ID: fresh.ID, Hash: fresh.Hash(), Replaces: replaced, Spent: k.spent,
			Address: from.AddressText(), Agent: from.AgentText(),
		}
		if k.weak {
			if s.Rehashed, err = l.hasher.Hash(ctx, k.typed); err != nil {
				return err
			}
		}
		user, err = l.users.Begin(ctx, k.Known, s)
		return err
	})
	return user, fresh, err
}

// ChangePassword sets another password for a user who knows the present one, and ends
// all their logins. Errors are Begin's, and password.InvalidError.
func (l *Logins) ChangePassword(ctx context.Context, userID, present, chosen string, from From) error {
	user, err := l.users.ByID(ctx, userID)
	if err != nil {
		return err
	}
	typed, err := password.Choice(user.Login, chosen)
	if err != nil {
		return err
	}
	return l.prove(ctx, Proof{Login: user.Login, Password: present}, from, noCode, func(k proven) error {
		hash, err := l.hasher.Hash(ctx, typed)
		if err != nil {
			return err
		}
		return l.users.ChangePassword(ctx, k.Known, hash)
	})
}

// Accept sets the password that an invitation is for. Errors are users.ErrInvitation,
// password.InvalidError and ErrBusy.
func (l *Logins) Accept(ctx context.Context, invitation secret.Credential, chosen string) (users.User, error) {
	invited, err := l.users.Invited(ctx, invitation.ID, invitation.Matches)
	if err != nil {
		return users.User{}, err
	}
	typed, err := password.Choice(invited.Login, chosen)
	if err != nil {
		return users.User{}, err
	}
	hash, err := l.hasher.Hash(ctx, typed)
	if err != nil {
		return users.User{}, busy(err)
	}
	return l.users.Accept(ctx, invitation.ID, invitation.Matches, hash)
}

// prove checks a password, in its turn and slowly where many failed, has code check that
// of the second step, and then calls do. Whether there is such a user shows neither in the answer nor in the time.
func (l *Logins) prove(ctx context.Context, p Proof, from From, code func(*proven, pair, string) error, do func(proven) error) error {
	login, loginErr := password.Login(p.Login)
	typed, typedErr := password.Typed(p.Password)
	who := pair{login: login, site: siteOf(from.Address)}
	if wait := l.attempts.begin(who); wait > 0 {
		return WaitError(wait)
	}
	end, ok := l.limiter.Take(ctx, who.site)
	if !ok {
		l.attempts.undo(who)
		return ErrBusy
	}
	defer end()
	if loginErr != nil || typedErr != nil {
		// What is no name or password is nobody's, whoever there is.
		l.attempts.failed(who)
		return ErrWrong
	}
	k, err := l.known(ctx, login, typed)
	if err == nil {
		err = code(&k, who, p.Code)
	}
	if err == nil {
		err = do(k)
	}
	switch {
	case errors.Is(err, users.ErrChanged) && p.Code != "" && k.Secret != nil:
		err = ErrWrongCode
	case errors.Is(err, users.ErrChanged):
		err = ErrWrong
	}
	switch {
	case err == nil:
		l.attempts.succeeded(who)
	case errors.Is(err, ErrWrong), errors.Is(err, ErrWrongCode):
		l.attempts.failed(who)
	default:
		l.attempts.undo(who)
	}
	return busy(err)
}

// known returns the user whose name and password these are, or ErrWrong.
func (l *Logins) known(ctx context.Context, login, typed string) (proven, error) {
	k, err := l.users.Known(ctx, login)
	if err != nil && !errors.Is(err, users.ErrNone) {
		return proven{}, err
	}
	right, weak, err := l.hasher.Verify(ctx, typed, k.Hash)
	if err == nil && (!right || k.Disabled) {
		err = ErrWrong
	}
	return proven{Known: k, typed: typed, weak: weak}, err
}

// busy makes an error of a hash that had no turn one of this package.
func busy(err error) error {
	if errors.Is(err, password.ErrBusy) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// AddressText is what is kept of the address.
func (f From) AddressText() string {
	addr := f.Address
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// AgentText is what is kept of a browser's name, which anybody may have written.
func (f From) AgentText() string {
	agent := f.Agent
	if len(agent) > maxAgentBytes {
		agent = strings.ToValidUTF8(agent[:maxAgentBytes], "")
	}
	if !text.Visible(agent) {
		return ""
	}
	return agent
}
