package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/problem"
)

func TestAskedCSV(t *testing.T) {
	tests := []struct {
		query, accept string
		csv           bool
		status        int
	}{
		{"", "", false, 0},
		{"", " ", false, 0},
		{"", "*/*", false, 0},
		{"", "text/csv", true, 0},
		{"", "TEXT/CSV; charset=utf-8", true, 0},
		{"", "text/*", true, 0},
		{"", "application/json, text/csv", false, 0},
		{"", "text/csv;q=0.9, application/json;q=0.8", true, 0},
		{"", "text/csv;q=0.8, application/json", false, 0},
		{"", "text/csv, */*;q=0.1", true, 0},
		{"", "*/*, application/json;q=0", true, 0},
		{"", "text/*;q=0.9, text/csv;q=0, */*;q=0.1", false, 0},
		{"", "text/csv;q=nonsense, application/json;q=0.1", false, 0},
		{"", "text/csv;q=7, application/json;q=0.1", false, 0},
		{"", "text/csv;q=NaN, application/json;q=0.1", false, 0},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false, 0},
		{"", "text/html", false, 406},
		{"", "application/json;q=0", false, 406},
		{"", "text/csv;q=0", false, 406},
		{"", "nonsense", false, 406},
		{"", `application/json;profile="a,text/csv,b"`, false, 0},
		{"", `text/csv;x="a\",b"`, true, 0},
		{"", `image/png;x="a\",text/csv,b"`, false, 406},
		{"", `image/png;x="a, text/csv`, false, 406},
		{"", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", false, 0},
		{"", ",,;,/", false, 406},
		{"", "*", false, 0},
		{"", "*;q=0", false, 406},
		{"", "text/csv;q=0, *", false, 0},
		{"", ",", false, 0},
		{"", " , ,\t", false, 0},
		{"", ",text/csv,", true, 0},
		{"", strings.Repeat(",", 1000) + "text/csv", true, 0},
		{"", "application/json; indent", false, 0},
		{"", "application/json; charset=", false, 0},
		{"", "application/json;v=1;v=2", false, 0},
		{"", "text/csv; header", true, 0},
		{"", "text/csv; header; q=0", false, 406},
		{"", "text/csv;v=1;v=2;Q = 0.5 , application/json;q=0.7", false, 0},
		{"", "text/csv;q=1;q=0, application/json;q=0.5", true, 0},
		{"", strings.Repeat("text/html,", 1000) + "text/csv", false, 406},
		{"?format=csv", "application/json", true, 0},
		{"?format=json", "text/csv", false, 0},
		{"?format=csv", "text/html", true, 0},
		{"?format=xml", "text/csv", false, 400},
		{"?format=", "", false, 400},
		{"?format=csv&format=json", "", false, 400},
		{"?format=csv&format=csv", "", false, 400},
		{"?format=CSV", "", false, 400},
		{"?limit=1;format=csv", "", false, 400},
		{"?format=csv&x=%zz", "", false, 400},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/"+test.query, nil)
		if test.accept != "" {
			r.Header.Set("Accept", test.accept)
		}
		csv, err := askedCSV(r)
		var refusal *problem.Error
		status := 0
		if errors.As(err, &refusal) {
			status = refusal.Status
		}
		if csv != test.csv || status != test.status || (err != nil) != (test.status != 0) {
			t.Errorf("%q %.60q: csv %v, %v", test.query, test.accept, csv, err)
		}
	}
}

// What has one kind of answer says so, rather than give it unasked.
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
func TestAskedCSVBySeveralHeaders(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Add("Accept", "application/json;q=0.5")
	r.Header.Add("Accept", "text/csv")
	if csv, err := askedCSV(r); !csv || err != nil {
		t.Error(csv, err)
	}
}

func FuzzAskedCSV(f *testing.F) {
	f.Add("text/csv;q=0.5, */*;q=0.1")
	f.Add(`text/csv;x="a\",b", */*`)
	f.Add("text/csv; header;q=0,, *;v=1;v=1")
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		if csv, err := askedCSV(r); csv && err != nil {
			t.Error("both an answer and a refusal")
		}
	})
}
