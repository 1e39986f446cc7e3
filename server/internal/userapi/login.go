package userapi

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/session"
	"activity-tracker.example/server/internal/store/users"
)

// Private refuses a request that brings a password or a link over a network where others can
// read it.
func Private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsPrivate(r) {
			next.ServeHTTP(w, r)
			return
		}
		problem.Write(w, r, problem.New(api.CodeNoTLS,
			"Passwords and links are taken over https alone. Where a proxy speaks it for this server, name the proxy: --trusted-proxy."))
	})
}

// IsPrivate reports whether nobody on the way reads a request: it came by TLS, or from this
// machine.
func IsPrivate(r *http.Request) bool {
	addr := auth.Address(r)
	return httpserver.Secure(r.Context()) || addr == (netip.Addr{}) || addr.IsLoopback()
}

// OwnPage refuses what another site's page has a browser send.
func OwnPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := auth.FromOwnPage(r); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ByPassword refuses what is about passwords where there is single sign-on alone.
func (a *API) ByPassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.onlySSO {
			problem.Write(w, r, problem.New(api.CodeOnlySSO, "Here people log in by single sign-on alone: GET /login/sso"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func from(r *http.Request) session.From {
	return session.From{Address: auth.Address(r), Agent: r.UserAgent()}
}

// Begun reports whether anybody could log in before. Where that cannot be found out it is true:
// nobody is to be sent to make a first administrator then.
func (a *API) Begun(r *http.Request) bool {
	begun, err := a.users.AnyActive(r.Context())
	return begun || err != nil
}

// Login logs somebody in.
func (a *API) Login(w http.ResponseWriter, r *http.Request) {
	login, err := a.login(w, r)
	reply(w, r, http.StatusOK, login, err)
}

func (a *API) login(w http.ResponseWriter, r *http.Request) (api.Login, error) {
	ask, err := request.Read[api.LoginRequest](w, r, request.Body{Limit: maxBody, Example: `{"login": "anna", "password": "…"}`})
	if err != nil {
		return api.Login{}, err
	}
	return a.Enter(w, r, ask)
}

// Enter logs in whom a request asks for, and has the browser keep that.
func (a *API) Enter(w http.ResponseWriter, r *http.Request, ask api.LoginRequest) (api.Login, error) {
	user, fresh, err := a.logins.Begin(r.Context(), session.Proof{Login: ask.Login, Password: ask.Password, Code: ask.Code}, from(r), a.guard.LoginSession(r))
	if err != nil {
		return api.Login{}, a.refusal(r, err)
	}
	auth.SetCookie(w, fresh.Reveal())
	return api.Login{User: shown(user), Session: fresh.ID}, nil
}

// refusal counts a login that failed.
func (a *API) refusal(r *http.Request, err error) error {
	switch {
	case errors.Is(err, session.ErrWrong):
		return a.guard.Refuse(r, api.CodeBadLogin, "The login name or the password is wrong.")
	case errors.Is(err, session.ErrWrongCode):
		return a.guard.Refuse(r, api.CodeBadCode, "The code is wrong, or was used before; wait for the next.")
	}
	return err
}

// Who answers with who has logged in.
func (a *API) Who(w http.ResponseWriter, r *http.Request) {
	caller := auth.Caller(r.Context())
	user, err := a.users.ByID(r.Context(), caller.ID)
	reply(w, r, http.StatusOK, api.Login{User: shown(user), Session: caller.LoginSession}, err)
}

// ChangePassword changes the caller's password, which ends all of their logins.
func (a *API) ChangePassword(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.PasswordChange](w, r, request.Body{Limit: maxBody, Example: `{"password": "…", "new_password": "…"}`})
	if err == nil {
		err = a.refusal(r, a.logins.ChangePassword(r.Context(), auth.Caller(r.Context()).ID, ask.Password, ask.NewPassword, from(r)))
	}
	if err == nil {
		auth.SetCookie(w, "")
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// Accept sets the password that an invitation is for.
func (a *API) Accept(w http.ResponseWriter, r *http.Request) {
	user, err := a.accept(w, r)
	reply(w, r, http.StatusOK, shown(user), err)
}

func (a *API) accept(w http.ResponseWriter, r *http.Request) (users.User, error) {
	ask, err := request.Read[api.InvitationAcceptance](w, r, request.Body{Limit: maxBody, Example: `{"invitation": "inv_….…", "password": "…"}`})
	if err != nil {
		return users.User{}, err
	}
	refused := func() error {
		return a.guard.Refuse(r, api.CodeBadInvitation, "The invitation is unknown, was used or has expired; ask an administrator for another.")
	}
	invitation, err := secret.Parse(strings.TrimSpace(ask.Invitation))
	if err != nil || invitation.Kind != secret.KindInvitation {
		return users.User{}, refused()
	}
	user, err := a.logins.Accept(r.Context(), invitation, ask.Password)
	if errors.Is(err, users.ErrInvitation) || errors.Is(err, users.ErrNone) {
		err = refused()
	}
	return user, err
}

// BeginSecondStep begins to set up a second step for the caller.
func (a *API) BeginSecondStep(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.SecondStepRequest](w, r, request.Body{Limit: maxBody, Example: `{"password": "…"}`})
	var device session.Device
	if err == nil {
		device, err = a.logins.BeginSecondStep(r.Context(), auth.Caller(r.Context()).ID, ask.Password, ask.Code, from(r))
		err = a.refusal(r, err)
	}
	reply(w, r, http.StatusOK, api.SecondStep{Secret: device.Secret, URI: device.URI}, err)
}

// ConfirmSecondStep has a second step in force from now on.
func (a *API) ConfirmSecondStep(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.SecondStepCode](w, r, request.Body{Limit: maxBody, Example: `{"code": "123456"}`})
	var codes []string
	if err == nil {
		caller := auth.Caller(r.Context())
		codes, err = a.logins.ConfirmSecondStep(r.Context(), caller.ID, caller.LoginSession, ask.Code)
		err = a.refusal(r, err)
	}
	reply(w, r, http.StatusOK, api.RecoveryCodes{Codes: codes}, err)
}

// EndSecondStep takes the caller's second step away.
func (a *API) EndSecondStep(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.SecondStepRequest](w, r, request.Body{Limit: maxBody, Example: `{"password": "…", "code": "123456"}`})
	if err == nil {
		err = a.refusal(r, a.logins.EndSecondStep(r.Context(), auth.Caller(r.Context()).ID, ask.Password, ask.Code, from(r)))
	}
	reply(w, r, http.StatusNoContent, nil, err)
}
