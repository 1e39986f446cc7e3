package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/doctor"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

func TestPrintReport(t *testing.T) {
	checks := []api.Check{{Name: "disk", Result: api.CheckOK, Detail: "1 GiB\x1b[31m"}, {Name: "a long name", Result: api.CheckFailed, Detail: "tried:\n\tthis\n\tthis\n\tthat\n", Advice: "do this"}}
	var out bytes.Buffer
	err := printReport(&out, doctor.Report(checks), false)
	var found foundError
	if !errors.As(err, &found) || exitCode(err) != api.ExitFailed {
		t.Errorf("%v", err)
	}
	const want = "ok      disk         1 GiB?[31m\nfailed  a long name  tried: this that\n                     -> do this\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	err = printReport(&out, doctor.Report(checks[:1]), true)
	var got api.CheckReport
	if jsonErr := json.Unmarshal(out.Bytes(), &got); err != nil || jsonErr != nil || !got.OK || len(got.Checks) != 1 {
		t.Errorf("%v, %v: %s", err, jsonErr, out.String())
	}
}

func TestExamineCertificates(t *testing.T) {
	state := t.TempDir()
	missing := httpserver.Files{Cert: filepath.Join(state, "none.pem"), Key: filepath.Join(state, "none.key")}
	names := []string{"tracker.example.org"}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.MkdirAll(app.ACME(config.Config{StateDir: open}).CacheDir, 0o755); err != nil {
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

// A real database: what it says of itself, and of what was done to it.
func TestExamine(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	if _, err := b.Store.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Token(store.RoleAdmin)
	b.Enrollment(1, time.Hour, "")
	e, err := b.Store.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Encoding != "UTF8" || e.Admins != 1 || e.GoodEnrollments != 1 || e.Skew.Abs() > time.Minute || e.SizeBytes == 0 || e.DataDirectory == "" {
		t.Errorf("%+v", e)
	}
	if p := e.Settings; p.SharedBuffers != 16*quantity.MiB || p.MaxWALSize < quantity.GiB || p.CheckpointTimeout != 5*time.Minute || !p.Here || p.LogBytes == 0 || !p.LZ4 {
		t.Errorf("%+v", p)
	}
	tomorrow := "event_" + time.Now().UTC().AddDate(0, 0, 1).Format("20060102")
	sql(t, databaseURL, "DROP TABLE "+tomorrow)
	sql(t, databaseURL, "INSERT INTO event_default (ts, machine, body) VALUES ('2001-01-01', 1, '')")
	if e, err = b.Store.Examine(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Partitions {
		if p.Table == "event" && (p.Missing != 1 || p.DefaultRows != 1) {
			t.Errorf("%+v", p)
		}
	}
}
