package auth

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/users"
)

// Cookie is what a browser keeps a login in. The prefix has it take it from this host
// alone, over TLS, and send it to all of it.
const Cookie = "__Host-activity-tracker"

// SetCookie has the browser keep a login until it ends; empty: keep none.
func SetCookie(w http.ResponseWriter, value string) {
	c := &http.Cookie{Name: Cookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// errLoginEnded is the answer to a cookie of no login.
var errLoginEnded = problem.New(api.CodeUnauthorized, "The login has ended; log in again.")

// hasLogin reports whether a request brings a login along.
func hasLogin(r *http.Request) bool {
	_, err := r.Cookie(Cookie)
	return err == nil
}

// FromOwnPage refuses what another site's page has a browser send along with its
// cookies: a change that such a page asks for, or a form for a body.
func FromOwnPage(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return problem.New(api.CodeForbidden, "A page of another site asked for this.")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.ContentLength != 0 && (err != nil || media != "application/json") {
		return problem.New(api.CodeUnsupportedType, "Send the body with the header: Content-Type: application/json")
	}
	return nil
}

// login returns who has logged in. That a login has ended is no failed attempt: a
// browser goes on sending its cookie.
func (g *Guard) login(r *http.Request) (Principal, error) {
	var none Principal
	if err := FromOwnPage(r); err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	id, known, err := g.loginSession(ctx, r)
	if err != nil {
		return none, err
	}
	if !known.Seen {
		if err := g.users.See(ctx, id); err != nil {
			return none, Answer(err)
		}
	}
	return loggedIn(id, known), nil
}

// loginSession returns the login that a request brings along.
func (g *Guard) loginSession(ctx context.Context, r *http.Request) (id string, known users.Caller, err error) {
	c, err := LoginOf(r)
	if err != nil {
		return "", known, err
	}
	known, err = g.users.Caller(ctx, c.ID)
	if errors.Is(err, db.ErrNotFound) || err == nil && (!c.Matches(known.Hash) || g.onlySSO && !known.SSO && known.Machine == 0) {
		return "", known, errLoginEnded
	}
	return c.ID, known, Answer(err)
}

// LoginOf returns what a browser keeps of its login, whether that lasts or not.
func LoginOf(r *http.Request) (secret.Credential, error) {
	cookie, err := r.Cookie(Cookie)
	if err != nil {
		return secret.Credential{}, errLoginEnded
	}
	c, err := secret.Parse(cookie.Value)
	if err != nil || c.Kind != secret.KindLogin {
		return secret.Credential{}, errLoginEnded
	}
	return c, nil
}

// LoginSession returns the id of the login that a request brings along, if it lasts.
func (g *Guard) LoginSession(r *http.Request) string {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	id, _, err := g.loginSession(ctx, r)
	if err != nil {
		return ""
	}
	return id
}

// LoggedIn returns whom the login stands for that a request brings along; the zero value
// where it brings none that lasts. It is in use then, as by any call.
func (g *Guard) LoggedIn(r *http.Request) (Principal, error) {
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	id, known, err := g.loginSession(ctx, r)
	if errors.Is(err, errLoginEnded) {
		return Principal{}, nil
	}
	if err == nil && !known.Seen {
		err = Answer(g.users.See(ctx, id))
	}
	return loggedIn(id, known), err
}

// loggedIn returns whom a login stands for. One that opens an account alone has an id for
// limits, and names nobody.
func loggedIn(id string, c users.Caller) Principal {
	p := Principal{ID: c.UserID, Name: c.Login, Role: c.Role, Scope: c.Scope, LoginSession: id, Machine: c.Machine}
	if c.Machine != 0 {
		p.ID = "account " + strconv.Itoa(int(c.Machine))
	}
	return p
}
