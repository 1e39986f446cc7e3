package ingest

import (
	"errors"
	"net/http"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

func TestCheckContentType(t *testing.T) {
	tests := map[string]bool{
		"":                                                true,
		"application/json":                                true,
		"Application/JSON; charset=UTF-8":                 true,
		`application/json; charset="utf-8"`:               true,
		"application/vnd.example.events+json":             true,
		"text/plain":                                      true,
		"text/plain; charset=utf-8":                       true,
		"application/x-www-form-urlencoded":               true,
		"application/json; charset=utf-16":                false,
		"text/plain; charset=iso-8859-1":                  false,
		"application/x-www-form-urlencoded; charset=koi8": false,
		"application/xml":                                 false,
		"multipart/form-data; boundary=x":                 false,
		"application/json; charset":                       false,
		"json":                                            false,
		"/":                                               false,
	}
	for header, want := range tests {
		err := checkContentType(http.Header{"Content-Type": {header}})
		var refusal *problem.Error
		switch {
		case want && err != nil, !want && !errors.As(err, &refusal):
			t.Errorf("%q: %v", header, err)
		case !want && (refusal.Status != http.StatusUnsupportedMediaType || refusal.Code != api.CodeUnsupportedType):
			t.Errorf("%q: %d %s", header, refusal.Status, refusal.Code)
		}
	}
	if err := checkContentType(http.Header{"Content-Type": {"application/json", "text/xml"}}); err == nil {
		t.Error("a second header goes unnoticed")
	}
	if err := checkContentType(nil); err != nil {
		t.Error(err)
	}
}
