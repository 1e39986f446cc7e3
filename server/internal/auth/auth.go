// Package auth finds out who is calling: it checks bearer credentials and logins
// against the store and answers 401, 403 and 429 by itself.
package auth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// lookupTimeout bounds the look-up of a credential, so that callers learn
// quickly that the database is away.
const lookupTimeout = 5 * time.Second

// Guard checks who calls.
type Guard struct {
	directory *directory.Directory
	users     *users.Users
	failures  *Failures
	// onlySSO means that no login by password is good.
	onlySSO bool
}

// OnlySSO has the guard take no login but those by single sign-on.
func (g *Guard) OnlySSO() { g.onlySSO = true }

// NewGuard creates a guard over the store's credentials and logins.
func NewGuard(dir *directory.Directory, u *users.Users, failures *Failures) *Guard {
	return &Guard{directory: dir, users: u, failures: failures}
}

// Rule is who may use a route.
type Rule struct {
	Roles []directory.Role
	// LoginOnly means that it is about the login itself, which an API token has not.
	LoginOnly bool
}

// Let lets those callers through who may, by the rule of a request.
func (g *Guard) Let(rule func(*http.Request) Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, err := g.caller(r)
			if err == nil {
				err = rule(r).check(caller)
			}
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(As(r.Context(), caller)))
		})
	}
}

// Permits reports whether a caller may.
func (rule Rule) Permits(p Principal) bool { return rule.check(p) == nil }

// check refuses a caller who may not.
func (rule Rule) check(p Principal) error {
	switch {
	case rule.LoginOnly && p.LoginSession == "":
		return problem.New(api.CodeForbidden, "This is for people who have logged in, not for an API token.")
	case !slices.Contains(rule.Roles, p.Role):
		return problem.New(api.CodeForbidden, "This is not for the role "+string(p.Role)+".")
	}
	return nil
}

// Principal is who calls: an API token or somebody who has logged in. It holds what a
// permission depends on, whatever it came from.
type Principal struct {
	// ID names the caller, for limits: a token's or a user's. Name is for people.
	ID   string
	Name string
	Role directory.Role
	// Scope is which machines the caller may see.
	Scope directory.Scope
	// LoginSession is the login's id; empty: it is a token.
	LoginSession string
	// Machine is the row of the one account that the login opens; 0: it is a user's.
	Machine int32
}

// actor returns who changes what the caller has changed.
func (p Principal) actor() audit.Actor {
	a := audit.Actor{Kind: audit.Token, ID: p.ID, Name: p.Name}
	switch {
	case p.Role == directory.RoleSelf:
		a.Kind = audit.Self
	case p.LoginSession != "":
		a.Kind = audit.User
	}
	return a
}

// principalOf returns whom a token stands for.
func principalOf(t directory.Token) Principal {
	return Principal{ID: t.ID, Name: t.Name, Role: t.Role, Scope: t.Scope()}
}

// principalKey is where a request's context keeps who calls.
type principalKey struct{}

// Caller returns who calls in a request that Let let through. Without one it is
// somebody who sees nothing.
func Caller(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok {
		return p
	}
	return Principal{Scope: directory.Nothing()}
}

// As returns a context whose caller, and who changes what is changed, is that one.
func As(ctx context.Context, p Principal) context.Context {
	return audit.As(context.WithValue(ctx, principalKey{}, p), p.actor())
}

// Within returns a context whose caller sees nothing but that.
func Within(ctx context.Context, scope directory.Scope) context.Context {
	p := Caller(ctx)
	p.Scope = scope
	return context.WithValue(ctx, principalKey{}, p)
}

// Again returns a caller as it is now, or db.ErrNotFound where it may no longer
// call at all. Who now has a role that sees nobody has a scope of nothing.
func (g *Guard) Again(ctx context.Context, p Principal) (Principal, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if p.LoginSession != "" {
		c, err := g.users.Caller(ctx, p.LoginSession)
		return loggedIn(p.LoginSession, c), err
	}
	token, _, err := g.directory.TokenByID(ctx, p.ID)
	return principalOf(token), err
}

