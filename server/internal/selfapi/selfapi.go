// Package selfapi has the routes about oneself: links from a host that open one's own
// account, and whose data the routes below /api/me are.
package selfapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/self"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

const (
	// maxBody bounds a body: one machine_id or link.
	maxBody = 4 << 10
	// linkPath is where links lead, below the server's public address.
	linkPath = "/self#"
	// maxAgentBytes bounds what is kept of a browser's name.
	maxAgentBytes = 200
)

// API has the routes.
type API struct {
	self     *self.Self
	policies *policies.Policies
	guard    *auth.Guard
	// baseURL is where people find the server, without a slash at its end; empty: it was
	// not set.
	baseURL string
	now     func() time.Time
}

// New returns the routes.
func New(s *self.Self, p *policies.Policies, guard *auth.Guard, baseURL string, now func() time.Time) *API {
	return &API{self: s, policies: p, guard: guard, baseURL: baseURL, now: now}
}

func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	problem.Reply(w, r, status, v, err, AsProblem)
}

// AsProblem turns an error into a refusal.
func AsProblem(err error) error {
	var refusal *problem.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	kinds := []problem.Kind{
		{Is: self.ErrNotOwned, Code: api.CodeNotFound, Detail: "This host has no such machine_id; its first record makes it."},
		{Is: self.ErrTooMany, Code: api.CodeRateLimited, Detail: "The account was given as many links as it may within a minute; wait for one.", Retry: self.LinkLasts},
		{Is: self.ErrOther, Code: api.CodeOtherPerson, Detail: "The account is another person's than the one that your login is tied to; an administrator can join the two, or change whom you are tied to."},
		{Is: self.ErrFull, Code: api.CodeOtherPerson, Detail: "Your login is tied to as many accounts as there may be; an administrator can tie it to the person instead."},
		{Is: self.ErrNobody, Code: api.CodeNotFound, Detail: "Your login is tied to nobody who is measured: open a link of 'trackctl web' while you are logged in, or ask an administrator."},
		{Is: people.ErrNone, Code: api.CodeNotFound, Detail: "There is no such person."},
		{Is: users.ErrNone, Code: api.CodeNotFound, Detail: "There is no such user."},
	}
	if refusal := problem.OfKind(err, kinds); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}

// allowed reports whether policy lets people on a host open their own account now.
func (a *API) allowed(ctx context.Context, host int64) (bool, error) {
	held, err := a.policies.ForHost(ctx, host)
	return policy.Narrow(policy.Document{}, held.At(a.now())).Self, err
}

// errOff refuses where policy does not.
func errOff() error {
	return problem.New(api.CodeSelfOff, "An administrator has switched links to one's own page off (policy: self).")
}

// MakeLink answers a host with a link to an account that it owns.
func (a *API) MakeLink(w http.ResponseWriter, r *http.Request) {
	link, err := a.makeLink(w, r)
	reply(w, r, http.StatusCreated, link, err)
}

func (a *API) makeLink(w http.ResponseWriter, r *http.Request) (api.SelfLink, error) {
	var none api.SelfLink
	host, err := a.guard.Host(r)
	if err != nil {
		return none, err
	}
	ask, err := request.Read[api.SelfLinkRequest](w, r, request.Body{Limit: maxBody, Strict: true, Example: `{"machine_id": "vm-abc123-user1"}`})
	if err != nil {
		return none, err
	}
	if ask.MachineID == "" || len(ask.MachineID) > api.MaxMachineIDBytes || strings.ContainsRune(ask.MachineID, 0) {
		return none, problem.BadRequest("machine_id is missing or too long.")
	}
	if a.baseURL == "" {
		return none, problem.New(api.CodeNoBaseURL, "The server does not know its public address, so it can make no links; its administrator sets --base-url (TRACKERD_SERVER_BASE_URL).")
	}
	on, err := a.allowed(r.Context(), host.Key)
	if err != nil {
		return none, err
	}
	if !on {
		return none, errOff()
	}
	fresh := secret.New(secret.KindSelf)
	expires := a.now().Add(self.LinkLasts).UTC().Truncate(time.Second)
	err = a.self.Make(r.Context(), host.Key, ask.MachineID, self.Link{ID: fresh.ID, Hash: fresh.Hash()})
	return api.SelfLink{URL: a.baseURL + linkPath + fresh.Reveal(), ExpiresAt: expires}, err
}

// OpenSession uses a link up.
func (a *API) OpenSession(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.SelfSessionRequest](w, r, request.Body{Limit: maxBody, Strict: true, Example: `{"link": "https://tracker.example.org/self#self_….…"}`})
	var opened api.SelfSession
	if err == nil {
		opened, err = a.Open(w, r, ask)
	}
	reply(w, r, http.StatusOK, opened, err)
}

