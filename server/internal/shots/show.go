package shots

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/screenshots"
)

const (
	usualPage = 100
	maxPage   = 1000
	// pageTimeout bounds getting one page of a list that is streamed.
	pageTimeout = 10 * time.Second
)

// Question asks which pictures there are of a person.
type Question struct {
	Person   report.PersonID
	From, To time.Time
	// Limited means that the caller asks for one page, dated for a time.
	Limited, dated bool
	limit          int
	after          time.Time
	afterID        screenshots.ID
}

// Ask reads a question.
func Ask(r *http.Request) (q Question, err error) {
	if q.Person, err = report.ParsePersonID(request.PathValue(r, "person")); err != nil {
		return q, err
	}
	query := r.URL.Query()
	q.dated = query.Get("start") != "" && query.Get("end") != ""
	q.From, q.To, q.limit = time.Date(api.FirstYear, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), usualPage
	for name, to := range map[string]*time.Time{"start": &q.From, "end": &q.To} {
		if value := query.Get(name); value != "" {
			if *to, err = time.Parse(time.RFC3339, value); err != nil {
				return q, problem.BadRequest(name + ": want a time such as 2026-11-23T10:00:00Z")
			}
		}
	}
	if value := query.Get("limit"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxPage {
			return q, problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxPage))
		}
		q.limit, q.Limited = n, true
	}
	if value := query.Get("cursor"); value != "" {
		seconds, id, _ := strings.Cut(value, ".")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if q.afterID, _ = screenshots.ParseID(id); err != nil || at < 0 || at > q.To.Unix() || q.afterID.String() != id {
			return q, problem.BadRequest("cursor: want next_cursor of the page before")
		}
		q.after = time.Unix(at, 0)
	}
	return q, nil
}

// At is what an answer shows, of when.
func (q Question) At() looked.At {
	at := looked.At{What: api.LookedScreenshots}
	if q.dated {
		at.From, at.To = q.From, q.To
	}
	return at
}

// List answers with a page, the oldest first.
func (a *API) List(ctx context.Context, scope directory.Scope, q Question) (api.ScreenshotList, error) {
	list := api.ScreenshotList{Person: q.Person.String(), Screenshots: []api.Screenshot{}}
	found, err := a.store.Of(ctx, &screenshots.Filter{
		Scope: scope, Person: int64(q.Person), From: q.From, To: q.To, After: q.after, AfterID: q.afterID, Limit: q.limit + 1,
	})
	if err != nil {
		return list, asProblem(err)
	}
	if len(found) > q.limit {
		found = found[:q.limit]
		last := &found[q.limit-1]
		list.NextCursor = strconv.FormatInt(last.TakenAt.Unix(), 10) + "." + last.ID.String()
	}
	for i := range found {
		list.Screenshots = append(list.Screenshots, found[i].Told())
	}
	return list, nil
}

// Each goes through all of them, page by page.
func (a *API) Each(ctx context.Context, scope directory.Scope, q Question) iter.Seq2[api.Screenshot, error] {
	q.limit = maxPage
	return func(yield func(api.Screenshot, error) bool) {
		for {
			page, cancel := context.WithTimeout(ctx, pageTimeout)
			list, err := a.List(page, scope, q)
			cancel()
			if err != nil {
				yield(api.Screenshot{}, err)
				return
			}
			for _, row := range list.Screenshots {
				if !yield(row, nil) {
					return
				}
			}
			if list.NextCursor == "" {
				return
			}
			last := list.Screenshots[len(list.Screenshots)-1]
			q.after = last.TakenAt
			if q.afterID, err = screenshots.ParseID(last.ID); err != nil {
				yield(api.Screenshot{}, err)
				return
			}
		}
	}
}

// Picture answers with a picture, when it is written down who looks.
func (a *API) Picture(w http.ResponseWriter, r *http.Request) {
	picture, of, err := a.picture(r)
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", pictureType)
	h.Set("Content-Length", strconv.Itoa(len(picture)))
	h.Set("Content-Disposition", `inline; filename="`+of.ID.String()+`.jpg"`)
	h.Set("Cache-Control", "private, no-store")
	// Whatever it were, it could do nothing, and no other site can show it.
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(picture) //nolint:gosec // A picture that nothing runs in; an error means that the caller has gone.
}

func (a *API) picture(r *http.Request) (picture []byte, of screenshots.Screenshot, err error) {
	id, err := screenshots.ParseID(request.PathValue(r, "screenshot"))
	if err != nil {
		return nil, of, err
	}
	if of, err = a.store.Find(r.Context(), auth.Caller(r.Context()).Scope, id); err != nil {
		return nil, of, err
	}
	ctx, look := looked.Begin(r.Context(), a.access, looked.At{What: api.LookedScreenshots, From: of.TakenAt, To: of.TakenAt.Add(time.Second)})
	access.See(ctx, of.Machine)
	if picture, err = a.store.Picture(ctx, &of); err != nil {
		return nil, of, err
	}
	return picture, of, look.Keep(ctx)
}

// Delete deletes a picture that the caller sees, however old it is. That there was one, and
// who deleted it, stays.
func (a *API) Delete(w http.ResponseWriter, r *http.Request) {
	err := a.remove(r.Context(), auth.Caller(r.Context()).Scope, request.PathValue(r, "screenshot"), 0)
	problem.Reply(w, r, http.StatusNoContent, nil, err, asProblem)
}

// DeleteOwn is Delete for people of their own pictures, for a while.
func (a *API) DeleteOwn(w http.ResponseWriter, r *http.Request) {
	err := a.RemoveOwn(r.Context(), auth.Caller(r.Context()).Scope, request.PathValue(r, "screenshot"))
	problem.Reply(w, r, http.StatusNoContent, nil, err, asProblem)
}

// RemoveOwn deletes a picture of one's own accounts, or refuses.
func (a *API) RemoveOwn(ctx context.Context, own directory.Scope, picture string) error {
	return asProblem(a.remove(ctx, own, picture, OwnWithin))
}

func (a *API) remove(ctx context.Context, scope directory.Scope, picture string, within time.Duration) error {
	id, err := screenshots.ParseID(picture)
	if err != nil {
		return err
	}
	return a.store.Delete(ctx, id, screenshots.Deletion{Scope: scope, By: by(auth.Caller(ctx)), Within: within})
}

// by names who deletes a picture. Whoever came by a link has no name: the account is that
// of the picture.
func by(caller auth.Principal) string {
	switch {
	case caller.Role == directory.RoleSelf:
		return string(directory.RoleSelf)
	case caller.LoginSession != "":
		return "user " + caller.ID
	default:
		return "token " + caller.ID
	}
}

// Own is a picture of one's own.
type Own struct {
	api.Screenshot
	// Deletable means that it can still be deleted.
	Deletable bool
}

// Newest returns the newest pictures of one's own accounts, the newest first.
func (a *API) Newest(ctx context.Context, own directory.Scope, person report.PersonID, limit int) ([]Own, error) {
	found, err := a.store.Newest(ctx, own, int64(person), limit)
	if err != nil {
		return nil, asProblem(err)
	}
	list := make([]Own, len(found))
	for i := range found {
		list[i] = Own{found[i].Told(), found[i].DeletedAt == nil && a.now().Sub(found[i].ReceivedAt) <= OwnWithin}
	}
	return list, nil
}
