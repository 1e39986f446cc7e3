package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// goldenText compares text with a file of testdata; UPDATE_GOLDEN=1 writes it.
func goldenText(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func TestTables(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	const id = `=cmd|user 1/ä`
	events := day(id)
	events[1].ActiveWindow = "=HYPERLINK(\"http://x\";\"y\")"
	events[1].CollectedSeconds = new(int64(30))
	events[2].ActiveWindow = "two\r\nlines;-1"
	b.Send(host, events...)
	path := "/api/activity/" + url.PathEscape(id) + "/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	r := b.Do(http.MethodGet, path+"&format=csv", viewer, nil, "Accept", "application/json")
	r.Wants(200, nil)
	goldenText(t, "events.csv", r.Body)
	if got := r.Header.Get("Content-Disposition"); got != `attachment; filename="events-_cmd_user_1__.csv"` {
		t.Error(got)
	}
	if rows := b.Do(http.MethodGet, "/api/machines", viewer, nil, "Accept", "text/csv").Table(); len(rows) != 2 || rows[1][0] != "'"+id {
		t.Errorf("%q", rows)
	}
	// An error is an error in either format.
	b.Do(http.MethodGet, "/api/activity/none/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z&format=csv", viewer, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/machines?format=csv&cursor=x", viewer, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, "/api/machines?format=xls", viewer, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, "/api/machines", viewer, nil, "Accept", "image/png").Refused(406, api.CodeNotAcceptable)
	b.Do(http.MethodGet, "/api/machines?format=csv", "", nil).Refused(401, api.CodeUnauthorized)
}

// What is one object is a table of one row; a day's hours are rows.
func TestSmallTables(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer, admin := b.Host("h"), b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	b.Send(host, day("m")...)
	b.Do(http.MethodPut, "/api/groups/staff", admin, nil).Wants(201, nil)
	b.Do(http.MethodPut, "/api/categories", admin, []byte(`{"categories":[{"name":"+Mail","colour":"#2e7d32","rating":"neutral","patterns":[{"app":"mail"}]}]}`),
		"If-Match", "*").Wants(200, nil)
	for path, want := range map[string][]string{
		"/api/machines/m":                          {"machine_id", "m"},
		"/api/groups/staff":                        {"name", "staff"},
		"/api/activity/m/summary?date=2024-01-15":  {"machine_id", "m"},
		"/api/activity/m/timeline?date=2024-01-15": {"hour", "0"},
		"/api/categories":                          {"name", "'+Mail"},
	} {
		rows := b.Do(http.MethodGet, path, viewer, nil, "Accept", "text/csv").Table()
		if len(rows) < 2 || rows[0][0] != want[0] || rows[1][0] != want[1] {
			t.Errorf("%s: %q", path, rows)
		}
		b.Do(http.MethodGet, path, viewer, nil, "Accept", "image/png").Refused(406, api.CodeNotAcceptable)
	}
	b.Do(http.MethodGet, "/api/activity/none/summary?date=2024-01-15&format=csv", viewer, nil).Refused(404, api.CodeNotFound)
	for _, path := range []string{"/api/categories", "/api/machines/m", "/api/groups/staff"} {
		b.Do(http.MethodGet, path+"?format=xls", viewer, nil).Refused(400, api.CodeBadRequest)
	}
}

// Without a limit a table holds all rows, over all pages; with one, the header Link
// leads on.
func TestTablesPage(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	const n = 2500
	for i := 0; i < n; i += 1250 {
		var events []api.Event
		for j := i; j < i+1250; j++ {
			events = append(events, servertest.Minute("m", j), servertest.Minute("m", n+j), servertest.Minute("m", 2*n+j), servertest.Minute(fmt.Sprintf("o%04d", j), 0))
		}
		b.Send(host, events...)
	}
	span := "/api/activity/m/events?start=2024-01-15T00:00:00Z&end=2024-02-16T00:00:00Z&format=csv"
	for target, want := range map[string]int{span: 3 * n, "/api/machines?format=csv": n + 1} {
		rows := b.Do(http.MethodGet, target, viewer, nil).Table()
		seen := map[string]bool{}
		for _, row := range rows[1:] {
			seen[row[0]+row[1]+row[4]] = true
		}
		if len(rows) != want+1 || len(seen) != want {
			t.Errorf("%s: %d rows, %d of them different, want %d", target, len(rows), len(seen), want)
		}
	}
	count := 0
	for target := "/api/machines?limit=1000&format=csv"; target != ""; {
		r := b.Do(http.MethodGet, target, viewer, nil)
		count += len(r.Table()) - 1
		link := r.Header.Get("Link")
		if target = ""; link != "" {
			if _, err := fmt.Sscanf(link, "<%s rel=\"next\"", &target); err != nil {
				t.Fatal(err, link)
			}
			// It is relative to the page that has it.
			target = "/api/machines" + target[:len(target)-len(">;")]
		}
	}
	if count != n+1 {
		t.Errorf("%d machines by pages, want %d", count, n+1)
	}
}
