package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/store/directory"
)

// Routes that are not for people who are known, and all that there may be.
var (
	openRoutes = []string{
		"GET /healthz", "GET /readyz", "GET /metrics", "GET /api/openapi.json", "GET /api/docs",
		"GET /install.sh", "GET /packages/{file}", "GET /packages/by-hash/SHA256/{digest}",
	}
	hostRoutes      = []string{"POST /api/enroll", "POST /api/events", "GET /api/policy", "POST /api/receipts", "POST /api/self-links", "POST /api/screenshots"}
	strangersRoutes = []string{"POST /api/login", "POST /api/invitation", "POST /api/self-sessions", "GET /login/sso", "GET /login/sso/callback"}
)

// Who may call a route follows from the table of permissions, for every route that the
// router has, and the description has the same. What the description has is what
// TestCommonReplies of the program then tries with every kind of caller.
func TestEveryRouteHasItsCallers(t *testing.T) {
	described := describedPaths(t)
	rules := map[string]auth.Rule{}
	for _, p := range permission.Table() {
		if _, twice := rules[p.Route]; twice {
			t.Errorf("%s has two rules", p.Route)
		}
		rules[p.Route] = p.Rule
	}
	s := testServer(t)
	h := s.common(s.routes())
	seen := map[string]int{}
	err := chi.Walk(s.routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		name := method + " " + route
		var operation struct {
			Security json.RawMessage
			Roles    []directory.Role `json:"x-roles"`
		}
		if err := json.Unmarshal(described[route][strings.ToLower(method)], &operation); err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		rule, guarded := rules[name]
		delete(rules, name)
		kind, want := "guarded", security(rule)
		switch {
		case slices.Contains(openRoutes, name):
			kind, want = "open", `[]`
		case slices.Contains(strangersRoutes, name):
			kind, want = "strangers", `[{}]`
		case name == "POST /api/enroll":
			kind, want = "hosts", `[{},{"hostCredential":[]}]`
		case slices.Contains(hostRoutes, name):
			kind, want = "hosts", `[{"hostCredential":[]}]`
		}
		seen[kind]++
		if got := strings.Join(strings.Fields(string(operation.Security)), ""); got != want || !slices.Equal(operation.Roles, rule.Roles) {
			t.Errorf("%s: the description lets in %s %v, want %s %v", name, got, operation.Roles, want, rule.Roles)
		}
		if guarded != (kind == "guarded") {
			t.Errorf("%s: is it in the table of permissions? %v", name, guarded)
		}
		if !guarded {
			return nil
		}
		// Nobody comes past the guard to whatever else might be wrong.
		target := strings.NewReplacer("{", "", "}", "").Replace(route)
		if w := ask(h, method, target+"?format=nonsense"); w.Code != http.StatusUnauthorized && w.Code != http.StatusTooManyRequests {
			t.Errorf("%s without a credential: %d", name, w.Code)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen["open"] != len(openRoutes) || seen["hosts"] != len(hostRoutes) || seen["strangers"] != len(strangersRoutes) || seen["guarded"] < 20 {
		t.Errorf("found %v", seen)
	}
	for name := range rules {
		t.Errorf("the table of permissions has %s, which is no route", name)
	}
}

// security is how the description puts a rule.
func security(rule auth.Rule) string {
	switch {
	case rule.LoginOnly:
		return `[{"loginCookie":[]}]`
	case slices.Contains(rule.Roles, directory.RoleViewer):
		return `[{"apiToken":[]},{"loginCookie":[]}]`
	}
	return `[{"adminToken":[]},{"loginCookie":[]}]`
}

// README.md has the table as it is.
func TestDocumentedPermissions(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- routes and roles -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("no table of routes and roles")
	}
	want := permissionsTable()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("README.md has another table; UPDATE_GOLDEN=1 writes it:\n%s", want)
	}
}

// permissionsTable is the table in Markdown.
func permissionsTable() string {
	roles := []directory.Role{directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor, directory.RoleSelf}
	var b strings.Builder
	b.WriteString("| | admin | manager | viewer | auditor | self | API token |\n|---|---|---|---|---|---|---|\n")
	for _, p := range permission.Table() {
		fmt.Fprintf(&b, "| `%s` ", p.Route)
		for _, role := range roles {
			b.WriteString("| " + map[bool]string{true: "yes "}[slices.Contains(p.Roles, role)])
		}
		token := "admin "
		switch {
		case p.LoginOnly:
			token = ""
		case slices.Contains(p.Roles, directory.RoleViewer):
			token = "admin, viewer "
		}
		b.WriteString("| " + token + "|\n")
	}
	return b.String()
}
