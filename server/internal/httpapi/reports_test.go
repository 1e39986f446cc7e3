package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/db"
)

// A report that takes too long is answered with what would help.
func TestReportThatTakesTooLong(t *testing.T) {
	var p *problem.Error
	err := fmt.Errorf("%w: %w: %w", report.ErrTooLong, db.ErrUnavailable, context.DeadlineExceeded)
	if !errors.As(asProblem(err), &p) || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "fewer days") || p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
}

// Whatever comes as a body is a list or a refusal, and what was read is read again
// from what a GET would answer.
func FuzzCategoriesBody(f *testing.F) {
	for _, seed := range []string{
		`{"categories":[{"name":"a","colour":"#000000","rating":"neutral","patterns":[{"app":"x*"},{"title":"*y"}]}],"version":3}`,
		`{"categories":[]}`, `{"categories":null}`, `[]`, `{"categories":[]}{}`, `{"categories":[{"name":"\ud800"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		list, err := readCategories(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body)))
		if err != nil {
			if list != nil {
				t.Fatal("a list and an error")
			}
			return
		}
		again, err := json.Marshal(api.CategoryList{Categories: list})
		if err != nil {
			t.Fatal(err)
		}
		back, err := readCategories(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/", strings.NewReader(string(again))))
		same := slices.EqualFunc(list, back, func(a, b api.Category) bool {
			return a.Name == b.Name && a.Colour == b.Colour && a.Rating == b.Rating && slices.Equal(a.Patterns, b.Patterns)
		})
		if err != nil || !same {
			t.Fatalf("%s became %s: %v", body, again, err)
		}
	})
}
