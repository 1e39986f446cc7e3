package person

import (
	"net/http"
	"net/url"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

// note is what somebody wrote about a span of their day.
type note struct {
	ID, When, Text, Answer, Who string
	// Open means that nobody has answered.
	Open bool
}

// draft is a note as it is written into the form.
type draft struct{ Account, From, To, Text string }

// path is where the API has something of the person: as the caller's own, or as somebody's.
func (s subject) path(names ...string) string {
	if s.own {
		return frame.Path(append([]string{"me"}, names...)...)
	}
	return frame.Path(append([]string{"people", s.id.String()}, names...)...)
}

// within is a day as a question of the API has it.
func within(day report.Day) url.Values {
	return url.Values{"start": {day.Start.UTC().Format(time.RFC3339)}, "end": {day.End.UTC().Format(time.RFC3339)}}
}

// notes reads what was written about the day; if anything was, it is written down who reads it.
func (p Parts) notes(v *frame.Visit, s subject, day report.Day, page *view) error {
	page.Answers = !s.own && (v.Caller.Role == directory.RoleAdmin || v.Caller.Role == directory.RoleManager)
	page.Draft = draft{v.Form.Get("account"), v.Form.Get("from"), v.Form.Get("to"), v.Form.Get("text")}
	if page.Draft == (draft{}) && page.Span.Chosen() {
		page.Draft.From, page.Draft.To = page.Span.From.In(day.Zone).Format(clock), page.Span.To.In(day.Zone).Format(clock)
	}
	list, err := p.Notes.Beside(v.Context(), s.scope, s.id, day.Start, day.End)
	if err != nil {
		return noteapi.AsProblem(err)
	}
	for i := range list {
		n := &list[i]
		shown := note{ID: n.ID, When: v.At(n.Start) + "–" + v.At(n.End), Text: n.Text, Open: n.Answer == nil}
		if n.Answer != nil {
			shown.Answer = *n.Answer
		}
		if n.AnsweredByName != nil {
			shown.Who = *n.AnsweredByName
		}
		page.Notes = append(page.Notes, shown)
	}
	return nil
}

// actOwn does what a form on one's own page asks for.
func actOwn(v *frame.Visit) (frame.Done, error) {
	day, err := dayOf(v)
	if err != nil {
		return frame.Done{}, err
	}
	here := "me?date=" + day.Date
	switch v.Form.Get("do") {
	case "note":
		asked, err := draftOf(v, day)
		if err == nil {
			_, err = v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("me", "notes"), Body: asked})
		}
		return frame.Done{To: frame.Said(here, "noted")}, err
	case "delete":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("me", "notes", v.Form.Get("id"))})
		return frame.Done{To: frame.Said(here, "removed")}, err
	case "picture":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("me", "screenshots", v.Form.Get("id"))})
		return frame.Done{To: frame.Said(here+"&pictures=yes", "removed")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}

// actOthers does what a form on somebody's page asks for.
func actOthers(v *frame.Visit) (frame.Done, error) {
	day, err := dayOf(v)
	if err != nil {
		return frame.Done{}, err
	}
	here := "people/" + url.PathEscape(v.ID) + "?date=" + day.Date
	answer := frame.Path("people", v.ID, "notes", v.Form.Get("id"), "answer")
	switch v.Form.Get("do") {
	case "answer":
		_, err := v.Do(frame.Call{Method: http.MethodPut, Path: answer, Body: api.NoteAnswer{Text: v.Form.Get("text")}})
		return frame.Done{To: frame.Said(here, "answered")}, err
	case "unanswer":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: answer})
		return frame.Done{To: frame.Said(here, "removed")}, err
	case "picture":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("screenshots", v.Form.Get("id"))})
		return frame.Done{To: frame.Said(here+"&pictures=yes", "removed")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}

// draftOf reads a note as it was written, by the day's clock. 00:00 ends the day.
func draftOf(v *frame.Visit, day report.Day) (api.NoteDraft, error) {
	asked := api.NoteDraft{MachineID: v.Form.Get("account"), Text: v.Form.Get("text")}
	from, errFrom := moment(v.Form.Get("from"), day)
	to, errTo := moment(v.Form.Get("to"), day)
	if errFrom != nil || errTo != nil {
		return asked, problem.BadRequest("from, to: want times of the day")
	}
	if !day.Start.Before(to) {
		to = day.End
	}
	asked.Start, asked.End = from, to
	return asked, nil
}
