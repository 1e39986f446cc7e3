package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
)

// well is a database where all is well.
func well() store.Examination {
	return store.Examination{
		Schema: store.Schema{Version: 3, Known: 3}, VersionText: "15.13", Version: 150013, Encoding: "UTF8",
		Durability:     map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_apply"},
		MaxConnections: 100, Reserved: 3, Used: 10, Pool: 16, Admins: 1, Hosts: 1,
		Partitions: []store.PartitionState{{Table: "event"}},
		Compaction: store.CompactionState{Ended: true, Ago: time.Hour},
	}
}

func TestJudge(t *testing.T) {
	if text := checksText(judge(well())); strings.Count(text, "\n") != strings.Count("\n"+text, "\nok ") {
		t.Errorf("not all is well:\n%s", text)
	}
	tests := []struct {
		change  func(*store.Examination)
		check   string
		verdict verdict
		words   string
	}{
		{func(e *store.Examination) { e.Version = 140001 }, "database", verdictFail, "upgrade it to 15"},
		{func(e *store.Examination) { e.Schema = store.Schema{Version: 4, Known: 3} }, "schema", verdictFail, "newer trackerd-server"},
		{func(e *store.Examination) { e.Schema = store.Schema{Version: 2, Known: 3, Pending: []string{"0003_x"}} }, "schema", verdictWarn, "0003_x"},
		{func(e *store.Examination) { e.Durability["fsync"] = "off" }, "durability", verdictFail, "fsync=off"},
		{func(e *store.Examination) { e.Durability["synchronous_commit"] = "off" }, "durability", verdictFail, "can be lost"},
		{func(e *store.Examination) { e.Durability["synchronous_commit"] = "local" }, "durability", verdictWarn, "standby"},
		{func(e *store.Examination) { e.Encoding = "SQL_ASCII" }, "encoding", verdictFail, "ENCODING 'UTF8'"},
		{func(e *store.Examination) { e.MaxConnections = 15 }, "connections", verdictFail, "max_connections"},
		{func(e *store.Examination) { e.Used = 90 }, "connections", verdictWarn, "max_connections"},
		{func(e *store.Examination) { e.Used, e.Pooled = 90, true }, "connections", verdictOK, ""},
		{func(e *store.Examination) { e.Pooled = true }, "pooler", verdictOK, "session mode"},
		{func(e *store.Examination) { e.Skew = -5 * time.Second }, "clock", verdictWarn, "5s behind"},
		{func(e *store.Examination) { e.Skew = time.Hour }, "clock", verdictFail, "1h0m0s ahead of"},
		{func(e *store.Examination) { e.Partitions[0].Missing = 3 }, "partitions", verdictWarn, "event lacks 3"},
		{func(e *store.Examination) { e.Partitions[0].DefaultRows = 7 }, "partitions", verdictWarn, "event 7"},
		{func(e *store.Examination) { e.Compaction = store.CompactionState{Off: true} }, "compaction", verdictOK, "compact-after-days 0"},
		{func(e *store.Examination) { e.Compaction = store.CompactionState{} }, "compaction", verdictOK, "no round has ended yet"},
		{func(e *store.Examination) { e.Compaction = waiting(false, 0) }, "compaction", verdictWarn, "no round has ended yet"},
		{func(e *store.Examination) { e.Compaction = waiting(true, 20*time.Minute) }, "compaction", verdictOK, "5000 events of quiet days wait, from 2024-01-15 on"},
		{func(e *store.Examination) { e.Compaction = waiting(true, 49*time.Hour) }, "compaction", verdictWarn, "ended 2d 1h ago"},
		{func(e *store.Examination) { e.Admins = 0 }, "tokens", verdictWarn, "token create"},
		{func(e *store.Examination) { e.Hosts = 0 }, "tokens", verdictWarn, "enrollment create"},
	}
	for _, test := range tests {
		e := well()
		test.change(&e)
		found := false
		for _, c := range judge(e) {
			if c.Name != test.check {
				if c.Verdict != verdictOK {
					t.Errorf("%s: %s %s, too", test.check, c.Verdict, c.Name)
				}
				continue
			}
			found = true
			if c.Verdict != test.verdict || !strings.Contains(c.Detail+c.Advice, test.words) || (c.Advice == "") != (c.Verdict == verdictOK) {
				t.Errorf("%+v, want %s and %q", c, test.verdict, test.words)
			}
		}
		if !found {
			t.Errorf("no check %s", test.check)
		}
	}
}

