package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/doctor"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

func TestPrintReport(t *testing.T) {
	checks := []api.Check{{Name: "disk", Result: api.CheckOK, Detail: "1 GiB\x1b[31m"}, {Name: "a long name", Result: api.CheckFailed, Detail: "tried:\n\tthis\n\tthis\n\tthat\n", Advice: "do this"}}
	var out bytes.Buffer
	err := printReport(&out, doctor.Report(checks), false)
	var found console.FoundError
	if !errors.As(err, &found) || console.ExitCode(err) != api.ExitFailed {
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

// A real database: what it shows of itself, and of what was done to it.
func TestExamine(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	if _, err := b.Store.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Token(directory.RoleAdmin)
	b.Enrollment(1, time.Hour, "")
	e, err := b.Store.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Encoding != "UTF8" || e.Admins != 1 || e.GoodEnrollments != 1 || e.Skew.Abs() > time.Minute || e.SizeBytes == 0 || e.DataDirectory == "" {
		t.Errorf("%+v", e)
	}
	// The tests' cluster trades safety for speed.
	for _, c := range doctor.Database(e) {
		if want := map[string]api.CheckResult{"durability": api.CheckFailed, "partitions": api.CheckOK}[c.Name]; want != "" && c.Result != want {
			t.Errorf("%+v", c)
		}
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
