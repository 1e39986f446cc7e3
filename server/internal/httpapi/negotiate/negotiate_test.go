package negotiate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/problem"
)

func TestAsked(t *testing.T) {
	const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	tests := []struct {
		query, accept string
		want          Rendering
		status        int
	}{
		{"", "", JSON, 0},
		{"", " ", JSON, 0},
		{"", "*/*", JSON, 0},
		{"", "text/csv", CSV, 0},
		{"", "TEXT/CSV; charset=utf-8", CSV, 0},
		{"", "text/*", CSV, 0},
		{"", "application/json, text/csv", JSON, 0},
		{"", "text/csv;q=0.9, application/json;q=0.8", CSV, 0},
		{"", "text/csv;q=0.8, application/json", JSON, 0},
		{"", "text/csv, */*;q=0.1", CSV, 0},
		{"", "*/*, application/json;q=0", CSV, 0},
		{"", "text/*;q=0.9, text/csv;q=0, */*;q=0.1", JSON, 0},
		{"", "text/csv;q=nonsense, application/json;q=0.1", JSON, 0},
		{"", "text/csv;q=7, application/json;q=0.1", JSON, 0},
		{"", "text/csv;q=NaN, application/json;q=0.1", JSON, 0},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON, 0},
		{"", "text/html", JSON, 406},
		{"", "application/json;q=0", JSON, 406},
		{"", "text/csv;q=0", JSON, 406},
		{"", "nonsense", JSON, 406},
		{"", `application/json;profile="a,text/csv,b"`, JSON, 0},
		{"", `text/csv;x="a\",b"`, CSV, 0},
		{"", `image/png;x="a\",text/csv,b"`, JSON, 406},
		{"", `image/png;x="a, text/csv`, JSON, 406},
		{"", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON, 0},
		{"", ",,;,/", JSON, 406},
		{"", "*", JSON, 0},
		{"", "*;q=0", JSON, 406},
		{"", "text/csv;q=0, *", JSON, 0},
		{"", ",", JSON, 0},
		{"", " , ,\t", JSON, 0},
		{"", ",text/csv,", CSV, 0},
		{"", strings.Repeat(",", 1000) + "text/csv", CSV, 0},
		{"", "application/json; indent", JSON, 0},
		{"", "application/json; charset=", JSON, 0},
		{"", "application/json;v=1;v=2", JSON, 0},
		{"", "text/csv; header", CSV, 0},
		{"", "text/csv; header; q=0", JSON, 406},
		{"", "text/csv;v=1;v=2;Q = 0.5 , application/json;q=0.7", JSON, 0},
		{"", "text/csv;q=1;q=0, application/json;q=0.5", CSV, 0},
		{"", strings.Repeat("text/html,", 1000) + "text/csv", JSON, 406},
		{"?format=csv", "application/json", CSV, 0},
		{"?format=json", "text/csv", JSON, 0},
		{"?format=csv", "text/html", CSV, 0},
		{"?format=xlsx", "", Workbook, 0},
		{"", xlsx, Workbook, 0},
		{"", xlsx + ", text/csv", CSV, 0},
		{"", xlsx + ", text/csv;q=0.9", Workbook, 0},
		{"", "application/*", JSON, 0},
		{"?format=csv&for=excel", "", CSVForExcel, 0},
		{"?for=excel", "text/csv", CSVForExcel, 0},
		{"?for=excel", "", JSON, 400},
		{"?format=xlsx&for=excel", "", JSON, 400},
		{"?format=csv&for=numbers", "", JSON, 400},
		{"?format=xml", "text/csv", JSON, 400},
		{"?format=", "", JSON, 400},
		{"?format=csv&format=json", "", JSON, 400},
		{"?format=csv&format=csv", "", JSON, 400},
		{"?format=CSV", "", JSON, 400},
		{"?limit=1;format=csv", "", JSON, 400},
		{"?format=csv&x=%zz", "", JSON, 400},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/"+test.query, nil)
		if test.accept != "" {
			r.Header.Set("Accept", test.accept)
		}
		got, err := Asked(r)
		var refusal *problem.Error
		status := 0
		if errors.As(err, &refusal) {
			status = refusal.Status
		}
		if got != test.want || status != test.status || (err != nil) != (test.status != 0) {
			t.Errorf("%q %.60q: %v, %v", test.query, test.accept, got, err)
		}
	}
}

// What has one kind of answer refuses, rather than send it unasked.
func TestAcceptsOnly(t *testing.T) {
	stream, described := []string{"text/event-stream"}, []string{"application/json", "application/openapi+json"}
	tests := []struct {
		types         []string
		query, accept string
		status        int
	}{
		{stream, "", "", 0},
		{stream, "", "text/event-stream", 0},
		{stream, "", "*/*", 0},
		{stream, "", "text/*;q=0.1", 0},
		{stream, "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0},
		{stream, "", "text/csv", 406},
		{stream, "", "application/json", 406},
		{stream, "", "text/event-stream;q=0, */*", 406},
		{stream, "", "application/openapi+json", 406},
		{stream, "?format=csv", "text/event-stream", 400},
		{stream, "?format=json", "", 400},
		{stream, "?format=text/event-stream", "", 400},
		{stream, "?format=", "", 400},
		{stream, "?x=1;format=csv", "", 400},
		{described, "", "application/openapi+json", 0},
		{described, "", "application/json;q=0, application/openapi+json", 0},
		{described, "?format=json", "text/csv", 0},
		{described, "?format=csv", "", 400},
		{described, "?format=json&format=json", "", 400},
		{described, "", "text/html", 406},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/"+test.query, nil)
		if test.accept != "" {
			r.Header.Set("Accept", test.accept)
		}
		err := acceptsOnly(r, test.types...)
		var refusal *problem.Error
		status := 0
		if errors.As(err, &refusal) {
			status = refusal.Status
		}
		if status != test.status || (err != nil) != (test.status != 0) {
			t.Errorf("%v %q %q: %v", test.types, test.query, test.accept, err)
		}
	}
}

// RFC 9110 allows the header several times.
func TestAskedBySeveralHeaders(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Add("Accept", "application/json;q=0.5")
	r.Header.Add("Accept", "text/csv")
	if got, err := Asked(r); got != CSV || err != nil {
		t.Error(got, err)
	}
}

func FuzzAsked(f *testing.F) {
	f.Add("text/csv;q=0.5, */*;q=0.1")
	f.Add(`text/csv;x="a\",b", */*`)
	f.Add("text/csv; header;q=0,, *;v=1;v=1")
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		if got, err := Asked(r); got != JSON && err != nil {
			t.Error("both an answer and a refusal")
		}
	})
}
