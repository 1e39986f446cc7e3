package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpapi/negotiate"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/months"
)

// monthRoutes are those about months that are closed. Closing one may take as long as a page
// of a report.
func (s *server) monthRoutes(viewer chi.Router) {
	viewer.Get("/api/months", s.closedMonths())
	viewer.Get("/api/months/{month}", s.closedMonth())
	viewer.Post("/api/months/{month}", negotiate.OnlyJSON(changeWith(request.Body{
		Limit: maxPatchBytes, Strict: true, Example: `{"group": "Reception", "tz": "Europe/Moscow"}`, TooLarge: problem.New(api.CodeTooLarge, "The body is larger than 8 KiB."),
	}, s.closeMonth)))
	viewer.Delete("/api/months/{month}", change(monthOf, s.openMonth))
}

// closedMonths lists which months are closed.
func (s *server) closedMonths() http.HandlerFunc {
	return render(s, answer[closing.ListQuestion, api.ClosedMonthList, api.ClosedMonth]{
		ask: func(r *http.Request) (closing.ListQuestion, error) {
			q := r.URL.Query()
			return closing.ParseList(q.Get("year"), q.Get("limit"), q.Get("cursor"))
		},
		get:     s.Months.List,
		file:    func(closing.ListQuestion) string { return "months" },
		rows:    func(l api.ClosedMonthList) ([]api.ClosedMonth, string) { return l.Months, l.NextCursor },
		each:    s.Months.Each,
		limited: func(q closing.ListQuestion) bool { return q.Limit > 0 },
	})
}

// closedMonth answers with what people did in a closed month.
func (s *server) closedMonth() http.HandlerFunc {
	return render(s, answer[closing.Question, api.MonthReport, api.MonthDay]{
		ask: func(r *http.Request) (closing.Question, error) {
			q := r.URL.Query()
			return closing.ParseQuestion(request.PathValue(r, "month"), q.Get("group"), q.Get("limit"), q.Get("cursor"))
		},
		at: func(q closing.Question) looked.At {
			from, to := q.Span()
			return looked.At{What: api.LookedMonth, From: from, To: to}
		},
		get:    s.Months.Show,
		within: report.ReportTimeout,
		file: func(q closing.Question) string {
			return strings.TrimSuffix("month-"+q.First.Format("2006-01")+"-"+q.Group, "-")
		},
		rows:    func(m api.MonthReport) ([]api.MonthDay, string) { return m.Rows, m.NextCursor },
		each:    s.Months.EachDay,
		limited: func(q closing.Question) bool { return q.Page.Limit > 0 },
	})
}

// monthOf reads which month of which group is meant.
func monthOf(r *http.Request) (months.Of, error) {
	return closing.Parse(request.PathValue(r, "month"), r.URL.Query().Get("group"))
}

func (s *server) closeMonth(_ http.ResponseWriter, r *http.Request, draft api.MonthDraft) (int, any, error) {
	d, err := closing.ParseDraft(request.PathValue(r, "month"), draft.Group, draft.TZ)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), report.ReportTimeout)
	defer cancel()
	closed, err := s.Months.Close(ctx, auth.Caller(ctx).Scope, d)
	return http.StatusCreated, closed, err
}

func (s *server) openMonth(ctx context.Context, of months.Of) error {
	ctx, cancel := context.WithTimeout(ctx, report.ReportTimeout)
	defer cancel()
	return s.Months.Open(ctx, auth.Caller(ctx).Scope, of)
}
