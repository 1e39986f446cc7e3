// Package noteapi has the routes about notes: people explain spans of their own time, others
// read that and answer.
package noteapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/notes"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/text"
)

// maxBody bounds a body: a text of characters that JSON may write in twelve bytes each, and
// what is around it.
const maxBody = 12*api.MaxNoteChars + 2<<10

// API has the routes.
type API struct {
	store  *notes.Notes
	access *access.Log
}

// New returns the routes; log is where it is written who looks.
func New(store *notes.Notes, log *access.Log) *API { return &API{store: store, access: log} }

// kinds returns what is sent to a caller for each error of the store.
func kinds() []problem.Kind {
	return []problem.Kind{
		{Is: notes.ErrNoAccount, Code: api.CodeNotFound, Detail: "You have no such account."},
		{Is: notes.ErrWhich, Code: api.CodeBadRequest, Detail: "machine_id: you have several accounts; name the one that the note is kept with."},
		{Is: notes.ErrSpan, Code: api.CodeBadRequest, Detail: fmt.Sprintf("start, end: want two times, the first before the second, at most %d hours apart", api.MaxNoteHours)},
		{Is: notes.ErrAhead, Code: api.CodeBadRequest, Detail: "end: it is more than a day ahead"},
		{Is: notes.ErrTooOld, Code: api.CodeBadRequest, Detail: "start: nothing is kept of that time any more"},
		{Is: notes.ErrErased, Code: api.CodeErased, Detail: "What was known of the account at that time was erased."},
		{Is: notes.ErrTooMany, Code: api.CodeTooManyNotes, Detail: "The account has as many notes as there may be, of that day or in all: delete one first."},
		{Is: notes.ErrAnswered, Code: api.CodeNoteAnswered, Detail: "The note was answered: it stays as it is until the answer is taken away."},
		{Is: people.ErrNone, Code: api.CodeNotFound, Detail: "There is no such person."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: "There is no such note."},
	}
}

// AsProblem turns an error into a refusal.
func AsProblem(err error) error {
	var refusal *problem.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	if refusal := problem.OfKind(err, kinds()); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}

// parseText reads what a person wrote.
func parseText(given string) (string, error) {
	line, ok := text.Prose(given)
	if !ok || utf8.RuneCountInString(line) > api.MaxNoteChars {
		return "", problem.BadRequest(fmt.Sprintf("text: want 1 to %d characters that can be shown", api.MaxNoteChars))
	}
	return line, nil
}

// Add keeps a note of the caller's own, behind selfapi's Own.
func (a *API) Add(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	draft, err := request.Read[api.NoteDraft](w, r, request.Body{
		Limit: maxBody, Strict: true, Example: `{"start": "2026-11-23T10:00:00Z", "end": "2026-11-23T11:00:00Z", "text": "Meeting"}`,
	})
	var person report.PersonID
	if err == nil {
		person, err = report.ParsePersonID(request.PathValue(r, "person"))
	}
	var note api.Note
	if err == nil {
		var added bool
		if note, added, err = a.Keep(r.Context(), person, draft); added {
			status = http.StatusCreated
		}
	}
	problem.Reply(w, r, status, note, err, AsProblem)
}

// Keep keeps a note of the caller's own; added is false where there was one. The caller's
// scope is what is their own of the person.
func (a *API) Keep(ctx context.Context, person report.PersonID, draft api.NoteDraft) (note api.Note, added bool, err error) {
	line, err := parseText(draft.Text)
	if err != nil {
		return note, false, err
	}
	if !text.Printable(draft.MachineID) {
		return note, false, notes.ErrNoAccount
	}
	caller := auth.Caller(ctx)
	d := notes.Draft{
		Scope: caller.Scope, Person: int64(person), MachineID: draft.MachineID, Text: line,
		Start: draft.Start.UTC().Truncate(time.Second), End: draft.End.UTC().Truncate(time.Second),
	}
	if caller.Role != directory.RoleSelf {
		d.By = nameOf(caller)
	}
	return a.store.Add(ctx, &d)
}

// nameOf names a caller for good.
func nameOf(p auth.Principal) string {
	if p.LoginSession != "" {
		return "user " + p.ID
	}
	return "token " + p.ID
}

// Delete deletes a note of the caller's own.
func (a *API) Delete(w http.ResponseWriter, r *http.Request) {
	person, err := report.ParsePersonID(request.PathValue(r, "person"))
	if err == nil {
		err = a.Remove(r.Context(), person, request.PathValue(r, "note"))
	}
	problem.Reply(w, r, http.StatusNoContent, nil, err, AsProblem)
}

// Remove deletes a note of the caller's own, by its id; see Keep.
func (a *API) Remove(ctx context.Context, person report.PersonID, note string) error {
	id, err := notes.ParseID(note)
	if err != nil {
		return err
	}
	return a.store.Delete(ctx, auth.Caller(ctx).Scope, int64(person), id)
}

// Answer answers a note.
func (a *API) Answer(w http.ResponseWriter, r *http.Request) {
	asked, err := request.Read[api.NoteAnswer](w, r, request.Body{Limit: maxBody, Strict: true, Example: `{"text": "Thank you"}`})
	var line string
	if err == nil {
		line, err = parseText(asked.Text)
	}
	if err == nil {
		err = a.answer(r, line)
	}
	problem.Reply(w, r, http.StatusNoContent, nil, err, AsProblem)
}

// RemoveAnswer takes a note's answer away.
func (a *API) RemoveAnswer(w http.ResponseWriter, r *http.Request) {
	problem.Reply(w, r, http.StatusNoContent, nil, a.answer(r, ""), AsProblem)
}

func (a *API) answer(r *http.Request, line string) error {
	id, err := notes.ParseID(request.PathValue(r, "note"))
	if err != nil {
		return err
	}
	person, err := report.ParsePersonID(request.PathValue(r, "person"))
	if err != nil {
		return db.ErrNotFound // what can be nobody's has no notes
	}
	caller := auth.Caller(r.Context())
	return a.store.Answer(r.Context(), &notes.Reply{Scope: caller.Scope, Person: int64(person), Note: id, Text: line, By: nameOf(caller)})
}
