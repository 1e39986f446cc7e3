package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
		case "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	})
	for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		server := start(handler)
		_, addr, _ := strings.Cut(server.URL, "://")
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/other": 418} {
			if got, err := probe(t.Context(), addr, path); err != nil || got != want {
				t.Errorf("%s %s: %d, %v; want %d", name, path, got, err, want)
			}
		}
		server.Close()
		if got, err := probe(t.Context(), addr, "/healthz"); err == nil || !strings.Contains(err.Error(), "no server answers on") {
			t.Errorf("%s, gone: %d, %v", name, got, err)
		}
	}
}
