package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
)

// unnegotiated answer in the one form that they have whatever is asked for: what
// probes, scrapers and hosts send in Accept must not make a service look dead or
// lose a record; what hosts install from is files.
var unnegotiated = []string{
	"health", "ready", "metrics", "enroll", "reportEvents", "installScript", "packageFile", "packageByHash",
}

// Who asks for a form that an answer does not come in is told so, by every route
// that has an answer, and before anything is done.
func TestFormatsThatAreNot(t *testing.T) {
	b := newBench(t, newDatabase(t))
	admin := b.token(store.RoleAdmin)
	b.send(b.host("h"), minute("vm-abc123-user1", 0))
	b.do(http.MethodPut, "/api/groups/Reception", admin, nil).wants(201, nil)
	state := func() string {
		var all []byte
		for _, path := range []string{"/api/groups", "/api/groups/Reception/machines", "/api/machines/vm-abc123-user1", "/api/categories"} {
			all = append(all, b.do(http.MethodGet, path, admin, nil).body...)
		}
		return string(all)
	}
	before := state()
	asked := 0
	for _, o := range b.described.operations {
		answers := false
		for status, reply := range o.replies {
			answers = answers || strings.HasPrefix(status, "2") && len(reply.content) > 0
		}
		if !answers || slices.Contains(unnegotiated, o.id) {
			continue
		}
		asked++
		if r := b.do(o.method, o.target, admin, o.body, "Accept", "image/png, text/plain"); r.status != http.StatusNotAcceptable {
			t.Errorf("%s: %d", r.what, r.status)
		} else {
			r.refused(406, api.CodeNotAcceptable)
		}
		separator := "?"
		if strings.Contains(o.target, "?") {
			separator = "&"
		}
		for _, query := range []string{"format=xls", "format=csv&format=json", "format=", "limit=1;format=csv"} {
			if r := b.do(o.method, o.target+separator+query, admin, o.body, "If-Match", "*"); r.status != http.StatusBadRequest {
				t.Errorf("%s: %d", r.what, r.status)
			}
		}
	}
	if asked < 15 {
		t.Errorf("only %d operations were asked", asked)
	}
	if after := state(); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// The stream is there for whoever takes it, and is no table.
func TestLiveFormats(t *testing.T) {
	b := newBench(t, newDatabase(t))
	viewer := b.token(store.RoleViewer)
	for _, accept := range []string{"", "text/event-stream", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"} {
		if r := b.do(http.MethodGet, "/api/live", viewer, nil, "Accept", accept); r.status != 200 || r.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%q: %d %v", accept, r.status, r.header)
		}
	}
	for _, format := range []string{"csv", "json", "CSV"} {
		b.do(http.MethodGet, "/api/live?format="+format, viewer, nil).refused(400, api.CodeBadRequest)
	}
	b.do(http.MethodGet, "/api/live", viewer, nil, "Accept", "text/csv").refused(406, api.CodeNotAcceptable)
	b.do(http.MethodGet, "/api/live?format=csv", "", nil).refused(401, api.CodeUnauthorized)
}
