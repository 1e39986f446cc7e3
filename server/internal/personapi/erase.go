package personapi

import (
	"fmt"
	"math"
	"net/http"
	"strconv"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
)

// usualErasures and maxErasures are how many certificates a page has.
const (
	usualErasures = 100
	maxErasures   = 1000
)

// Erase erases a person, and answers with the certificate as it is now.
func (a *API) Erase(w http.ResponseWriter, r *http.Request) {
	id, err := personID(r)
	var told api.Erasure
	if err == nil {
		c, failed := a.erasures.Erase(r.Context(), int64(id))
		told, err = c.Told(), failed
	}
	problem.Reply(w, r, http.StatusAccepted, told, err, asProblem)
}

// Erasure answers with a certificate.
func (a *API) Erasure(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(request.PathValue(r, "erasure"), 10, 64)
	if err != nil {
		problem.Reply(w, r, 0, nil, problem.NotFound(noErasure), asProblem)
		return
	}
	c, err := a.erasures.ByID(r.Context(), id)
	problem.Reply(w, r, http.StatusOK, c.Told(), err, asProblem)
}

// noErasure is answered where there is no such certificate.
const noErasure = "There is no such erasure."

// Erasures lists certificates, the newest first.
func (a *API) Erasures(w http.ResponseWriter, r *http.Request) {
	list := api.ErasureList{Erasures: []api.Erasure{}}
	limit, before, err := erasuresPage(r)
	if err == nil {
		found, failed := a.erasures.List(r.Context(), before, limit+1)
		if err = failed; len(found) > limit {
			found = found[:limit]
			list.NextCursor = strconv.FormatInt(found[limit-1].ID, 10)
		}
		for i := range found {
			list.Erasures = append(list.Erasures, found[i].Told())
		}
	}
	problem.Reply(w, r, http.StatusOK, list, err, asProblem)
}

// erasuresPage reads which page is asked for.
func erasuresPage(r *http.Request) (limit int, before int64, err error) {
	q := r.URL.Query()
	limit, before = usualErasures, math.MaxInt64
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxErasures {
			return 0, 0, problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxErasures))
		}
	}
	if text := q.Get("cursor"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return 0, 0, problem.BadRequest("cursor: want next_cursor of the page before")
		}
	}
	return limit, before, nil
}