// caller returns who calls: by the credential that is sent for this purpose, else by
// the cookie that a browser sends along.
func (g *Guard) caller(r *http.Request) (Principal, error) {
	if len(r.Header.Values("Authorization")) == 0 && hasLogin(r) {
		return g.login(r)
	}
	var none Principal
	c, err := g.credential(r)
	if err != nil {
		return none, err
	}
	if c.Kind == secret.KindHost {
		if _, err := g.host(r, c); err != nil {
			return none, err
		}
		return none, problem.New(api.CodeForbidden, "A host's credential only reports events; reading needs an API token.")
	}
	token, err := g.token(r, c)
	return principalOf(token), err
}

// Host returns the enrolled host that calls, or the refusal to answer with.
func (g *Guard) Host(r *http.Request) (directory.Host, error) {
	c, err := g.credential(r)
	if err != nil {
		return directory.Host{}, err
	}
	if c.Kind == secret.KindToken {
		if _, err := g.token(r, c); err != nil {
			return directory.Host{}, err
		}
		return directory.Host{}, problem.New(api.CodeForbidden,
			"An API token can't report events; that needs a host's credential (trackctl enroll).")
	}
	host, err := g.host(r, c)
	if err != nil || host.CredentialUsed {
		return host, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	if err := g.directory.MarkUsed(ctx, c.ID); err != nil {
		return directory.Host{}, Answer(err)
	}
	return host, nil
}

// Sender is Host for callers that go on to write events: where the credential was
// known a moment ago, the database is not asked, and the write refuses it with
// events.ErrRevoked if it has been revoked since.
func (g *Guard) Sender(r *http.Request) (directory.Host, error) {
	c, err := g.credential(r)
	if err != nil {
		return directory.Host{}, err
	}
	if host, hash, ok := g.directory.RememberedHost(c.ID); ok && c.Kind == secret.KindHost && c.Matches(hash) {
		return host, nil
	}
	return g.Host(r)
}

// Revoked refuses a credential that was revoked after Sender knew it.
func (g *Guard) Revoked(r *http.Request) error { return g.unknown(r) }

// credential reads the Authorization header. Of two a proxy before this server may have
// validated the other.
func (g *Guard) credential(r *http.Request) (secret.Credential, error) {
	headers := r.Header.Values("Authorization")
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(headers) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
		return secret.Credential{}, g.Refuse(r, api.CodeUnauthorized, "Send the header once: Authorization: Bearer CREDENTIAL")
	}
	c, err := secret.Parse(strings.TrimSpace(text))
	if err != nil || c.Kind != secret.KindToken && c.Kind != secret.KindHost {
		return secret.Credential{}, g.unknown(r)
	}
	return c, nil
}

func (g *Guard) token(r *http.Request, c secret.Credential) (directory.Token, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	token, hash, err := g.directory.TokenByID(ctx, c.ID)
	return token, g.verdict(r, c, hash, err)
}

func (g *Guard) host(r *http.Request, c secret.Credential) (directory.Host, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	host, hash, err := g.directory.HostByCredential(ctx, c.ID)
	return host, g.verdict(r, c, hash, err)
}

func (g *Guard) verdict(r *http.Request, c secret.Credential, hash []byte, err error) error {
	if errors.Is(err, db.ErrNotFound) || err == nil && !c.Matches(hash) {
		return g.unknown(r)
	}
	return Answer(err)
}

func (g *Guard) unknown(r *http.Request) error {
	return g.Refuse(r, api.CodeUnauthorized, "The credential is unknown or was revoked.")
}

// Refuse counts a failed attempt and returns the refusal: 401 with that code, or
// 429 once the caller's address has failed too often. A good credential is
// never refused for its address, since everybody behind one proxy shares it.
func (g *Guard) Refuse(r *http.Request, code api.Code, detail string) error {
	wait, limited := g.failures.Failed(Address(r))
	if limited {
		e := problem.New(api.CodeRateLimited, "Too many failed attempts from this address; wait before the next.")
		e.RetryAfter = wait
		return e
	}
	return problem.New(code, detail)
}

// Answer turns an error of the store into a refusal.
func Answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, db.ErrUnavailable):
		return problem.Unavailable(err)
	default:
		return problem.Internal(err)
	}
}

// Address returns the address that a request comes from.
func Address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// A unix socket: all of them are one address.
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
