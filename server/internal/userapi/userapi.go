// Package userapi answers what people who log in ask about themselves, and what
// administrators ask about them.
package userapi

import (
	"errors"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/session"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

const (
	// maxBody bounds a body: a hundred groups with long names.
	maxBody = 64 << 10
	// busyRetry is when to try again where too many log in at once.
	busyRetry = 5 * time.Second
)

// API answers about users.
type API struct {
	users  *users.Users
	logins *session.Logins
	guard  *auth.Guard
	now    func() time.Time
	// onlySSO means that nobody logs in by password.
	onlySSO bool
}

// OnlySSO has nobody log in by password.
func (a *API) OnlySSO() { a.onlySSO = true }

// New returns the answers about these users.
func New(u *users.Users, logins *session.Logins, guard *auth.Guard, now func() time.Time) *API {
	return &API{users: u, logins: logins, guard: guard, now: now}
}

// reply answers with v, with nothing where it is nil, or with what err means.
func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	problem.Reply(w, r, status, v, err, AsProblem)
}

// kinds returns what is sent to a caller for each error that another part returned.
func kinds() []problem.Kind {
	return []problem.Kind{
		{Is: users.ErrNone, Code: api.CodeNotFound, Detail: "There is no such user."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: "There is no such login."},
		{Is: users.ErrExists, Code: api.CodeUserExists, Detail: "Another user has that name."},
		{Is: users.ErrTooMany, Code: api.CodeTooManyUsers, Detail: "There are as many users as there may be."},
		{Is: users.ErrNoneBegun, Code: api.CodeNoneBegun, Detail: "No second step is being set up; begin with POST."},
		{Is: session.ErrCodeNeeded, Code: api.CodeSecondStep, Detail: "Send a code of the second step as well."},
		{Is: users.ErrDisabled, Code: api.CodeUserDisabled, Detail: "The user is disabled; enable them first."},
		{Is: users.ErrBySSO, Code: api.CodeBySSO, Detail: "The user logs in by single sign-on: their groups at the provider decide what they may do. Disabling them works."},
		{Is: users.ErrAccessChanged, Code: api.CodeChangedMeanwhile, Detail: "The user's role or groups were changed since: GET the user again, and look at them before you change them."},
		{Is: directory.ErrNoGroup, Code: api.CodeBadRequest, Detail: "groups: there is no group of one of these names."},
	}
}

// AsProblem turns an error into a refusal.
func AsProblem(err error) error {
	var refusal *problem.Error
	var wait session.WaitError
	var invalid password.InvalidError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &wait):
		e := problem.New(api.CodeRateLimited, "Too many attempts failed; wait before the next.")
		e.RetryAfter = time.Duration(wait)
		return e
	case errors.Is(err, session.ErrBusy):
		e := problem.New(api.CodeUnavailable, "Too many people log in at once; try again.")
		e.RetryAfter, e.Cause = busyRetry, err
		return e
	case errors.As(err, &invalid):
		return problem.New(api.CodeBadPassword, invalid.Error())
	}
	if refusal := problem.OfKind(err, kinds()); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}

// shown returns a user as the API shows one.
func shown(u users.User) api.User {
	t := api.User{
		ID: u.ID, Login: u.Login, Version: u.Version(), State: api.UserActive, Invited: u.Invited, SecondStep: u.SecondStep, SingleSignOn: u.SSO, Sessions: u.Logins,
		CreatedAt: u.CreatedAt.UTC(), LastLoginAt: u.LastLoginAt, Accounts: u.Accounts,
	}
	if u.Person != 0 {
		t.Person = report.PersonID(u.Person).String()
	}
	t.Role = string(u.Role)
	if u.Limited {
		t.Groups = append([]string{}, u.Groups...)
	}
	if t.LastLoginAt != nil {
		at := t.LastLoginAt.UTC()
		t.LastLoginAt = &at
	}
	switch {
	case u.Disabled:
		t.State = api.UserDisabled
	case !u.Password && !u.SSO:
		t.State = api.UserInvited
	}
	return t
}
