// Package personapi has the routes about all that is kept of one person.
package personapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/export"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/tabular"
)

// API has the routes.
type API struct {
	exports  export.Exports
	erasures *erasure.Erasures
	access   *access.Log
}

// New returns the routes; log is where it is written who looks.
func New(exports export.Exports, erasures *erasure.Erasures, log *access.Log) *API {
	return &API{exports: exports, erasures: erasures, access: log}
}

// Export answers with everything that is kept about a person, as a ZIP archive.
func (a *API) Export(w http.ResponseWriter, r *http.Request) {
	a.export(w, r, directory.Scope{})
}

// ExportOwn answers with everything that is kept about the caller's own accounts.
func (a *API) ExportOwn(w http.ResponseWriter, r *http.Request) {
	a.export(w, r, auth.Caller(r.Context()).Scope)
}

func (a *API) export(w http.ResponseWriter, r *http.Request, scope directory.Scope) {
	ctx, look := looked.Begin(r.Context(), a.access, looked.At{What: api.LookedExport})
	id, err := personID(r)
	var x *export.Export
	if err == nil {
		x, err = a.exports.Find(ctx, scope, id)
	}
	if err == nil {
		err = look.Keep(ctx)
	}
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	err = tabular.SendFile(w, export.Type, x.File(), func(out io.Writer) error { return x.Write(r.Context(), out) })
	switch {
	case err == nil:
	case errors.Is(err, tabular.ErrBrokenOff):
		problem.OutcomeOf(ctx).BreakOff(err)
	default:
		problem.Write(w, r, asProblem(err))
	}
}

func personID(r *http.Request) (report.PersonID, error) {
	return report.ParsePersonID(request.PathValue(r, "person"))
}

// asProblem turns an error into a refusal.
func asProblem(err error) error {
	var refusal *problem.Error
	var unknown people.UnknownError
	var ambiguous people.AmbiguousError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &unknown):
		return problem.NotFound(fmt.Sprintf("There are no machines %q, and nothing was joined.", unknown.MachineIDs))
	case errors.As(err, &ambiguous):
		return problem.BadRequest(ambiguous.Error())
	}
	kinds := []problem.Kind{
		{Is: people.ErrNone, Code: api.CodeNotFound, Detail: "There is no such person."},
		{Is: people.ErrTooMany, Code: api.CodeTooManyAccounts, Detail: "A person may have " + strconv.Itoa(people.MaxAccounts) + " accounts."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: noErasure},
	}
	if refusal := problem.OfKind(err, kinds); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}
