package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
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

// table reads a CSV reply.
func (r reply) table() [][]string {
	r.t.Helper()
	r.wants(200, nil)
	rows, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
	if err != nil {
		r.t.Fatalf("%s: %v", r.what, err)
	}
	return rows
}

func TestTables(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, viewer := b.host("h"), b.token(store.RoleViewer)
	const id = `=cmd|user 1/ä`
	events := day(id)
	events[1].ActiveWindow = "=HYPERLINK(\"http://x\";\"y\")"
	events[2].ActiveWindow = "two\r\nlines;-1"
	b.send(host, events...)
	path := "/api/activity/" + url.PathEscape(id) + "/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	r := b.do(http.MethodGet, path+"&format=csv", viewer, nil, "Accept", "application/json")
	r.wants(200, nil)
	goldenText(t, "events.csv", r.body)
	if got := r.header.Get("Content-Disposition"); got != `attachment; filename="events-_cmd_user_1__.csv"` {
		t.Error(got)
	}
	if rows := b.do(http.MethodGet, "/api/machines", viewer, nil, "Accept", "text/csv").table(); len(rows) != 2 || rows[1][0] != "'"+id {
		t.Errorf("%q", rows)
	}
	// An error is an error in either format.
	b.do(http.MethodGet, "/api/activity/none/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z&format=csv", viewer, nil).refused(404, api.CodeNotFound)
	b.do(http.MethodGet, "/api/machines?format=csv&cursor=x", viewer, nil).refused(400, api.CodeBadRequest)
	b.do(http.MethodGet, "/api/machines?format=xls", viewer, nil).refused(400, api.CodeBadRequest)
	b.do(http.MethodGet, "/api/machines", viewer, nil, "Accept", "image/png").refused(406, api.CodeNotAcceptable)
	b.do(http.MethodGet, "/api/machines?format=csv", "", nil).refused(401, api.CodeUnauthorized)
}

// What is one object is a table of one row; a day's hours are rows.
func TestSmallTables(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, viewer, admin := b.host("h"), b.token(store.RoleViewer), b.token(store.RoleAdmin)
	b.send(host, day("m")...)
	b.do(http.MethodPut, "/api/groups/staff", admin, nil).wants(201, nil)
	b.do(http.MethodPut, "/api/categories", admin, []byte(`{"categories":[{"name":"+Mail","colour":"#2e7d32","rating":"neutral","patterns":[{"app":"mail"}]}]}`),
		"If-Match", "*").wants(200, nil)
	for path, want := range map[string][]string{
		"/api/machines/m":                          {"machine_id", "m"},
		"/api/groups/staff":                        {"name", "staff"},
		"/api/activity/m/summary?date=2024-01-15":  {"machine_id", "m"},
		"/api/activity/m/timeline?date=2024-01-15": {"hour", "0"},
		"/api/categories":                          {"name", "'+Mail"},
	} {
		rows := b.do(http.MethodGet, path, viewer, nil, "Accept", "text/csv").table()
		if len(rows) < 2 || rows[0][0] != want[0] || rows[1][0] != want[1] {
			t.Errorf("%s: %q", path, rows)
		}
		b.do(http.MethodGet, path, viewer, nil, "Accept", "image/png").refused(406, api.CodeNotAcceptable)
	}
	b.do(http.MethodGet, "/api/activity/none/summary?date=2024-01-15&format=csv", viewer, nil).refused(404, api.CodeNotFound)
	for _, path := range []string{"/api/categories", "/api/machines/m", "/api/groups/staff"} {
		b.do(http.MethodGet, path+"?format=xls", viewer, nil).refused(400, api.CodeBadRequest)
	}
}

// Without a limit a table holds all rows, over all pages; with one, the header Link
// leads on.
func TestTablesPage(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, viewer := b.host("h"), b.token(store.RoleViewer)
	const n = 2500
	for i := 0; i < n; i += 1250 {
		var events []api.Event
		for j := i; j < i+1250; j++ {
			events = append(events, minute("m", j), minute("m", n+j), minute("m", 2*n+j), minute(fmt.Sprintf("o%04d", j), 0))
		}
		b.send(host, events...)
	}
	span := "/api/activity/m/events?start=2024-01-15T00:00:00Z&end=2024-02-16T00:00:00Z&format=csv"
	for target, want := range map[string]int{span: 3 * n, "/api/machines?format=csv": n + 1} {
		rows := b.do(http.MethodGet, target, viewer, nil).table()
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
		r := b.do(http.MethodGet, target, viewer, nil)
		count += len(r.table()) - 1
		link := r.header.Get("Link")
		if target = ""; link != "" {
			if _, err := fmt.Sscanf(link, "<%s rel=\"next\"", &target); err != nil {
				t.Fatal(err, link)
			}
			target = target[:len(target)-len(">;")]
		}
	}
	if count != n+1 {
		t.Errorf("%d machines by pages, want %d", count, n+1)
	}
}
