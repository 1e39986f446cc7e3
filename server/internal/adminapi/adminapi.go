// Package adminapi answers administrators about API tokens, enrolment tokens and hosts,
// as the commands do.
package adminapi

import (
	"errors"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
)

// API answers about these.
type API struct {
	directory  *directory.Directory
	dictionary *dictionary.Dictionary
	now        func() time.Time
}

// New returns the answers about the tokens and hosts of these.
func New(dir *directory.Directory, dict *dictionary.Dictionary, now func() time.Time) *API {
	return &API{dir, dict, now}
}

// reply answers with v, with nothing where it is nil, or with what err means.
func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	problem.Reply(w, r, status, v, err, asProblem)
}

// asProblem turns an error into a refusal.
func asProblem(err error) error {
	var refusal *problem.Error
	var invalid directory.InvalidError
	var unknown dictionary.UnknownError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &invalid):
		return problem.BadRequest(invalid.Error())
	case errors.As(err, &unknown) && unknown.What == "host":
		return problem.NotFound("There is no such host.")
	case errors.As(err, &unknown):
		return problem.NotFound("There are no such machine_ids, or not all; nothing was moved.")
	}
	if refusal := problem.OfKind(err, []problem.Kind{
		{Is: directory.ErrNoGroup, Code: api.CodeBadRequest, Detail: "groups: there is no group of one of these names."},
		{Is: dictionary.ErrNoRoom, Code: api.CodeHostFull, Detail: "The host has as many machine_ids as there may be; nothing was moved."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: "There is none of that id."},
	}); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}