// waiting is a compaction with something to do.
func waiting(ended bool, ago time.Duration) store.CompactionState {
	return store.CompactionState{Events: 5000, From: servertest.At("2024-01-15T00:00:00Z"), Ended: ended, Ago: ago}
}

func TestPrintChecks(t *testing.T) {
	checks := []check{ok("disk", "1 GiB\x1b[31m"), {"a long name", verdictFail, "tried:\n\tthis\n\tthis\n\tthat\n", "do this"}}
	var out bytes.Buffer
	err := printChecks(&out, checks, false)
	var found foundError
	if !errors.As(err, &found) || exitCode(err) != exitFailed {
		t.Errorf("%v", err)
	}
	const want = "ok    disk         1 GiB?[31m\nFAIL  a long name  tried: this that\n                   -> do this\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	err = printChecks(&out, checks[:1], true)
	var got struct {
		OK     bool    `json:"ok"`
		Checks []check `json:"checks"`
	}
	if jsonErr := json.Unmarshal(out.Bytes(), &got); err != nil || jsonErr != nil || !got.OK || len(got.Checks) != 1 {
		t.Errorf("%v, %v: %s", err, jsonErr, out.String())
	}
}

func TestCheckAddress(t *testing.T) {
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	addr := strings.TrimPrefix(server.URL, "http://")
	for code, want := range map[int]verdict{200: verdictOK, 503: verdictFail, 404: verdictFail} {
		status = code
		if c := checkAddress(t.Context(), addr, "", false); c.Verdict != want {
			t.Errorf("status %d: %+v", code, c)
		}
	}
	server.Close()
	if c := checkAddress(t.Context(), addr, "", false); c.Verdict != verdictWarn || !strings.Contains(c.Detail, "nothing listens") || !strings.Contains(c.Advice, "trackerd-server serve") {
		t.Errorf("%+v", c)
	}
	if c := checkAddress(t.Context(), addr, "", true); c.Verdict != verdictWarn || !strings.Contains(c.Advice, "systemctl restart trackerd-server") {
		t.Errorf("of the service: %+v", c)
	}
}

func TestCheckPrivate(t *testing.T) {
	base := t.TempDir()
	for _, name := range []string{"data", "run"} {
		if err := os.Mkdir(filepath.Join(base, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if c := checkPrivate(base); c.Verdict != verdictOK {
		t.Errorf("%+v", c)
	}
	if err := os.Chmod(filepath.Join(base, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c := checkPrivate(base); c.Verdict != verdictFail || !strings.HasPrefix(c.Advice, "chmod 700") {
		t.Errorf("%+v", c)
	}
	if c := checkPrivate(base + "/none"); c.Verdict != verdictWarn {
		t.Errorf("%+v", c)
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
	// The tests' cluster gives up safety for speed.
	if c := judgeDurability(e.Durability); c.Verdict != verdictFail || !strings.Contains(c.Detail, "fsync=off") {
		t.Errorf("%+v", c)
	}
	if c := judgePartitions(e.Partitions); c.Verdict != verdictOK {
		t.Errorf("%+v", c)
	}
	if p := e.Settings; p.SharedBuffers != 16*mib || p.MaxWALSize < gib || p.CheckpointTimeout != 5*time.Minute || !p.Here || p.LogBytes == 0 || !p.LZ4 {
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
