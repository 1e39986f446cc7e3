package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
)

// unquestioned don't look at their query: probes and scrapers add what they like,
// and a host must not lose a record for it.
var unquestioned = []string{"health", "ready", "metrics", "enroll", "reportEvents"}

// A query parameter that an operation does not have is refused by name, with those
// that it has, and before anything is done: a misspelt filter must not be answered
// for everybody. HEAD asks as GET does.
func TestUnknownQueryParameters(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, admin := b.host("h"), b.token(store.RoleAdmin)
	b.send(host, minute("vm-abc123-user1", 0))
	b.group("Reception", "vm-abc123-user1")
	b.do(http.MethodPut, "/api/categories", admin, []byte(`{"categories":[]}`), "If-Match", "*").wants(200, nil)
	refused := 0
	for _, o := range b.described.operations {
		bearer := admin
		if _, ok := o.schemes["hostCredential"]; ok {
			bearer = host
		}
		with := func(parameter string) string {
			if strings.Contains(o.target, "?") {
				return o.target + "&" + parameter
			}
			return o.target + "?" + parameter
		}
		for _, parameter := range []string{"goup=Nope", "_=1", "=x", "FORMAT=json", "access_token=x"} {
			r := b.do(o.method, with(parameter), bearer, o.body, "If-Match", "*")
			if slices.Contains(unquestioned, o.id) {
				if r.status == http.StatusBadRequest {
					t.Errorf("%s: %s", r.what, r.body)
				}
				continue
			}
			var p api.Problem
			r.wants(400, &p)
			name, _, _ := strings.Cut(parameter, "=")
			if p.Code != api.CodeBadRequest || !strings.Contains(p.Detail, `"`+name+`"`) {
				t.Errorf("%s: %+v", r.what, p)
			}
			for _, known := range o.query {
				if !strings.Contains(p.Detail, known) {
					t.Errorf("%s does not tell of %s: %s", r.what, known, p.Detail)
				}
			}
			refused++
			if o.method == http.MethodGet {
				if r := b.do(http.MethodHead, with(parameter), bearer, nil); r.status != http.StatusBadRequest {
					t.Errorf("HEAD %s: %d", with(parameter), r.status)
				}
			}
		}
		// What it has is not unknown to it, and is taken once.
		for _, known := range o.query {
			if r := b.do(o.method, with(known+"=&"+known+"="), bearer, o.body, "If-Match", "*"); r.status != http.StatusBadRequest ||
				strings.Contains(string(r.body), "no query parameter") {
				t.Errorf("%s: %d %s", r.what, r.status, r.body)
			}
		}
	}
	if refused < 5*20 {
		t.Errorf("only %d were refused", refused)
	}
	// Nothing was done: the group has its machine and its name.
	var g api.Group
	b.do(http.MethodGet, "/api/groups/Reception", admin, nil).wants(200, &g)
	if g.Machines != 1 {
		t.Errorf("%+v", g)
	}
	// Who may not ask is not told what there is to ask.
	b.do(http.MethodGet, "/api/machines?goup=Nope", "", nil).refused(401, api.CodeUnauthorized)
}
