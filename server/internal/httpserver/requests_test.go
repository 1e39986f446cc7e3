package httpserver

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

func wrap(h http.Handler) http.Handler {
	return Requests{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}.Wrap(h)
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestPanicBecomesProblem(t *testing.T) {
	h := wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("private detail")
	}))
	w := ask(h, http.MethodGet, "/healthz")
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if w.Code != 500 || p.Code != api.CodeInternal || w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("%d %v %v", w.Code, p, w.Header())
	}
	if strings.Contains(w.Body.String(), "private") {
		t.Error("the panic is told to the caller")
	}
}

func TestPanicAfterReplyBreaksOff(t *testing.T) {
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("too late")
	}))
	defer func() {
		if p := recover(); !errors.Is(p.(error), http.ErrAbortHandler) {
			t.Errorf("panic %v", p)
		}
	}()
	ask(h, http.MethodGet, "/healthz")
	t.Error("the reply looks whole")
}

// HEAD ends a reply where its body would begin, also one without an end.
func TestHeadOfAStream(t *testing.T) {
	wrote := false
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			wrote = true
			if _, err := w.Write([]byte("data: 1\n\n")); err != nil {
				t.Error(err)
			}
		}
	}))
	w := ask(h, http.MethodHead, "/api/live")
	if !wrote || w.Code != 200 || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v %d %v %q", wrote, w.Code, w.Header(), w.Body)
	}
}
