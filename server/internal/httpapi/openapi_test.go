package httpapi

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpapi/openapi"
)

// describedPaths returns the operations that are described, by path and method.
func describedPaths(t *testing.T) map[string]map[string]json.RawMessage {
	t.Helper()
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(openapi.Document(), &d); err != nil {
		t.Fatal(err)
	}
	return d.Paths
}

func testServer(t *testing.T) *server {
	t.Helper()
	nothing := func(http.ResponseWriter, *http.Request) {}
	return newServer(Parts{
		Guard:  auth.NewGuard(nil, nil, auth.NewFailures(1, time.Second, time.Now)),
		Events: nothing, Enroll: nothing,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
}

func TestDescriptionMatchesRoutes(t *testing.T) {
	described := make(map[string]bool)
	for path, methods := range describedPaths(t) {
		for method := range methods {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	err := chi.Walk(testServer(t).routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		name := method + " " + route
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
		delete(described, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range described {
		t.Errorf("%s is described and does not exist", name)
	}
}
