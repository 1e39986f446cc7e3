package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// unnegotiated answer in the one form that they have whatever is asked for: what
// probes, scrapers and hosts send in Accept must not make a service look dead or
// lose a record; what hosts install from is files.
var unnegotiated = []string{
	"health", "ready", "metrics", "enroll", "reportEvents", "installScript", "packageFile", "packageByHash",
}

// Who asks for a form that an answer does not come in is refused, by every route
// that has an answer, and before anything is done.
func TestFormatsThatAreNot(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	anna := b.User("anna", directory.RoleAdmin)
	login := b.Login("anna")
	b.Send(b.Host("h"), servertest.Minute("vm-abc123-user1", 0))
	b.Do(http.MethodPut, "/api/users/"+anna.ID+"/person", admin, api.UserPerson{Person: "p1"}).Wants(204, nil)
	b.Do(http.MethodPut, "/api/groups/Reception", admin, nil).Wants(201, nil)
	state := func() string {
		var all []byte
		for _, path := range []string{"/api/groups", "/api/groups/Reception/machines", "/api/machines/vm-abc123-user1", "/api/categories"} {
			all = append(all, b.Do(http.MethodGet, path, admin, nil).Body...)
		}
		return string(all)
	}
	before := state()
	asked := 0
	for _, o := range b.Described.Operations {
		answers := false
		for status, reply := range o.Replies {
			answers = answers || strings.HasPrefix(status, "2") && len(reply.Content) > 0
		}
		if !answers || slices.Contains(unnegotiated, o.ID) {
			continue
		}
		asked++
		bearer, headers := o.Credential(admin, login)
		if r := b.Do(o.Method, o.Target, bearer, o.Body, append(slices.Clone(headers), "Accept", "image/png, text/plain")...); r.Status != http.StatusNotAcceptable {
			t.Errorf("%s: %d", r.What, r.Status)
		} else {
			r.Refused(406, api.CodeNotAcceptable)
		}
		separator := "?"
		if strings.Contains(o.Target, "?") {
			separator = "&"
		}
		for _, query := range []string{"format=xls", "format=csv&format=json", "format=", "limit=1;format=csv"} {
			if r := b.Do(o.Method, o.Target+separator+query, bearer, o.Body, append(slices.Clone(headers), "If-Match", "*")...); r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", r.What, r.Status)
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
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	for _, accept := range []string{"", "text/event-stream", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"} {
		if r := b.Do(http.MethodGet, "/api/live", viewer, nil, "Accept", accept); r.Status != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%q: %d %v", accept, r.Status, r.Header)
		}
	}
	for _, format := range []string{"csv", "json", "CSV"} {
		b.Do(http.MethodGet, "/api/live?format="+format, viewer, nil).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodGet, "/api/live", viewer, nil, "Accept", "text/csv").Refused(406, api.CodeNotAcceptable)
	b.Do(http.MethodGet, "/api/live?format=csv", "", nil).Refused(401, api.CodeUnauthorized)
}
