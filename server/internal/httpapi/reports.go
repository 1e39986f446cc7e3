package httpapi

import (
	"net/http"
	"net/url"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
)

// subject reads what a report is of.
func subject(q url.Values) (report.Subject, error) {
	return report.ParseSubject(q.Get("per"), q.Get("machine_id"), q.Get("person"), q.Get("group"), q.Get("limit"), q.Get("cursor"))
}

// activityReport adds up active time.
func (s *server) activityReport() http.HandlerFunc {
	return render(s, answer[report.ActivityQuestion, api.ActivityReport, api.ActivityRow]{
		ask: func(r *http.Request) (a report.ActivityQuestion, err error) {
			q := r.URL.Query()
			if a.Days, err = report.ParseRange(q.Get("from"), q.Get("to"), q.Get("tz")); err != nil {
				return a, err
			}
			if a.By, err = report.ParseStep(q.Get("by")); err != nil {
				return a, err
			}
			a.Subject, err = subject(q)
			return a, err
		},
		at: func(q report.ActivityQuestion) looked.At {
			return looked.At{What: api.LookedActivity, From: q.Days.Start, To: q.Days.End}
		},
		get:     s.Reports.Activity,
		within:  report.ReportTimeout,
		file:    func(report.ActivityQuestion) string { return "activity" },
		rows:    func(v api.ActivityReport) ([]api.ActivityRow, string) { return v.Rows, v.NextCursor },
		each:    s.Reports.EachActivity,
		limited: func(q report.ActivityQuestion) bool { return q.Subject.Page.Limit > 0 },
	})
}

// appsReport adds up the use of applications.
func (s *server) appsReport() http.HandlerFunc {
	return render(s, answer[report.AppsQuestion, api.AppsReport, api.AppRow]{
		ask: func(r *http.Request) (a report.AppsQuestion, err error) {
			q := r.URL.Query()
			if a.Days, err = report.ParseRange(q.Get("from"), q.Get("to"), q.Get("tz")); err != nil {
				return a, err
			}
			if a.By, err = report.ParseAppsBy(q.Get("by")); err != nil {
				return a, err
			}
			a.Subject, err = subject(q)
			return a, err
		},
		at: func(q report.AppsQuestion) looked.At {
			return looked.At{What: api.LookedApps, From: q.Days.Start, To: q.Days.End}
		},
		get:     s.Reports.Apps,
		within:  report.ReportTimeout,
		file:    func(report.AppsQuestion) string { return "apps" },
		rows:    func(v api.AppsReport) ([]api.AppRow, string) { return v.Rows, v.NextCursor },
		each:    s.Reports.EachApp,
		limited: func(q report.AppsQuestion) bool { return q.Subject.Page.Limit > 0 },
	})
}

// dayReport answers with the segments of people's day.
func (s *server) dayReport() http.HandlerFunc {
	return render(s, answer[byperson.DayQuestion, api.DayReport, api.DaySegment]{
		ask: func(r *http.Request) (a byperson.DayQuestion, err error) {
			q := r.URL.Query()
			if a.Day, err = report.ParseDay(q.Get("date"), q.Get("tz")); err != nil {
				return a, err
			}
			if a.Page, err = report.ParsePeoplePage(q.Get("limit"), q.Get("cursor"), byperson.MaxDayPeople); err != nil {
				return a, err
			}
			a.Who, err = byperson.ParseWho(q.Get("person"), q.Get("group"))
			return a, err
		},
		at: func(q byperson.DayQuestion) looked.At {
			return looked.At{What: api.LookedDay, From: q.Day.Start, To: q.Day.End}
		},
		get:     s.People.Day,
		file:    func(q byperson.DayQuestion) string { return "day" + q.Who.String() },
		rows:    func(d api.DayReport) ([]api.DaySegment, string) { return byperson.Rows(d.People), d.NextCursor },
		each:    s.People.EachSegment,
		limited: func(q byperson.DayQuestion) bool { return q.Page.Limit > 0 },
	})
}

// rhythmReport adds up the hours of the week.
func (s *server) rhythmReport() http.HandlerFunc {
	return render(s, answer[byperson.RhythmQuestion, api.RhythmReport, api.RhythmHour]{
		ask: func(r *http.Request) (byperson.RhythmQuestion, error) {
			q := r.URL.Query()
			return byperson.ParseRhythm(q.Get("from"), q.Get("to"), q.Get("tz"), q.Get("person"), q.Get("group"))
		},
		at: func(q byperson.RhythmQuestion) looked.At {
			return looked.At{What: api.LookedRhythm, From: q.Days.Start, To: q.Days.End}
		},
		get:    s.People.Rhythm,
		within: report.ReportTimeout,
		file:   func(q byperson.RhythmQuestion) string { return "rhythm" + q.Who.String() },
		rows:   func(v api.RhythmReport) ([]api.RhythmHour, string) { return v.Hours, "" },
	})
}
