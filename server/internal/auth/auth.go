// Package auth tells who is calling: it checks bearer credentials against the
// store and answers 401, 403 and 429 by itself.
package auth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store"
)

// lookupTimeout bounds the look-up of a credential, so that callers learn
// quickly that the database is away.
const lookupTimeout = 5 * time.Second

// Guard checks who calls.
type Guard struct {
	store    *store.Store
	failures *Failures
}

// NewGuard makes a guard over the store's credentials.
func NewGuard(s *store.Store, failures *Failures) *Guard {
	return &Guard{store: s, failures: failures}
}

// Reader lets API tokens with that role through: a viewer's route also admins.
func (g *Guard) Reader(role store.Role) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, err := g.checkReader(r, role)
			if err != nil {
				problem.Write(w, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, token)))
		})
	}
}

// callerKey is where a request's context keeps the token that it came with.
type callerKey struct{}

// Caller is the API token that a request which Reader let through came with.
// Without one it is a token that sees nothing.
func Caller(ctx context.Context) store.Token {
	if token, ok := ctx.Value(callerKey{}).(store.Token); ok {
		return token
	}
	return store.Token{Role: store.RoleViewer, Limited: true}
}

// Scope is which machines the caller may see.
func Scope(ctx context.Context) store.Scope {
	token := Caller(ctx)
	return token.Scope()
}

// Again gives a token that came with a request as it is now, or store.ErrNotFound
// where it was revoked since.
func (g *Guard) Again(ctx context.Context, token store.Token) (store.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	token, _, err := g.store.TokenByID(ctx, token.ID)
	return token, err
}

func (g *Guard) checkReader(r *http.Request, role store.Role) (store.Token, error) {
	c, err := g.credential(r)
	if err != nil {
		return store.Token{}, err
	}
	if c.Kind == secret.KindHost {
		if _, err := g.host(r, c); err != nil {
			return store.Token{}, err
		}
		return store.Token{}, problem.New(http.StatusForbidden, api.CodeForbidden, "A host's credential only reports events; reading needs an API token.")
	}
	token, err := g.token(r, c)
	if err != nil {
		return store.Token{}, err
	}
	if role == store.RoleAdmin && token.Role != store.RoleAdmin {
		return store.Token{}, problem.New(http.StatusForbidden, api.CodeForbidden, "This needs an API token with the role admin.")
	}
	return token, nil
}

// Host gives the enrolled host that calls, or the refusal to answer with.
func (g *Guard) Host(r *http.Request) (store.Host, error) {
	c, err := g.credential(r)
	if err != nil {
		return store.Host{}, err
	}
	if c.Kind == secret.KindToken {
		if _, err := g.token(r, c); err != nil {
			return store.Host{}, err
		}
		return store.Host{}, problem.New(http.StatusForbidden, api.CodeForbidden,
			"An API token can't report events; that needs a host's credential (trackctl enroll).")
	}
	host, err := g.host(r, c)
	if err != nil || host.CredentialUsed {
		return host, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	if err := g.store.MarkUsed(ctx, c.ID); err != nil {
		return store.Host{}, Answer(err)
	}
	return host, nil
}

// Sender is Host for callers that go on to write events: where the credential was
// known a moment ago, the database is not asked, and the write refuses it with
// store.ErrRevoked if it has been revoked since.
func (g *Guard) Sender(r *http.Request) (store.Host, error) {
	c, err := g.credential(r)
	if err != nil {
		return store.Host{}, err
	}
	if host, hash, ok := g.store.RememberedHost(c.ID); ok && c.Kind == secret.KindHost && c.Matches(hash) {
		return host, nil
	}
	return g.Host(r)
}

// Revoked refuses a credential that was revoked after Sender knew it.
func (g *Guard) Revoked(r *http.Request) error { return g.unknown(r) }

// credential reads the Authorization header.
func (g *Guard) credential(r *http.Request) (secret.Credential, error) {
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return secret.Credential{}, g.Refuse(r, api.CodeUnauthorized, "Send the header: Authorization: Bearer CREDENTIAL")
	}
	c, err := secret.Parse(strings.TrimSpace(text))
	if err != nil || c.Kind == secret.KindEnrollment {
		return secret.Credential{}, g.unknown(r)
	}
	return c, nil
}

func (g *Guard) token(r *http.Request, c secret.Credential) (store.Token, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	token, hash, err := g.store.TokenByID(ctx, c.ID)
	return token, g.verdict(r, c, hash, err)
}

func (g *Guard) host(r *http.Request, c secret.Credential) (store.Host, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	host, hash, err := g.store.HostByCredential(ctx, c.ID)
	return host, g.verdict(r, c, hash, err)
}

func (g *Guard) verdict(r *http.Request, c secret.Credential, hash []byte, err error) error {
	if errors.Is(err, store.ErrNotFound) || err == nil && !c.Matches(hash) {
		return g.unknown(r)
	}
	return Answer(err)
}

func (g *Guard) unknown(r *http.Request) error {
	return g.Refuse(r, api.CodeUnauthorized, "The credential is unknown or was revoked.")
}

// Refuse counts a failed attempt and gives the refusal: 401 with that code, or
// 429 once the caller's address has failed too often. A good credential is
// never refused for its address, since everybody behind one proxy shares it.
func (g *Guard) Refuse(r *http.Request, code api.Code, detail string) error {
	wait, limited := g.failures.Failed(address(r))
	if limited {
		e := problem.New(http.StatusTooManyRequests, api.CodeRateLimited, "Too many failed attempts from this address; wait before the next.")
		e.RetryAfter = wait
		return e
	}
	return problem.New(http.StatusUnauthorized, code, detail)
}

// Answer turns an error of the store into what the caller is told.
func Answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrUnavailable):
		return problem.Unavailable(err)
	default:
		return problem.Internal(err)
	}
}

func address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// A unix socket: all of them are one address.
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
