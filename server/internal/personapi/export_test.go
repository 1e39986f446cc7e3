package personapi_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"net/http"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// An administrator gets an archive, in which the one row about this export stands, too.
func TestExport(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.Send(b.Host("h"), servertest.Minute("m1", 0), servertest.Minute("m2", 0))
	admin := b.Token(directory.RoleAdmin)
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	for range 2 {
		r := b.Do(http.MethodGet, "/api/people/p1/export", admin, nil)
		r.Wants(200, nil)
		if r.Header.Get("Content-Type") != "application/zip" || r.Header.Get("Content-Disposition") != `attachment; filename="person-p1.zip"` {
			t.Error(r.Header)
		}
		z, err := zip.NewReader(bytes.NewReader(r.Body), int64(len(r.Body)))
		if err != nil {
			t.Fatal(err)
		}
		if rows := lookedIn(t, z); rows != 1 {
			t.Errorf("%d rows about this export", rows)
		}
	}
	b.Do(http.MethodGet, "/api/people/p1/export", b.Token(directory.RoleViewer), nil).Refused(403, api.CodeForbidden)
	b.Do(http.MethodGet, "/api/people/p99/export", admin, nil).Refused(404, api.CodeNotFound)
}

// lookedIn returns how many rows of the access log in an archive are about exports.
func lookedIn(t *testing.T, z *zip.Reader) (n int) {
	t.Helper()
	f, err := z.Open("access.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell == api.LookedExport {
				n++
			}
		}
	}
	return n
}
