package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/policyapi"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/directory"
)

// maxCategoriesBytes bounds the body of PUT /api/categories: the most patterns of
// the greatest length, each character escaped, fit several times over what people
// keep.
const maxCategoriesBytes = 1 << 20

// categories answers with all categories.
func (s *server) categories() http.HandlerFunc {
	return render(s, answer[struct{}, api.CategoryList, api.Category]{
		ask: func(*http.Request) (struct{}, error) { return struct{}{}, nil },
		get: func(ctx context.Context, _ directory.Scope, _ struct{}) (api.CategoryList, error) {
			return s.Reports.Categories(ctx)
		},
		header: setVersion,
		file:   func(struct{}) string { return "categories" },
		rows:   func(l api.CategoryList) ([]api.Category, string) { return l.Categories, "" },
	})
}

// receipts answers with who has read which notice.
func (s *server) receipts() http.HandlerFunc {
	return render(s, answer[policyapi.ReceiptsQuestion, api.ReceiptList, api.ReceiptRow]{
		ask:     policyapi.AskReceipts,
		at:      func(policyapi.ReceiptsQuestion) looked.At { return looked.At{What: api.LookedReceipts} },
		get:     s.Policy.Receipts,
		each:    s.Policy.EachReceipt,
		limited: func(q policyapi.ReceiptsQuestion) bool { return q.Limited },
		file:    func(policyapi.ReceiptsQuestion) string { return "receipts" },
		rows:    func(l api.ReceiptList) ([]api.ReceiptRow, string) { return l.Receipts, l.NextCursor },
	})
}

// setVersion names the list's version, for If-Match.
func setVersion(h http.Header, list api.CategoryList) {
	h.Set("ETag", request.ETag(list.Version))
}

// putCategories puts a list in the place of all categories.
func (s *server) putCategories(w http.ResponseWriter, r *http.Request) {
	list, err := s.replaceCategories(w, r)
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	setVersion(w.Header(), list)
	problem.Send(w, http.StatusOK, list)
}

func (s *server) replaceCategories(w http.ResponseWriter, r *http.Request) (api.CategoryList, error) {
	versions, err := request.IfMatch(r, "Send the ETag of the list that you changed as If-Match, or * to replace whatever there is.")
	if err != nil {
		return api.CategoryList{}, err
	}
	categories, err := readCategories(w, r)
	if err != nil {
		return api.CategoryList{}, err
	}
	return s.Reports.SetCategories(r.Context(), categories, versions)
}

// previewCategories answers where the last week's time would count with other categories.
func (s *server) previewCategories(w http.ResponseWriter, r *http.Request) {
	preview, err := s.shiftedCategories(w, r)
	reply(w, r, http.StatusOK, preview, err)
}

func (s *server) shiftedCategories(w http.ResponseWriter, r *http.Request) (preview api.CategoryPreview, err error) {
	draft, err := readCategories(w, r)
	if err == nil {
		err = report.CheckCategories(draft)
	}
	if err != nil {
		return preview, err
	}
	ctx, look := looked.Begin(r.Context(), s.Access, looked.At{What: api.LookedPreview})
	if preview, err = s.Previews.Categories(ctx, auth.Caller(ctx).Scope, draft); err != nil {
		return preview, err
	}
	return preview, look.Keep(ctx)
}

// readCategories reads the body of a change. A name that is not known is refused:
// a pattern that was misspelt would match other uses than were meant.
func readCategories(w http.ResponseWriter, r *http.Request) ([]api.Category, error) {
	list, err := request.Read[struct {
		Categories *[]api.Category `json:"categories"`
		Version    json.RawMessage `json:"version"`
	}](w, r, request.Body{
		Limit: maxCategoriesBytes, Strict: true, TooLarge: problem.New(api.CodeTooLarge, "The list of categories is larger than 1 MiB."),
		Example: `{"categories": [{"name": "Mail", "colour": "#2e7d32", "rating": "productive", "patterns": [{"app": "thunderbird"}]}]}`,
	})
	switch {
	case err != nil:
		return nil, err
	case list.Categories == nil:
		return nil, problem.BadRequest("categories is missing; an empty list takes all away.")
	}
	return *list.Categories, nil
}
