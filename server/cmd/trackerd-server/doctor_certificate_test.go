package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

func TestJudgeCertificate(t *testing.T) {
	now := servertest.At("2026-05-20T12:00:00Z")
	names := []string{"a.example", "b.example", "c.example", "d.example"}
	for _, test := range []struct {
		name string
		// ago and left are when it begins and ends.
		ago, left time.Duration
		names     []string
		verdict   verdict
		words     string
	}{
		{"fresh", time.Hour, 90 * oneDay, names, verdictOK, "a.example, b.example, c.example and 1 more: ends in 90d, at 2026-08-18 12:00 UTC"},
		{"three weeks", 70 * oneDay, 21 * oneDay, names[:1], verdictOK, "a.example: ends in 21d"},
		{"less", 70 * oneDay, 21*oneDay - time.Minute, names[:1], verdictWarn, "a.example: ends in 20d 23h"},
		{"of a day", 6 * time.Hour, 18 * time.Hour, names, verdictOK, "ends in 18h"},
		{"of a day, late", 19 * time.Hour, 5 * time.Hour, names, verdictWarn, "ends in 5h"},
		{"ended", 90 * oneDay, -oneDay, names, verdictFail, "ended 1d ago"},
		{"of tomorrow", -time.Hour, oneDay, names, verdictFail, "good only from 2026-05-20 13:00 UTC on"},
		{"of no name", time.Hour, 90 * oneDay, nil, verdictFail, "subjectAltName"},
	} {
		c := judgeCertificate("certificate", httpserver.Certificate{Names: test.names, Begins: now.Add(-test.ago), Ends: now.Add(test.left)}, now, "do this")
		if c.Verdict != test.verdict || !strings.Contains(c.Detail, test.words) || (c.Advice == "") != (c.Verdict == verdictOK) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}

func TestCheckCertificates(t *testing.T) {
	state := t.TempDir()
	missing := httpserver.Files{Cert: filepath.Join(state, "none.pem"), Key: filepath.Join(state, "none.key")}
	names := []string{"tracker.example.org"}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.MkdirAll(filepath.Join(open, acmeFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		edge    edgeFlags
		state   string
		verdict verdict
		words   string
	}{
		{"none", edgeFlags{}, state, verdictOK, "plain HTTP"},
		{"no files", edgeFlags{files: missing}, state, verdictFail, "none.pem: no such file"},
		{"half a pair", edgeFlags{files: httpserver.Files{Cert: missing.Cert}}, state, verdictFail, "needs both"},
		{"both ways", edgeFlags{files: missing, acme: httpserver.ACME{Domains: names}}, state, verdictFail, "both given"},
		{"ACME, not yet", edgeFlags{acme: httpserver.ACME{Domains: names}}, state, verdictWarn, "tracker.example.org: none by ACME yet"},
		{"ACME, open folder", edgeFlags{acme: httpserver.ACME{Domains: names}}, open, verdictFail, "mode 0755"},
		{"ACME, no name", edgeFlags{acme: httpserver.ACME{Domains: []string{"tracker"}}}, state, verdictFail, "full name"},
	} {
		checks := test.edge.checkCertificates(test.state, time.Now())
		if len(checks) != 1 || checks[0].Verdict != test.verdict || !strings.Contains(checks[0].Detail, test.words) {
			t.Errorf("%s: %+v", test.name, checks)
		}
	}
}

func TestJudgeReplica(t *testing.T) {
	for _, test := range []struct {
		name    string
		e       store.ReplicaExamination
		verdict verdict
		words   string
	}{
		{"keeps up", store.ReplicaExamination{Standby: true, Same: true, CaughtUp: true, Behind: 20 * time.Millisecond}, verdictOK, "less than 1s behind"},
		{"behind", store.ReplicaExamination{Standby: true, Same: true, Behind: 90 * time.Second, BehindBytes: 3 * mib}, verdictWarn, "3.0 MiB of the log behind; what it replayed last is 1m 30s old"},
		{"away", store.ReplicaExamination{Away: errors.New("connection refused")}, verdictWarn, "refused"},
		{"promoted", store.ReplicaExamination{Same: true}, verdictFail, "no standby"},
		{"another's", store.ReplicaExamination{Standby: true}, verdictFail, "another database"},
	} {
		c := judgeReplica(test.e, 30*time.Second)
		if c.Verdict != test.verdict || !strings.Contains(c.Detail, test.words) || (c.Advice == "") != (c.Verdict == verdictOK) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}
