// Package ssoapi answers browsers on their way to the provider of single sign-on and
// back.
package ssoapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/session"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/self"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

const (
	// Path is where a login begins; it is the way to nothing else.
	Path = "/login/sso"
	// cookie is what a browser keeps an attempt in. The prefix has it take it from this
	// host alone: nobody else can have put it there.
	cookie = "__Host-activity-tracker-sso"
	// startBurst is how many attempts one address may begin at once, startEvery how soon
	// one more: a thousand people behind one begin within minutes, and one that floods
	// does not push others' attempts out.
	startBurst = 400
	startEvery = 250 * time.Millisecond
	// maxNextBytes bounds a path, maxCodeBytes what a provider gives for a token.
	maxNextBytes = 2048
	maxCodeBytes = 4096
	// downRetry is when to try again where the provider does not answer.
	downRetry = 10 * time.Second
)

// API answers about single sign-on.
type API struct {
	provider *sso.Provider
	users    *users.Users
	self     *self.Self
	guard    *auth.Guard
	log      *slog.Logger
	starts   *auth.Failures
}

// New returns the answers; nil for the provider: there is no single sign-on.
func New(p *sso.Provider, u *users.Users, own *self.Self, guard *auth.Guard, log *slog.Logger, now func() time.Time) *API {
	return &API{provider: p, users: u, self: own, guard: guard, log: log, starts: auth.NewFailures(startBurst, startEvery, now)}
}

// errNone is the answer where there is no single sign-on.
var errNone = problem.NotFound("There is no single sign-on here: --sso-issuer")

// Begin sends the browser to the provider. A page of another site may lead here: it is
// whoever sits at this browser who logs in then, and what they come back to is ours.
func (a *API) Begin(w http.ResponseWriter, r *http.Request) {
	to, err := a.begin(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	see(w, to)
}

func (a *API) begin(w http.ResponseWriter, r *http.Request) (string, error) {
	if a.provider == nil {
		return "", errNone
	}
	// A picture or a script of another page is no way to log in.
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return "", problem.New(api.CodeForbidden, "Logging in is for a browser that goes there itself.")
	}
	next, err := ours(r.URL.Query().Get("next"))
	if err != nil {
		return "", err
	}
	if wait, limited := a.starts.Failed(auth.Address(r)); limited {
		e := problem.New(api.CodeUnavailable, "Too many logins begin at this address; try again.")
		e.RetryAfter, e.Cause = wait, errors.New("too many attempts of one address")
		return "", e
	}
	fresh := secret.New(secret.KindAttempt)
	to, err := a.provider.AuthURL(r.Context(), sso.AttemptOf(fresh))
	if err != nil {
		return "", a.answer(err)
	}
	if err := a.users.KeepAttempt(r.Context(), users.Attempt{ID: fresh.ID, Hash: fresh.Hash(), Next: next}); err != nil {
		return "", auth.Answer(err)
	}
	setAttempt(w, fresh.Reveal())
	return to, nil
}

