package app_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/app"
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
			if got, err := app.Probe(t.Context(), addr, path, ""); err != nil || got.Status != want {
				t.Errorf("%s %s: %+v, %v; want %d", name, path, got, err, want)
			}
		}
		server.Close()
		if got, err := app.Probe(t.Context(), addr, "/healthz", ""); err == nil || !strings.Contains(err.Error(), "no server answers on") {
			t.Errorf("%s, gone: %+v, %v", name, got, err)
		}
	}
}

// A server with certificates by ACME answers only to its own names.
func TestProbeByName(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	mine := server.TLS.Certificates[0]
	server.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != "tracker.example" {
			return nil, errors.New("not my name")
		}
		return &tls.Config{Certificates: []tls.Certificate{mine}}, nil
	}
	_, addr, _ := strings.Cut(server.URL, "://")
	for name, well := range map[string]bool{"tracker.example": true, "other.example": false, "": false} {
		got, err := app.Probe(t.Context(), addr, "/healthz", name)
		if (err == nil && got.Status == 200) != well {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
}
