// Package login are the pages before a login: logging in and out.
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
	return []frame.Open{{Name: "login", HTML: html, Serve: o.login}, {Name: "logout", HTML: html, Serve: o.logout}}
}

func (o *Options) login(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	s := &view{To: frame.Local(cmp.Or(r.PostForm.Get("to"), r.URL.Query().Get("to"))), Passwords: o.Passwords}
	if o.SSO {
		s.SSO = "login/sso?" + url.Values{"next": {"/" + s.To}}.Encode()
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		o.Show(v, w, "login", http.StatusOK, s, frame.Message{})
	case r.Method != http.MethodPost || !o.Passwords:
		w.Header().Set("Allow", "GET, HEAD, POST")
		o.Show(v, w, "login", http.StatusMethodNotAllowed, s, frame.Message{})
	case !userapi.IsPrivate(r):
		o.Show(v, w, "login", http.StatusForbidden, s, frame.Worded(v.Words, problem.New(api.CodeNoTLS, "")))
	default:
		o.enter(v, w, r, s)
	}
}

func (o *Options) enter(v *frame.Visit, w http.ResponseWriter, r *http.Request, s *view) {
	ask := api.LoginRequest{Login: r.PostForm.Get("login"), Password: r.PostForm.Get("password"), Code: r.PostForm.Get("code")}
	_, err := o.Users.Enter(w, r, ask)
	if err == nil {
		frame.See(w, s.To)
		return
	}
	var e *problem.Error
	if !errors.As(userapi.AsProblem(err), &e) {
		e = problem.Internal(err)
	}
	outcome := problem.OutcomeOf(r.Context())
	outcome.Code, outcome.Cause = e.Code, e.Cause
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", frame.RetryAfter(e))
	}
	s.Login = ask.Login
	if e.Code == api.CodeSecondStep || e.Code == api.CodeBadCode {
		s.Code = true
	}
	o.Show(v, w, "login", e.Status, s, frame.Worded(v.Words, e))
}

func (o *Options) logout(v *frame.Visit, w http.ResponseWriter, r *http.Request) {
	s := &view{Passwords: o.Passwords}
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
		e := frame.Refusal(err)
		outcome := problem.OutcomeOf(r.Context())
		outcome.Code, outcome.Cause = e.Code, e.Cause
		o.Show(v, w, "login", e.Status, s, frame.Worded(v.Words, e))
	case there != "":
		w.Header().Set("Location", there)
		w.WriteHeader(http.StatusSeeOther)
	default:
		frame.See(w, "login")
	}
}
