package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	s := testServer(t)
	h := s.common(s.routes())
	tests := []struct {
		method, target string
		status         int
		code           api.Code
		allow          string
	}{
		{"GET", "/nope", 404, api.CodeNotFound, ""},
		{"GET", "/api/machines/a/b", 404, api.CodeNotFound, ""},
		{"GET", "/api/machines/", 404, api.CodeNotFound, ""},
		{"GET", "/api//machines", 404, api.CodeNotFound, ""},
		{"DELETE", "/api/machines/a%2Fb", 405, api.CodeNotAllowed, "GET, HEAD, PATCH"},
		{"GET", "/api/events", 405, api.CodeNotAllowed, "POST"},
		{"POST", "/healthz", 405, api.CodeNotAllowed, "GET, HEAD"},
		{"HEAD", "/api/events", 405, api.CodeNotAllowed, "POST"},
		{"SPY", "/healthz", 405, api.CodeNotAllowed, "GET, HEAD"},
		{"SPY", "/nope", 404, api.CodeNotFound, ""},
	}
	for _, test := range tests {
		w := ask(h, test.method, test.target)
		var p api.Problem
		if test.method == http.MethodHead {
			p = api.Problem{Status: w.Code, Code: test.code}
			if w.Body.Len() > 0 {
				t.Errorf("%s %s: %s", test.method, test.target, w.Body)
			}
		} else if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s %s: %v", test.method, test.target, err)
		}
		if w.Code != test.status || p.Code != test.code || p.Status != test.status {
			t.Errorf("%s %s: %d %+v", test.method, test.target, w.Code, p)
		}
		if got := w.Header().Get("Allow"); test.allow != "" && got != test.allow {
			t.Errorf("%s %s: Allow %q", test.method, test.target, got)
		}
		for _, name := range []string{"X-Request-Id", "Cache-Control", "X-Content-Type-Options"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s %s: no %s", test.method, test.target, name)
			}
		}
	}
}

func TestMetricsKeepNoCallersWords(t *testing.T) {
	s := testServer(t)
	h := s.common(s.routes())
	ask(h, "SECRETMETHOD", "/secretpath")
	ask(h, http.MethodGet, "/api/machines/secretuser")
	body := ask(h, http.MethodGet, "/metrics").Body.String()
	if !strings.Contains(body, `route="/api/machines/{machine_id}"`) {
		t.Errorf("no such route in\n%s", body)
	}
	if strings.Contains(strings.ToLower(body), "secret") {
		t.Errorf("a caller's word is in\n%s", body)
	}
}
