package noteapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/timestamp"
)

const (
	usualPage = 100
	maxPage   = 1000
	// pageTimeout bounds getting one page of a list that is streamed.
	pageTimeout = 10 * time.Second
)

// Question asks which notes there are of a person.
type Question struct {
	Person   report.PersonID
	From, To time.Time
	// Limited means that the caller asks for one page, dated for a time.
	Limited, dated bool
	limit          int
	after          notes.Place
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
			// A "+" that was not escaped arrives as a space.
			if *to, err = timestamp.Parse(strings.ReplaceAll(value, " ", "+")); err != nil {
				return q, problem.BadRequest(name + ": want a time such as 2026-11-23T10:00:00Z")
			}
		}
	}
	if q.To.Before(q.From) {
		return q, problem.BadRequest("end is before start")
	}
	if value := query.Get("limit"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxPage {
			return q, problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxPage))
		}
		q.limit, q.Limited = n, true
	}
	if value := query.Get("cursor"); value != "" {
		q.after, err = parseCursor(value, q.To)
	}
	return q, err
}

func cursorOf(p notes.Place) string {
	if p == (notes.Place{}) {
		return ""
	}
	return strconv.FormatInt(p.Start.Unix(), 10) + "." + p.ID.String()
}

func parseCursor(value string, to time.Time) (p notes.Place, err error) {
	seconds, id, _ := strings.Cut(value, ".")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at < 0 || at > to.Unix() {
		return p, problem.BadRequest("cursor: want next_cursor of the page before")
	}
	p.Start = time.Unix(at, 0).UTC()
	if p.ID, err = notes.ParseID(id); err != nil {
		return p, problem.BadRequest("cursor: want next_cursor of the page before")
	}
	return p, nil
}

// At is what an answer shows, of when.
func (q Question) At() looked.At {
	at := looked.At{What: api.LookedNotes}
	if q.dated {
		at.From, at.To = q.From, q.To
	}
	return at
}

func (a *API) page(ctx context.Context, scope directory.Scope, q *Question) (notes.Page, error) {
	page, err := a.store.Of(ctx, &notes.Filter{Scope: scope, Person: int64(q.Person), From: q.From, To: q.To, After: q.after, Limit: q.limit})
	if err != nil {
		err = AsProblem(err)
	}
	return page, err
}

// List answers with a page, those first that begin first.
func (a *API) List(ctx context.Context, scope directory.Scope, q Question) (api.NoteList, error) {
	page, err := a.page(ctx, scope, &q)
	return api.NoteList{Person: q.Person.String(), Partial: page.Partial, Notes: page.Notes, NextCursor: cursorOf(page.Next)}, err
}

// Each goes through all of them, page by page.
func (a *API) Each(ctx context.Context, scope directory.Scope, q Question) iter.Seq2[api.Note, error] {
	q.limit = maxPage
	return report.Pages(ctx, pageTimeout, q.after, func(ctx context.Context, after notes.Place) ([]api.Note, notes.Place, error) {
		q.after = after
		page, err := a.page(ctx, scope, &q)
		return page.Notes, page.Next, err
	})
}

// Beside returns the notes about a time of a person, to be shown beside something else. If
// there are any it is written down that they were looked at.
func (a *API) Beside(ctx context.Context, scope directory.Scope, person report.PersonID, from, to time.Time) ([]api.Note, error) {
	ctx, look := looked.Begin(ctx, a.access, looked.At{What: api.LookedNotes, From: from, To: to})
	list := []api.Note{}
	for note, err := range a.Each(ctx, scope, Question{Person: person, From: from, To: to}) {
		if err != nil {
			return nil, err
		}
		list = append(list, note)
	}
	if len(list) == 0 {
		return list, nil
	}
	return list, look.Keep(ctx)
}
