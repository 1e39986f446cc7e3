package adminapi

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
)

// maxBody bounds a body: a hundred groups with long names.
const maxBody = 64 << 10

func toldToken(t directory.Token) api.Token {
	told := api.Token{ID: t.ID, CreatedAt: t.CreatedAt.UTC()}
	told.Name, told.Role = t.Name, string(t.Role)
	if t.Limited {
		told.Groups = append([]string{}, t.Groups...)
	}
	return told
}

// Tokens lists the API tokens.
func (a *API) Tokens(w http.ResponseWriter, r *http.Request) {
	all, err := a.directory.Tokens(r.Context())
	list := api.TokenList{Tokens: []api.Token{}}
	for _, t := range all {
		list.Tokens = append(list.Tokens, toldToken(t))
	}
	reply(w, r, http.StatusOK, list, err)
}

// AddToken makes an API token.
func (a *API) AddToken(w http.ResponseWriter, r *http.Request) {
	made, err := a.addToken(w, r)
	reply(w, r, http.StatusCreated, made, err)
}

func (a *API) addToken(w http.ResponseWriter, r *http.Request) (made api.TokenMade, err error) {
	ask, err := request.Read[api.TokenDraft](w, r, request.Body{Limit: maxBody, Strict: true, Example: `{"name": "reports", "role": "viewer", "groups": ["Reception"]}`})
	if err != nil {
		return made, err
	}
	fresh := secret.New(secret.KindToken)
	t := directory.Token{
		ID: fresh.ID, Name: ask.Name, Role: directory.Role(ask.Role), CreatedAt: a.now().UTC().Truncate(time.Second), Limited: ask.Groups != nil, Groups: ask.Groups,
	}
	if err := t.Check(); err != nil {
		return made, err
	}
	if slices.ContainsFunc(t.Groups, func(name string) bool { return name == "" || !text.Visible(name) }) {
		return made, problem.BadRequest("groups: want the names of groups")
	}
	if err := a.directory.AddToken(r.Context(), t, fresh.Hash()); err != nil {
		return made, err
	}
	return api.TokenMade{Token: toldToken(t), Secret: fresh.Reveal()}, nil
}

// RemoveToken revokes an API token.
func (a *API) RemoveToken(w http.ResponseWriter, r *http.Request) {
	reply(w, r, http.StatusNoContent, nil, a.directory.RemoveToken(r.Context(), request.PathName(r, "token")))
}

func (a *API) toldEnrollment(e directory.Enrollment) api.Enrollment {
	return api.Enrollment{
		ID: e.ID, Kind: e.Kind, State: e.State(a.now()), UsesLeft: e.UsesLeft, ForHost: e.ForHost, CreatedAt: e.CreatedAt.UTC(), ExpiresAt: e.ExpiresAt.UTC(),
	}
}

// Enrollments lists the enrolment tokens.
func (a *API) Enrollments(w http.ResponseWriter, r *http.Request) {
	all, err := a.directory.Enrollments(r.Context())
	list := api.EnrollmentList{Enrollments: []api.Enrollment{}}
	for _, e := range all {
		list.Enrollments = append(list.Enrollments, a.toldEnrollment(e))
	}
	reply(w, r, http.StatusOK, list, err)
}

// AddEnrollment makes an enrolment token.
func (a *API) AddEnrollment(w http.ResponseWriter, r *http.Request) {
	made, err := a.addEnrollment(w, r)
	reply(w, r, http.StatusCreated, made, err)
}

func (a *API) addEnrollment(w http.ResponseWriter, r *http.Request) (made api.EnrollmentMade, err error) {
	ask, err := request.Read[api.EnrollmentDraft](w, r, request.Body{Limit: maxBody, Strict: true, Example: `{"uses": 50, "expires_in_sec": 604800}`})
	if err != nil {
		return made, err
	}
	uses, expires := directory.EnrollmentUses, directory.EnrollmentExpiry
	if ask.Uses != nil {
		uses = *ask.Uses
	}
	if ask.ExpiresInSec != nil {
		// What would not fit is far out of range.
		expires = time.Duration(min(max(*ask.ExpiresInSec, 0), int64(1<<32))) * time.Second
	}
	now := a.now().UTC().Truncate(time.Second)
	fresh := secret.New(secret.KindEnrollment)
	e := directory.Enrollment{
		ID: fresh.ID, Kind: cmp.Or(ask.Kind, directory.EnrollsHost), UsesLeft: uses, ForHost: ask.ForHost, CreatedAt: now, ExpiresAt: now.Add(expires),
	}
	switch {
	case e.Kind != directory.EnrollsHost && e.Kind != directory.EnrollsUser:
		return made, problem.BadRequest(`kind: want "host" or "user"`)
	case e.ForHost != "" && !ingest.IsHostID(e.ForHost):
		return made, problem.BadRequest("for_host: want a host_id, of letters, digits and . _ : -")
	}
	if err := e.Check(expires); err != nil {
		return made, err
	}
	if err := a.directory.AddEnrollment(r.Context(), e, fresh.Hash()); err != nil {
		return made, err
	}
	return api.EnrollmentMade{Enrollment: a.toldEnrollment(e), Secret: fresh.Reveal()}, nil
}

// RemoveEnrollment revokes an enrolment token; hosts that it has enrolled stay.
func (a *API) RemoveEnrollment(w http.ResponseWriter, r *http.Request) {
	reply(w, r, http.StatusNoContent, nil, a.directory.RemoveEnrollment(r.Context(), request.PathName(r, "enrollment")))
}
