package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store"
)

// maxCategoriesBytes bounds the body of PUT /api/categories: the most patterns of
// the greatest length, each character escaped, fit several times over what people
// keep.
const maxCategoriesBytes = 1 << 20

// within bounds a report as a whole: it may read much more than a list.
func within(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), report.ReportTimeout)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// slow says of a report that took too long what would help.
func slow(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		e := problem.Unavailable(err)
		e.Detail = "The report takes too long: ask for fewer days, for one group, or page by machine."
		return e
	}
	return err
}

// slowRows is slow for rows that come page by page.
func slowRows[T any](rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			if !yield(row, slow(err)) {
				return
			}
		}
	}
}

func subjectQuestion(q url.Values) report.SubjectQuestion {
	return report.SubjectQuestion{
		Per: q.Get("per"), MachineID: q.Get("machine_id"), Group: q.Get("group"), Limit: q.Get("limit"), Cursor: q.Get("cursor"),
	}
}

func activityQuestion(r *http.Request) report.ActivityQuestion {
	q := r.URL.Query()
	return report.ActivityQuestion{
		From: q.Get("from"), To: q.Get("to"), TZ: q.Get("tz"), By: q.Get("by"), SubjectQuestion: subjectQuestion(q),
	}
}

func (s *server) activityReport(w http.ResponseWriter, r *http.Request) {
	reply, err := s.Reports.Activity(r.Context(), auth.Scope(r.Context()), activityQuestion(r))
	s.reply(w, reply, slow(err))
}

func (s *server) activityTable(w http.ResponseWriter, r *http.Request) {
	q := activityQuestion(r)
	scope := auth.Scope(r.Context())
	if q.Limit == "" {
		sendTable(w, "activity", slowRows(s.Reports.EachActivity(r.Context(), scope, q)))
		return
	}
	reply, err := s.Reports.Activity(r.Context(), scope, q)
	sendPage(w, r, "activity", reply.Rows, reply.NextCursor, slow(err))
}

func appsQuestion(r *http.Request) report.AppsQuestion {
	q := r.URL.Query()
	return report.AppsQuestion{
		From: q.Get("from"), To: q.Get("to"), TZ: q.Get("tz"), By: q.Get("by"), SubjectQuestion: subjectQuestion(q),
	}
}

func (s *server) appsReport(w http.ResponseWriter, r *http.Request) {
	reply, err := s.Reports.Apps(r.Context(), auth.Scope(r.Context()), appsQuestion(r))
	s.reply(w, reply, slow(err))
}

func (s *server) appsTable(w http.ResponseWriter, r *http.Request) {
	q := appsQuestion(r)
	scope := auth.Scope(r.Context())
	if q.Limit == "" {
		sendTable(w, "apps", slowRows(s.Reports.EachApp(r.Context(), scope, q)))
		return
	}
	reply, err := s.Reports.Apps(r.Context(), scope, q)
	sendPage(w, r, "apps", reply.Rows, reply.NextCursor, slow(err))
}

func (s *server) categories(w http.ResponseWriter, r *http.Request) {
	list, err := s.Reports.Categories(r.Context())
	s.replyCategories(w, list, err)
}

func (s *server) categoriesTable(w http.ResponseWriter, r *http.Request) {
	list, err := s.Reports.Categories(r.Context())
	setVersion(w, list, err)
	sendPage(w, r, "categories", list.Categories, "", err)
}

func (s *server) replyCategories(w http.ResponseWriter, list api.CategoryList, err error) {
	setVersion(w, list, err)
	s.reply(w, list, err)
}

// setVersion names the list's version, for If-Match.
func setVersion(w http.ResponseWriter, list api.CategoryList, err error) {
	if err == nil {
		w.Header().Set("ETag", `"`+strconv.FormatInt(list.Version, 10)+`"`)
	}
}

func (s *server) putCategories(w http.ResponseWriter, r *http.Request) {
	versions, err := ifMatch(r)
	if err != nil {
		problem.Write(w, err)
		return
	}
	categories, err := readCategories(http.MaxBytesReader(w, r.Body, maxCategoriesBytes))
	if err != nil {
		problem.Write(w, err)
		return
	}
	list, err := s.Reports.SetCategories(r.Context(), categories, versions)
	if errors.Is(err, store.ErrCategoriesChanged) {
		err = problem.New(http.StatusPreconditionFailed, api.CodeChangedMeanwhile,
			"The categories have been changed since: GET them again and repeat the change on the new list.")
	}
	s.replyCategories(w, list, err)
}

// readCategories reads the body of a change. A name that is not known is refused:
// a pattern that was misspelt would match other uses than were meant.
func readCategories(body io.Reader) ([]api.Category, error) {
	var list struct {
		Categories *[]api.Category `json:"categories"`
		Version    json.RawMessage `json:"version"`
	}
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(&list)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one value")
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problem.New(http.StatusRequestEntityTooLarge, api.CodeTooLarge, "The list of categories is larger than 1 MiB.")
	case err != nil:
		return nil, problem.BadRequest(`The body must be JSON such as {"categories": [{"name": "Mail", "colour": "#2e7d32", ` +
			`"rating": "productive", "patterns": [{"app": "thunderbird"}]}]}: ` + err.Error())
	case list.Categories == nil:
		return nil, problem.BadRequest("categories is missing; an empty list takes all away.")
	}
	return *list.Categories, nil
}

// ifMatch gives the versions that a change may be of; nil means any. The header
// must be there, or two administrators could overwrite each other unawares.
func ifMatch(r *http.Request) ([]int64, error) {
	header := strings.Join(r.Header.Values("If-Match"), ",")
	if strings.TrimSpace(header) == "" {
		return nil, problem.New(http.StatusPreconditionRequired, api.CodeVersionMissing,
			"Send the ETag of the list that you changed as If-Match, or * to replace whatever there is.")
	}
	if strings.TrimSpace(header) == "*" {
		return nil, nil
	}
	versions := []int64{}
	for _, tag := range strings.Split(header, ",") {
		// A tag that is none of ours is of no version that there is.
		text := strings.TrimSpace(tag)
		if v, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64); err == nil && text == `"`+strconv.FormatInt(v, 10)+`"` {
			versions = append(versions, v)
		}
	}
	return versions, nil
}
