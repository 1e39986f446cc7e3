package sso

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/users"
)

// maxSubjectBytes bounds what a provider calls somebody; the standard has 255.
const maxSubjectBytes = 255

// Attempt is what ties one login to one browser: state is shown by the browser that comes
// back, nonce by the token, the verifier by this server when it fetches that (PKCE).
type Attempt struct{ State, nonce, verifier string }

// AttemptOf makes them of what the browser keeps, which alone has it.
func AttemptOf(c secret.Credential) Attempt {
	of := func(purpose string) string { return base64.RawURLEncoding.EncodeToString(c.Derive("sso " + purpose)) }
	return Attempt{State: of("state"), nonce: of("nonce"), verifier: of("verifier")}
}

// Came reports whether the browser comes back from this attempt.
func (a Attempt) Came(state string) bool { return equal(a.State, state) }

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// AuthURL returns where the browser logs in, or ErrDown.
func (p *Provider) AuthURL(ctx context.Context, a Attempt) (string, error) {
	f, err := p.find(ctx)
	if err != nil {
		return "", err
	}
	return p.config(f).AuthCodeURL(a.State, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), nil
}

// Named is whom the provider has named.
type Named struct {
	users.Identity
	// Access is what their groups give; nil: nothing.
	Access *users.Access
	// Token is the ID token, to log out with.
	Token string
}

// Identify asks the provider who came back with that code. issuer is what the browser
// brought as iss; empty: nothing. Errors are ErrDown and ErrRefused.
func (p *Provider) Identify(ctx context.Context, a Attempt, code, issuer string) (Named, error) {
	f, err := p.find(ctx)
	if err != nil {
		return Named{}, err
	}
	if issuer != "" && !equal(issuer, p.Issuer) || issuer == "" && f.namesItself {
		return Named{}, refused("the browser comes from another provider")
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.config(f).Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return Named{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Named{}, refused("there is no ID token")
	}
	id, err := f.verifier.Verify(ctx, raw)
	if err != nil {
		return Named{}, verifyError(err)
	}
	claims, err := p.check(a, id, token)
	if err != nil {
		return Named{}, err
	}
	if err := p.addUserInfo(ctx, f, token, claims); err != nil {
		return Named{}, err
	}
	who := users.Identity{Issuer: p.Issuer, Subject: id.Subject, Login: claims.login(p.Issuer)}
	return Named{Identity: who, Access: p.Roles.Access(claims.list(p.GroupsClaim)), Token: raw}, nil
}

// check checks what the library leaves to its caller.
func (p *Provider) check(a Attempt, id *oidc.IDToken, token *oauth2.Token) (claims, error) {
	c := claims{}
	if err := id.Claims(&c); err != nil {
		return nil, refused("its claims can't be read")
	}
	authorized := c.text("azp")
	switch {
	case !equal(id.Nonce, a.nonce):
		return nil, refused("the nonce is another's")
	case c.text("iss") != id.Issuer, c.text("sub") != id.Subject, c.text("nonce") != id.Nonce:
		// The library takes a claim for another whose name has other capitals.
		return nil, refused("it says something twice")
	case id.Subject == "" || len(id.Subject) > maxSubjectBytes || strings.ContainsRune(id.Subject, 0):
		return nil, refused("it names nobody")
	case authorized != "" && authorized != p.ClientID, authorized == "" && len(id.Audience) > 1:
		return nil, refused("it was made for another program")
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return nil, refused("the access token is another's")
	}
	return c, nil
}

// exchangeError is what a refused code means. What the provider wrote is not kept but for
// its one word.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 500:
		return down("its tokens", errors.New(answer.Response.Status))
	case errors.As(err, &answer):
		return refused("the provider says " + brief(errors.New(answer.ErrorCode)))
	case isNet(err):
		return down("its tokens", err)
	}
	return refused("it gives no token")
}

func isNet(err error) bool {
	var asked *url.Error
	return errors.As(err, &asked) || errors.Is(err, context.DeadlineExceeded)
}

// verifyError is what a bad ID token means: where the keys can't be had, nobody knows.
func verifyError(err error) error {
	if strings.Contains(err.Error(), "fetching keys") {
		return down("its keys", err)
	}
	return refused(brief(err))
}

// addUserInfo adds the claims that the provider only tells when it is asked again: where
// the ID token has no groups, or no name.
func (p *Provider) addUserInfo(ctx context.Context, f *found, token *oauth2.Token, c claims) error {
	_, groups := c[p.GroupsClaim]
	if groups && c.name() != "" || f.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := f.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		if groups {
			return nil // a name is not worth a login
		}
		return down("about a user", err)
	}
	if info.Subject != c.text("sub") {
		return refused("it tells of another user")
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return refused("its claims can't be read")
	}
	for name, value := range more {
		if _, there := c[name]; !there {
			c[name] = value
		}
	}
	return nil
}

// claims are what a provider says of somebody, by name.
type claims map[string]json.RawMessage

func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// list reads a claim of names: a list of texts, one text, or an object whose keys they
// are.
func (c claims) list(name string) []string {
	var names []string
	var one string
	var keys map[string]json.RawMessage
	switch raw := c[name]; {
	case raw == nil:
	case json.Unmarshal(raw, &names) == nil:
	case json.Unmarshal(raw, &one) == nil:
		names = []string{one}
	case json.Unmarshal(raw, &keys) == nil:
		names = nil
		for key := range keys {
			names = append(names, key)
		}
	default:
		names = nil
	}
	if len(names) > maxGroups {
		return nil
	}
	return names
}

// name is what somebody is called, if it can be a login name.
func (c claims) name() string {
	for _, claim := range []string{"preferred_username", "email"} {
		if login, err := password.Login(c.text(claim)); err == nil {
			return login
		}
	}
	return ""
}

// maxNameBytes leaves room behind a name for what tells two of one name apart.
const maxNameBytes = password.MaxLoginBytes - 16

// login is what a new user is called: it is shown, and nobody is known by it.
func (c claims) login(issuer string) string {
	if name := c.name(); name != "" && len(name) <= maxNameBytes {
		return name
	}
	sum := sha256.Sum256([]byte(issuer + "\x00" + c.text("sub")))
	return "sso-" + hex.EncodeToString(sum[:8])
}
