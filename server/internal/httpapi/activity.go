package httpapi

import (
	"context"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/directory"
)

// events answers with a machine's events.
func (s *server) events() http.HandlerFunc {
	return render(s, answer[report.EventsQuestion, api.EventList, api.Event]{
		ask: func(r *http.Request) (report.EventsQuestion, error) {
			q := r.URL.Query()
			return report.ParseEventsQuestion(request.PathValue(r, "machine_id"), q.Get("start"), q.Get("end"), q.Get("limit"), q.Get("cursor"))
		},
		at: func(q report.EventsQuestion) looked.At {
			return looked.At{What: api.LookedEvents, From: q.Start, To: q.End}
		},
		get:     s.Reports.Events,
		file:    func(q report.EventsQuestion) string { return "events-" + string(q.MachineID) },
		rows:    func(l api.EventList) ([]api.Event, string) { return l.Events, l.NextCursor },
		each:    s.Reports.EachEvent,
		limited: func(q report.EventsQuestion) bool { return q.Limit > 0 },
	})
}

// dayQuestion reads which machine's day is asked for.
func dayQuestion(r *http.Request) (q report.DayQuestion, err error) {
	query := r.URL.Query()
	if q.Day, err = report.ParseDay(query.Get("date"), query.Get("tz")); err != nil {
		return q, err
	}
	q.MachineID, err = machineID(r)
	return q, err
}

// ofDay returns that an answer of that kind is of its question's day.
func ofDay(what string) func(report.DayQuestion) looked.At {
	return func(q report.DayQuestion) looked.At { return looked.At{What: what, From: q.Day.Start, To: q.Day.End} }
}

// summary sums up a machine's day.
func (s *server) summary() http.HandlerFunc {
	return render(s, answer[report.DayQuestion, api.Summary, api.Summary]{
		ask:  dayQuestion,
		at:   ofDay(api.LookedSummary),
		get:  s.Reports.Summary,
		file: func(q report.DayQuestion) string { return "summary-" + string(q.MachineID) },
		rows: one[api.Summary],
	})
}

// timeline sums up each hour of a machine's day.
func (s *server) timeline() http.HandlerFunc {
	return render(s, answer[report.DayQuestion, api.Timeline, api.Hour]{
		ask:  dayQuestion,
		at:   ofDay(api.LookedTimeline),
		get:  s.Reports.Timeline,
		file: func(q report.DayQuestion) string { return "timeline-" + string(q.MachineID) },
		rows: func(t api.Timeline) ([]api.Hour, string) { return t.Hours, "" },
	})
}

// personEvents answers with the events of a person's accounts.
func (s *server) personEvents() http.HandlerFunc {
	return render(s, answer[report.PersonEventsQuestion, api.PersonEvents, api.Event]{
		ask: func(r *http.Request) (report.PersonEventsQuestion, error) {
			q := r.URL.Query()
			return report.ParsePersonEvents(request.PathValue(r, "person"), q.Get("start"), q.Get("end"), q.Get("limit"), q.Get("cursor"))
		},
		at: func(q report.PersonEventsQuestion) looked.At {
			return looked.At{What: api.LookedEvents, From: q.From.At, To: q.End}
		},
		get:     s.Reports.PersonEvents,
		file:    func(q report.PersonEventsQuestion) string { return "events-" + q.Person.String() },
		rows:    func(l api.PersonEvents) ([]api.Event, string) { return l.Events, l.NextCursor },
		each:    s.Reports.EachPersonEvent,
		limited: func(q report.PersonEventsQuestion) bool { return q.Limit > 0 },
	})
}

// personDayQuestion reads which person's day is asked for.
func personDayQuestion(r *http.Request) (q byperson.PersonDayQuestion, err error) {
	query := r.URL.Query()
	if q.Day, err = report.ParseDay(query.Get("date"), query.Get("tz")); err != nil {
		return q, err
	}
	q.Person, err = personID(r)
	return q, err
}

// ofPersonDay returns that an answer of that kind is of its question's day.
func ofPersonDay(what string) func(byperson.PersonDayQuestion) looked.At {
	return func(q byperson.PersonDayQuestion) looked.At {
		return looked.At{What: what, From: q.Day.Start, To: q.Day.End}
	}
}

// personSummary sums up a person's day.
func (s *server) personSummary() http.HandlerFunc {
	return render(s, answer[byperson.PersonDayQuestion, api.PersonSummary, api.PersonSummary]{
		ask:  personDayQuestion,
		at:   ofPersonDay(api.LookedSummary),
		get:  s.People.Summary,
		file: func(q byperson.PersonDayQuestion) string { return "summary-" + q.Person.String() },
		rows: one[api.PersonSummary],
	})
}

// personTimeline sums up each hour of a person's day.
func (s *server) personTimeline() http.HandlerFunc {
	return render(s, answer[byperson.PersonDayQuestion, api.PersonTimeline, api.Hour]{
		ask:  personDayQuestion,
		at:   ofPersonDay(api.LookedTimeline),
		get:  s.People.Timeline,
		file: func(q byperson.PersonDayQuestion) string { return "timeline-" + q.Person.String() },
		rows: func(t api.PersonTimeline) ([]api.Hour, string) { return t.Hours, "" },
	})
}

// personDay answers with the segments of a person's day, and notes beside them.
func (s *server) personDay() http.HandlerFunc {
	return render(s, answer[byperson.PersonDayQuestion, api.PersonDay, api.Segment]{
		ask:  personDayQuestion,
		at:   ofPersonDay(api.LookedDay),
		get:  s.People.PersonDay,
		file: func(q byperson.PersonDayQuestion) string { return "day-" + q.Person.String() },
		rows: func(d api.PersonDay) ([]api.Segment, string) { return d.Segments, "" },
		beside: func(ctx context.Context, scope directory.Scope, q byperson.PersonDayQuestion, d *api.PersonDay) (err error) {
			d.Notes, err = s.Notes.Beside(ctx, scope, q.Person, q.Day.Start, q.Day.End)
			return err
		},
	})
}

// notes lists what a person wrote about their time.
func (s *server) notes() http.HandlerFunc {
	return render(s, answer[noteapi.Question, api.NoteList, api.Note]{
		ask:     noteapi.Ask,
		at:      noteapi.Question.At,
		get:     s.Notes.List,
		each:    s.Notes.Each,
		limited: func(q noteapi.Question) bool { return q.Limited },
		file:    func(q noteapi.Question) string { return "notes-" + q.Person.String() },
		rows:    func(l api.NoteList) ([]api.Note, string) { return l.Notes, l.NextCursor },
	})
}
