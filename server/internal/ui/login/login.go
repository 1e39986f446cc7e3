// Package login are the pages before a login: logging in and out, invitations, and how the first
// administrator is made.
package login

import (
	"cmp"
	_ "embed" // for the page's template
	"errors"
	"net/http"
	"net/url"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/userapi"
)

//go:embed login.html
var html string

//go:embed invitation.html
var invitationHTML string

//go:embed setup.html
var setupHTML string

// Options are what logs people in and out.
type Options struct {
	Users *userapi.API
	// Passwords and SSO are the ways there are.
	Passwords, SSO bool
	// Logout ends the login that a request brings, and returns where it ends at the provider
	// of single sign-on, if it does.
	Logout func(http.ResponseWriter, *http.Request) (there string, err error)
	// Show sends a page.
	Show func(v *frame.Visit, w http.ResponseWriter, name string, status int, data any, message frame.Message)
}

type view struct {
	Login, To, SSO string
	Passwords      bool
	// Code asks for the code of the second step as well. The password is typed again: it is
	// on no page.
	Code bool
}

// Pages returns them.
func Pages(o *Options) []frame.Open {
	return []frame.Open{
		{Name: "login", HTML: html, Serve: o.login},
		{Name: "logout", HTML: html, Serve: o.logout},
		{Name: "login/sso", HTML: html, Browsers: true, Serve: o.pass},
		{Name: "login/sso/callback", HTML: html, Browsers: true, Serve: o.pass},
		{Name: "setup", HTML: setupHTML, Serve: o.setup},
		{Name: "invitation", HTML: invitationHTML, Serve: o.invitation},
	}
}

func (o *Options) login(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	s := o.view(frame.Local(cmp.Or(r.PostForm.Get("to"), r.URL.Query().Get("to"))))
	switch {
	case r.Method == http.MethodGet && o.Passwords && !o.Users.Begun(r):
		frame.See(w, "setup")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		o.Show(v, w, "login", http.StatusOK, s, v.Done(w))
	case r.Method != http.MethodPost || !o.Passwords:
		w.Header().Set("Allow", "GET, HEAD, POST")
		o.Show(v, w, "login", http.StatusMethodNotAllowed, s, frame.Message{})
	case !userapi.IsPrivate(r):
		o.Show(v, w, "login", http.StatusForbidden, s, frame.Worded(v.Words, problem.New(api.CodeNoTLS, "")))
	default:
		o.enter(v, w, r, s, api.LoginRequest{Login: r.PostForm.Get("login"), Password: r.PostForm.Get("password"), Code: r.PostForm.Get("code")})
	}
}

// view is the page of somebody who wants to go on to a page afterwards.
func (o *Options) view(to string) *view {
	s := &view{To: to, Passwords: o.Passwords}
	if o.SSO {
		s.SSO = "login/sso?" + url.Values{"next": {"/" + to}}.Encode()
	}
	return s
}

func (o *Options) enter(v *frame.Visit, w http.ResponseWriter, r *http.Request, s *view, ask api.LoginRequest) {
	_, err := o.Users.Enter(w, r, ask)
	if err == nil {
		frame.See(w, s.To)
		return
	}
	e := noted(w, r, userapi.AsProblem(err))
	s.Login = ask.Login
	if e.Code == api.CodeSecondStep || e.Code == api.CodeBadCode {
		s.Code = true
	}
	o.Show(v, w, "login", e.Status, s, frame.Worded(v.Words, e))
}

// noted returns a refusal that the log has then, with when to try again.
func noted(w http.ResponseWriter, r *http.Request, err error) *problem.Error {
	var e *problem.Error
	if !errors.As(err, &e) {
		e = problem.Internal(err)
	}
	outcome := problem.OutcomeOf(r.Context())
	outcome.Code, outcome.Cause = e.Code, e.Cause
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", frame.RetryAfter(e))
	}
	return e
}

// pass lets single sign-on answer, and shows on the page of logins what it refused.
func (o *Options) pass(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	if err := v.Pass(w); err != nil {
		e := noted(w, r, err)
		o.Show(v, w, "login", e.Status, o.view(""), frame.Worded(v.Words, e))
	}
}

func (o *Options) logout(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		frame.See(w, "login")
		return
	}
	if v.Caller.LoginSession == "" { // it has ended already
		auth.SetCookie(w, "")
		frame.See(w, "login")
		return
	}
	there, err := o.Logout(w, r)
	switch {
	case err != nil:
		e := noted(w, r, frame.Refusal(err))
		o.Show(v, w, "login", e.Status, o.view(""), frame.Worded(v.Words, e))
	case there != "":
		w.Header().Set("Location", there)
		w.WriteHeader(http.StatusSeeOther)
	default:
		frame.See(w, "login")
	}
}
