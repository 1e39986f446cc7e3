package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/httpserver"
)

func TestExamineCertificates(t *testing.T) {
	state := t.TempDir()
	missing := httpserver.Files{Cert: filepath.Join(state, "none.pem"), Key: filepath.Join(state, "none.key")}
	names := []string{"tracker.example.org"}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.MkdirAll(ACME(config.Config{StateDir: open}).CacheDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		tls    config.TLS
		state  string
		result api.CheckResult
		words  string
	}{
		{"none", config.TLS{}, state, api.CheckOK, "plain HTTP"},
		{"no files", config.TLS{Cert: missing.Cert, Key: missing.Key}, state, api.CheckFailed, "none.pem: no such file"},
		{"half a pair", config.TLS{Cert: missing.Cert}, state, api.CheckFailed, "needs both"},
		{"both ways", config.TLS{Cert: missing.Cert, Key: missing.Key, ACMEDomains: names}, state, api.CheckFailed, "both given"},
		{"ACME, not yet", config.TLS{ACMEDomains: names}, state, api.CheckWarning, "tracker.example.org: none by ACME yet"},
		{"ACME, open folder", config.TLS{ACMEDomains: names}, open, api.CheckFailed, "mode 0755"},
		{"ACME, no name", config.TLS{ACMEDomains: []string{"tracker"}}, state, api.CheckFailed, "full name"},
	} {
		checks := examineCertificates(config.Config{TLS: test.tls, StateDir: test.state}, time.Now())
		if len(checks) != 1 || checks[0].Result != test.result || !strings.Contains(checks[0].Detail, test.words) {
			t.Errorf("%s: %+v", test.name, checks)
		}
	}
}
