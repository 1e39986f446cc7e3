package ui

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// notesBefore and notesAfter are of how many days around today notes are shown.
	notesBefore = 14
	notesAfter  = 2
	// midnight is the end of a day, as a field for a time has it.
	midnight = "00:00"
)

// note is one as the page shows it.
type note struct {
	ID, When, Text, Answer, Who string
	// Open means that nobody has answered.
	Open bool
}

// draft is a note as it is written into the form.
type draft struct{ Account, Date, From, To, Text string }

// notes returns what the caller wrote lately, the newest first.
func (p *Pages) notes(ctx context.Context, scope directory.Scope, person report.PersonID, day report.Day) ([]note, error) {
	list, err := p.Notes.Beside(ctx, scope, person, day.Start.AddDate(0, 0, -notesBefore), day.End.AddDate(0, 0, notesAfter))
	if err != nil {
		return nil, noteapi.AsProblem(err)
	}
	shown := make([]note, len(list))
	for i := range list {
		n := &list[len(list)-1-i]
		from, to := n.Start.In(day.Zone), n.End.In(day.Zone)
		ends := to.Format(clock)
		if from.YearDay() != to.YearDay() {
			ends = to.Format(moment)
		}
		shown[i] = note{ID: n.ID, When: from.Format(moment) + " - " + ends, Text: n.Text, Open: n.Answer == nil}
		if n.Answer != nil {
			shown[i].Answer = *n.Answer
		}
		if n.AnsweredByName != nil {
			shown[i].Who = *n.AnsweredByName
		}
	}
	return shown, nil
}

// takeNote keeps a note of the caller's own, or deletes one.
func (p *Pages) takeNote(w http.ResponseWriter, r *http.Request, v *view) {
	form := r.PostForm
	v.Draft = draft{form.Get("account"), form.Get("date"), form.Get("from"), form.Get("to"), form.Get("text")}
	caller, err := p.Guard.LoggedIn(r)
	if err == nil && caller.LoginSession != "" {
		err = p.changeNotes(auth.As(r.Context(), caller), form, v)
	}
	if err != nil {
		p.show(w, r, v, noteapi.AsProblem(err))
		return
	}
	back(w, "self?tz="+url.QueryEscape(v.TZ))
}

func (p *Pages) changeNotes(ctx context.Context, form url.Values, v *view) error {
	mine, err := p.Self.OwnOf(ctx)
	if err != nil {
		return err
	}
	person := report.PersonID(mine.Person)
	ctx = auth.Within(ctx, directory.OfMachines(mine.Accounts))
	if form.Get("note") == "delete" {
		err = p.Notes.Remove(ctx, person, form.Get("id"))
		var refusal *problem.Error
		if errors.As(noteapi.AsProblem(err), &refusal) && refusal.Code == api.CodeNotFound {
			return nil // it is gone already
		}
		return err
	}
	asked, err := v.Draft.read(v.TZ)
	if err == nil {
		_, _, err = p.Notes.Keep(ctx, person, asked)
	}
	return err
}

// read reads what was written, by the clock of a zone. 00:00 ends the day.
func (d draft) read(zone string) (api.NoteDraft, error) {
	asked := api.NoteDraft{MachineID: d.Account, Text: d.Text}
	day, err := report.ParseDay(d.Date, zone)
	if err != nil {
		return asked, problem.BadRequest(err.Error())
	}
	at := func(text string) (time.Time, error) {
		return time.ParseInLocation(moment, d.Date+" "+text, day.Zone)
	}
	from, errFrom := at(d.From)
	to, errTo := at(d.To)
	if errFrom != nil || errTo != nil {
		return asked, problem.BadRequest("from, to: want times of the day")
	}
	if d.To == midnight {
		to = day.End
	}
	asked.Start, asked.End = from, to
	return asked, nil
}
