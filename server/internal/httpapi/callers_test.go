package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// Routes that are not for people with an API token, and all that there may be.
var (
	openRoutes = []string{
		"GET /healthz", "GET /readyz", "GET /metrics", "GET /api/openapi.json", "GET /api/docs",
		"GET /install.sh", "GET /packages/{file}", "GET /packages/by-hash/SHA256/{digest}",
	}
	hostRoutes = []string{"POST /api/enroll", "POST /api/events"}
)

// Who may call a route follows from its method, for every route that the router
// has: reading needs an API token and whatever changes something an
// administrator's. What the description says is what TestCommonReplies of the
// program then tries with every kind of caller.
func TestEveryRouteHasItsCallers(t *testing.T) {
	described := describedPaths(t)
	s := testServer(t)
	h := s.common(s.routes())
	seen := map[string]int{}
	err := chi.Walk(s.routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		name := method + " " + route
		var operation struct{ Security json.RawMessage }
		if err := json.Unmarshal(described[route][strings.ToLower(method)], &operation); err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		kind, want := "writing", `[{"adminToken":[]}]`
		switch {
		case slices.Contains(openRoutes, name):
			kind, want = "open", `[]`
		case name == "POST /api/enroll":
			kind, want = "hosts", `[{},{"hostCredential":[]}]`
		case slices.Contains(hostRoutes, name):
			kind, want = "hosts", `[{"hostCredential":[]}]`
		case method == http.MethodGet:
			kind, want = "reading", `[{"apiToken":[]}]`
		}
		seen[kind]++
		if got := strings.Join(strings.Fields(string(operation.Security)), ""); got != want {
			t.Errorf("%s: the description lets in %s, want %s", name, got, want)
		}
		if kind != "reading" && kind != "writing" {
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
	if seen["open"] != len(openRoutes) || seen["hosts"] != len(hostRoutes) || seen["reading"] < 10 || seen["writing"] < 5 {
		t.Errorf("found %v", seen)
	}
}