// Callback logs somebody in who comes back from the provider.
func (a *API) Callback(w http.ResponseWriter, r *http.Request) {
	next, err := a.callback(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	// The whole address, so that no browser reads a path as another site's.
	see(w, a.provider.BaseURL+next)
}

func (a *API) callback(w http.ResponseWriter, r *http.Request) (string, error) {
	if a.provider == nil {
		return "", errNone
	}
	ctx := r.Context()
	attempt, next, err := a.take(w, r)
	if err != nil {
		return "", err
	}
	q := r.URL.Query()
	code, ok := once(q, "code")
	issuer, named := once(q, "iss")
	if q.Has("error") || !ok || !named || code == "" || len(code) > maxCodeBytes {
		return "", a.failed(r, "The provider did not log you in.")
	}
	who, err := a.provider.Identify(ctx, attempt, code, issuer)
	if errors.Is(err, sso.ErrRefused) {
		a.log.WarnContext(ctx, "a login by single sign-on failed", "error", err)
		return "", a.failed(r, "What the provider sent is not valid; the server's log says why. Begin again: GET "+Path)
	}
	if err != nil {
		return "", a.answer(err)
	}
	fresh := secret.New(secret.KindLogin)
	from := session.From{Address: auth.Address(r), Agent: r.UserAgent()}
	_, admitted, err := a.users.BeginSSO(ctx, who.Identity, who.Access, users.Fresh{
		ID: fresh.ID, Hash: fresh.Hash(), Replaces: a.guard.LoginSession(r), LogoutHint: sso.Seal(fresh, who.Token),
		Address: from.AddressText(), Agent: from.AgentText(),
	})
	switch {
	case errors.Is(err, users.ErrTooMany):
		return "", problem.New(api.CodeSSORefused, "There are as many users as there may be.")
	case err != nil:
		return "", auth.Answer(err)
	case !admitted:
		return "", problem.New(api.CodeSSORefused, "The provider knows you, but none of your groups there may log in here, or an administrator has disabled you.")
	}
	auth.SetCookie(w, fresh.Reveal())
	return next, nil
}

// take uses up the attempt that the browser comes back from, and returns where it goes
// then. One that another site has sent here does not end it.
func (a *API) take(w http.ResponseWriter, r *http.Request) (attempt sso.Attempt, next string, err error) {
	const again = "This login was not begun in this browser, was used, or took too long. Begin again: GET " + Path
	kept, err := r.Cookie(cookie)
	if err != nil {
		return attempt, "", a.failed(r, again)
	}
	c, err := secret.Parse(kept.Value)
	if err != nil || c.Kind != secret.KindAttempt {
		return attempt, "", a.failed(r, again)
	}
	state, ok := once(r.URL.Query(), "state")
	if attempt = sso.AttemptOf(c); !ok || !attempt.Came(state) {
		return attempt, "", a.failed(r, again)
	}
	next, err = a.users.TakeAttempt(r.Context(), c.ID, c.Matches)
	if errors.Is(err, users.ErrAttempt) {
		return attempt, "", a.failed(r, again)
	}
	if err != nil {
		return attempt, "", auth.Answer(err)
	}
	setAttempt(w, "")
	return attempt, next, nil
}

// once returns a parameter, and false where it is given more than once: one of two is
// another's.
func once(q url.Values, name string) (string, bool) { return q.Get(name), len(q[name]) <= 1 }

func (a *API) failed(r *http.Request, detail string) error {
	return a.guard.Refuse(r, api.CodeSSOFailed, detail)
}

// answer turns an error of the provider into a refusal.
func (a *API) answer(err error) error {
	if !errors.Is(err, sso.ErrDown) {
		return auth.Answer(err)
	}
	detail := "The provider of single sign-on does not answer; try again. Logging in by password still works."
	if a.provider.Only {
		detail = "The provider of single sign-on does not answer; try again. There is no other way to log in."
	}
	e := problem.New(api.CodeUnavailable, detail)
	e.RetryAfter, e.Cause = downRetry, err
	return e
}

// Logout ends the login that it is asked by, and says where it ends at the provider.
func (a *API) Logout(w http.ResponseWriter, r *http.Request) {
	there, err := a.End(w, r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if there == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	problem.Send(w, http.StatusOK, api.Logout{LogoutURL: there})
}

// End ends the login that it is asked by, and returns where it ends at the provider; empty:
// nowhere else.
func (a *API) End(w http.ResponseWriter, r *http.Request) (string, error) {
	there, err := a.end(r)
	if err == nil {
		auth.SetCookie(w, "")
	}
	return there, err
}

func (a *API) end(r *http.Request) (string, error) {
	ctx, caller := r.Context(), auth.Caller(r.Context())
	if caller.Role == directory.RoleSelf {
		if err := a.self.End(ctx, caller.LoginSession); err != nil {
			return "", auth.Answer(err)
		}
		return "", nil
	}
	bySSO, hint, err := a.users.LogoutHint(ctx, caller.LoginSession)
	if err == nil {
		err = a.users.End(ctx, caller.ID, caller.LoginSession)
	}
	if err != nil {
		return "", auth.Answer(err)
	}
	if !bySSO || a.provider == nil {
		return "", nil
	}
	login, err := auth.LoginOf(r)
	if err != nil {
		return "", nil //nolint:nilerr // It has ended here, and that is what was asked.
	}
	return a.provider.LogoutURL(ctx, login, hint), nil
}

// see sends the browser on.
func see(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// setAttempt has the browser keep an attempt; empty: none. Lax lets it come along when
// the provider sends the browser back.
func setAttempt(w http.ResponseWriter, value string) {
	c := &http.Cookie{
		Name: cookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(users.AttemptExpiry / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// ours returns a path of this server, or refuses what a browser could take for another
// site's address. Empty is the first page.
func ours(next string) (string, error) {
	if next == "" {
		return "/", nil
	}
	u, err := url.Parse(next)
	switch {
	case err != nil, len(next) > maxNextBytes, !text.Visible(next), strings.ContainsAny(next, "\\ "),
		!strings.HasPrefix(next, "/"), strings.HasPrefix(next, "//"), u.IsAbs(), u.Host != "", u.User != nil,
		strings.HasPrefix(path.Clean(u.Path)+"/", Path+"/"):
		return "", problem.BadRequest("next: want a path of this server, such as /people")
	}
	return u.String(), nil
}
