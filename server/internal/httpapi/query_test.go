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

// unquestioned don't look at their query: probes and scrapers add what they like,
// a host must not lose a record for it, and providers of single sign-on have their own.
var unquestioned = []string{"health", "ready", "metrics", "enroll", "reportEvents", "endSingleSignOn"}

// A query parameter that an operation does not have is refused by name, with those
// that it has, and before anything is done: a misspelt filter must not be answered
// for everybody. HEAD asks as GET does.
func TestUnknownQueryParameters(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, admin := b.Host("h"), b.Token(directory.RoleAdmin)
	b.Send(host, servertest.Minute("vm-abc123-user1", 0))
	b.Group("Reception", "vm-abc123-user1")
	b.User("anna", directory.RoleAdmin)
	login := b.Login("anna")
	b.Do(http.MethodPut, "/api/categories", admin, []byte(`{"categories":[]}`), "If-Match", "*").Wants(200, nil)
	refused := 0
	for _, o := range b.Described.Operations {
		bearer, headers := o.Credential(admin, login)
		headers = append(slices.Clone(headers), "If-Match", "*")
		if _, ok := o.Schemes["hostCredential"]; ok {
			bearer = host
		}
		with := func(parameter string) string {
			if strings.Contains(o.Target, "?") {
				return o.Target + "&" + parameter
			}
			return o.Target + "?" + parameter
		}
		for _, parameter := range []string{"goup=Nope", "_=1", "=x", "FORMAT=json", "access_token=x"} {
			r := b.Do(o.Method, with(parameter), bearer, o.Body, headers...)
			if slices.Contains(unquestioned, o.ID) {
				if r.Status == http.StatusBadRequest {
					t.Errorf("%s: %s", r.What, r.Body)
				}
				continue
			}
			var p api.Problem
			r.Wants(400, &p)
			name, _, _ := strings.Cut(parameter, "=")
			if p.Code != api.CodeBadRequest || !strings.Contains(p.Detail, `"`+name+`"`) {
				t.Errorf("%s: %+v", r.What, p)
			}
			for _, known := range o.Query {
				if !strings.Contains(p.Detail, known) {
					t.Errorf("%s does not tell of %s: %s", r.What, known, p.Detail)
				}
			}
			refused++
			if o.Method == http.MethodGet {
				if r := b.Do(http.MethodHead, with(parameter), bearer, nil, headers...); r.Status != http.StatusBadRequest {
					t.Errorf("HEAD %s: %d", with(parameter), r.Status)
				}
			}
		}
		// What it has is not unknown to it, and is taken once.
		for _, known := range o.Query {
			if r := b.Do(o.Method, with(known+"=&"+known+"="), bearer, o.Body, headers...); !slices.Contains(unquestioned, o.ID) && r.Status != http.StatusBadRequest ||
				strings.Contains(string(r.Body), "no query parameter") {
				t.Errorf("%s: %d %s", r.What, r.Status, r.Body)
			}
		}
	}
	if refused < 5*20 {
		t.Errorf("only %d were refused", refused)
	}
	// Nothing was done: the group has its machine and its name.
	var g api.Group
	b.Do(http.MethodGet, "/api/groups/Reception", admin, nil).Wants(200, &g)
	if g.Machines != 1 {
		t.Errorf("%+v", g)
	}
	// Who may not ask does not learn what there is to ask.
	b.Do(http.MethodGet, "/api/machines?goup=Nope", "", nil).Refused(401, api.CodeUnauthorized)
}