// Open uses a link up: for a login that opens its account alone, of which the browser gets
// the cookie; or, where somebody is logged in and says so, to make the account their own.
// Their login is never replaced.
func (a *API) Open(w http.ResponseWriter, r *http.Request, ask api.SelfSessionRequest) (api.SelfSession, error) {
	var none api.SelfSession
	link, err := a.look(r, ask.Link)
	if err != nil {
		return none, err
	}
	caller, err := a.guard.LoggedIn(r)
	if err != nil {
		return none, err
	}
	if caller.LoginSession != "" && caller.Role != directory.RoleSelf {
		return a.tie(r, ask, link, caller)
	}
	fresh := secret.New(secret.KindLogin)
	account, err := a.self.Open(r.Context(), link.ID, link.Matches, users.Fresh{
		ID: fresh.ID, Hash: fresh.Hash(), Replaces: caller.LoginSession, Address: addressOf(r), Agent: agentOf(r),
	})
	if err != nil {
		return none, a.refused(r, err)
	}
	auth.SetCookie(w, fresh.Reveal())
	ends := a.now().Add(users.SelfEnd).UTC().Truncate(time.Second)
	return api.SelfSession{MachineID: account.MachineID, EndsAt: &ends}, nil
}

// look reads a link, of an account that it may open; nothing is used up by that.
func (a *API) look(r *http.Request, given string) (secret.Credential, error) {
	if _, behind, found := strings.Cut(given, "#"); found {
		given = behind
	}
	link, err := secret.Parse(strings.TrimSpace(given))
	if err != nil || link.Kind != secret.KindSelf {
		return link, a.refused(r, self.ErrLink)
	}
	account, err := a.self.Look(r.Context(), link.ID, link.Matches)
	if err != nil {
		return link, a.refused(r, err)
	}
	on, err := a.allowed(r.Context(), account.Host)
	if err == nil && !on {
		err = errOff()
	}
	return link, err
}

// refused counts a wrong link, whatever was wrong with it.
func (a *API) refused(r *http.Request, err error) error {
	if errors.Is(err, self.ErrLink) {
		return a.guard.Refuse(r, api.CodeBadLink, "The link is unknown, was used, or is over: it works once, for a minute. Make another: trackctl web")
	}
	return err
}

// tie makes the link's account the caller's own.
func (a *API) tie(r *http.Request, ask api.SelfSessionRequest, link secret.Credential, caller auth.Principal) (api.SelfSession, error) {
	if !ask.Tie {
		return api.SelfSession{}, problem.New(api.CodeLoggedIn, "You are logged in as a user: say that the account is to be seen as your own (tie), or log out first. The link was not used.")
	}
	account, err := a.self.TieAccount(auth.As(r.Context(), caller), caller.ID, link.ID, link.Matches)
	if err != nil {
		return api.SelfSession{}, a.refused(r, err)
	}
	return api.SelfSession{MachineID: account.MachineID, Tied: true}, nil
}

// Own lets whoever is somebody of those who are measured through to the routes about a
// person: about themselves, with their own accounts and nothing else.
func (a *API) Own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, err := a.OwnOf(r.Context())
		if err != nil {
			problem.Write(w, r, AsProblem(err))
			return
		}
		chi.RouteContext(r.Context()).URLParams.Add("person", report.PersonID(own.Person).String())
		next.ServeHTTP(w, r.WithContext(auth.Within(r.Context(), directory.OfMachines(own.Accounts))))
	})
}

// OwnOf returns what is the caller's own. A login by a link ends where policy switches links
// off.
func (a *API) OwnOf(ctx context.Context) (self.Own, error) {
	caller := auth.Caller(ctx)
	if caller.Role != directory.RoleSelf {
		return a.self.OfUser(ctx, caller.ID)
	}
	own, err := a.self.OfAccount(ctx, caller.Machine)
	if err != nil {
		return own, err
	}
	on, err := a.allowed(ctx, own.Host)
	if err == nil && !on {
		err = problem.New(api.CodeUnauthorized, "The login has ended: an administrator has switched links to one's own page off.")
	}
	return own, err
}

// End ends the login of a link that a request brings along, if it does; a user's stays.
func (a *API) End(w http.ResponseWriter, r *http.Request) error {
	caller, err := a.guard.LoggedIn(r)
	if err != nil || caller.Role != directory.RoleSelf {
		return err
	}
	if err = a.self.End(r.Context(), caller.LoginSession); err == nil {
		auth.SetCookie(w, "")
	}
	return err
}

// Tie makes a user a person.
func (a *API) Tie(w http.ResponseWriter, r *http.Request) {
	ask, err := request.Read[api.UserPerson](w, r, request.Body{Limit: maxBody, Example: `{"person": "p12"}`})
	var person report.PersonID
	if err == nil {
		person, err = report.ParsePersonID(ask.Person)
	}
	if err == nil {
		err = a.self.TiePerson(r.Context(), request.PathName(r, "user"), int64(person))
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// Untie makes a user nobody of those who are measured.
func (a *API) Untie(w http.ResponseWriter, r *http.Request) {
	reply(w, r, http.StatusNoContent, nil, a.self.Untie(r.Context(), request.PathName(r, "user")))
}

func addressOf(r *http.Request) string {
	if addr := auth.Address(r); addr.IsValid() {
		return addr.WithZone("").String()
	}
	return ""
}

// agentOf is what is kept of a browser's name, which anybody may have written.
func agentOf(r *http.Request) string {
	if agent := r.UserAgent(); len(agent) <= maxAgentBytes && text.Visible(agent) {
		return agent
	}
	return ""
}
