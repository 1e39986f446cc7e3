package userapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

// List lists the users.
func (a *API) List(w http.ResponseWriter, r *http.Request) {
	all, err := a.users.All(r.Context())
	list := api.UserList{Users: []api.User{}}
	for _, u := range all {
		list.Users = append(list.Users, shown(u))
	}
	reply(w, r, http.StatusOK, list, err)
}

// One answers with one user.
func (a *API) One(w http.ResponseWriter, r *http.Request) {
	user, err := a.users.ByID(r.Context(), request.PathName(r, "user"))
	reply(w, r, http.StatusOK, shown(user), err)
}

// Invite makes a user and an invitation.
func (a *API) Invite(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.UserInvite](w, r, request.Body{Limit: maxBody, Example: `{"login": "anna@example.org", "role": "viewer", "groups": ["Reception"]}`})
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	login, err := password.Login(ask.Login)
	if err != nil {
		reply(w, r, 0, nil, problem.BadRequest("login: "+err.Error()))
		return
	}
	access, err := readAccess(ask.UserAccess)
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	a.invitation(w, r, func(ctx context.Context, inv users.Invitation) (users.User, error) {
		return a.users.Invite(ctx, login, access, inv)
	})
}

// InviteAgain makes another invitation for a user.
func (a *API) InviteAgain(w http.ResponseWriter, r *http.Request) {
	a.invitation(w, r, func(ctx context.Context, inv users.Invitation) (users.User, error) {
		return a.users.InviteAgain(ctx, request.PathName(r, "user"), inv)
	})
}

// invitation answers with an invitation that keep keeps.
func (a *API) invitation(w http.ResponseWriter, r *http.Request, keep func(context.Context, users.Invitation) (users.User, error)) {
	fresh := secret.New(secret.KindInvitation)
	expires := a.now().Add(users.InvitationExpiry).UTC().Truncate(time.Second)
	user, err := keep(r.Context(), users.Invitation{ID: fresh.ID, Hash: fresh.Hash(), ExpiresAt: expires})
	reply(w, r, http.StatusCreated, api.UserInvitation{User: shown(user), Invitation: fresh.Reveal(), ExpiresAt: expires}, err)
}

// Patch disables or enables a user.
func (a *API) Patch(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.UserPatch](w, r, request.Body{Limit: maxBody, Example: `{"disabled": true}`})
	if err == nil && ask.Disabled == nil {
		err = problem.BadRequest("disabled is missing: want true or false")
	}
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	user, err := a.users.SetDisabled(r.Context(), request.PathName(r, "user"), *ask.Disabled)
	reply(w, r, http.StatusOK, shown(user), err)
}

// SetAccess changes a user's role and groups.
func (a *API) SetAccess(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.UserAccess](w, r, request.Body{Limit: maxBody, Example: `{"role": "manager", "groups": ["Reception"]}`})
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	access, err := readAccess(ask)
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	user, err := a.users.SetAccess(r.Context(), request.PathName(r, "user"), access, request.IfMatchAny(r))
	reply(w, r, http.StatusOK, shown(user), err)
}

// readAccess checks a role and groups.
func readAccess(ask api.UserAccess) (users.Access, error) {
	access := users.Access{Role: directory.Role(ask.Role), Limited: ask.Groups != nil, Groups: ask.Groups}
	if err := access.Check(); err != nil {
		return access, problem.BadRequest(err.Error())
	}
	if slices.ContainsFunc(ask.Groups, func(name string) bool { return name == "" || !text.Visible(name) }) {
		return access, problem.BadRequest("groups: want the names of groups")
	}
	return access, nil
}

// ofUser returns whose logins a request is about: the caller's own, or anybody's for
// an administrator. Others look as if they were not there.
func ofUser(r *http.Request) (string, error) {
	user, caller := request.PathName(r, "user"), auth.Caller(r.Context())
	if user != caller.ID && caller.Role != directory.RoleAdmin {
		return "", users.ErrNone
	}
	return user, nil
}

// Logins lists a user's logins.
func (a *API) Logins(w http.ResponseWriter, r *http.Request) {
	list := api.LoginSessionList{Sessions: []api.LoginSession{}}
	user, err := ofUser(r)
	if err == nil {
		var all []users.LoginSession
		all, err = a.users.LoginSessions(r.Context(), user)
		for _, s := range all {
			list.Sessions = append(list.Sessions, api.LoginSession{
				ID: s.ID, CreatedAt: s.CreatedAt.UTC(), LastSeenAt: s.LastSeenAt.UTC(), Address: s.Address, Agent: s.Agent,
				Current: s.ID == auth.Caller(r.Context()).LoginSession,
			})
		}
	}
	reply(w, r, http.StatusOK, list, err)
}

// EndLogins ends all logins of a user.
func (a *API) EndLogins(w http.ResponseWriter, r *http.Request) {
	user, err := ofUser(r)
	if err == nil {
		_, err = a.users.EndAll(r.Context(), user)
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// EndLogin ends one login of a user.
func (a *API) EndLogin(w http.ResponseWriter, r *http.Request) {
	user, err := ofUser(r)
	if err == nil {
		err = a.users.End(r.Context(), user, request.PathName(r, "session"))
	}
	if errors.Is(err, users.ErrNone) {
		err = problem.NotFound("There is no such login.")
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// ForgetSecondStep takes the second step of a user away.
func (a *API) ForgetSecondStep(w http.ResponseWriter, r *http.Request) {
	_, err := a.users.ForgetSecondStep(r.Context(), request.PathName(r, "user"))
	reply(w, r, http.StatusNoContent, nil, err)
}
