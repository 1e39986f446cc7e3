package frame_test

import (
	"net/http"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// Everybody who has logged in sees what the server is and for how long it keeps what.
func TestAbout(t *testing.T) {
	b := newBrowser(t)
	b.ask(http.MethodGet, "/about", nil).sends(t, "./login?to=about")
	for _, role := range []string{"admin", "manager", "viewer", "auditor"} {
		b.login(role)
		b.ask(http.MethodGet, "/about", nil).has(t, http.StatusOK, "14 days", "Records of each minute", "for ever", `<th scope="row">Go</th>`, `href="api/openapi.json"`, `href="about" aria-current`)
	}
	b.ask(http.MethodGet, "/about", nil, "Accept-Language", "ru").has(t, http.StatusOK, "14 дней", "без срока")
	clear(b.cookies)
	b.ask(http.MethodGet, "/about", nil, b.OpenSelf(b.host, "office-anna")...).has(t, http.StatusOK, "Schema of the database")
	b.ask(http.MethodPost, "/about", nil).sends(t, "./login?to=about")
	b.Do(http.MethodGet, "/api/about", b.Token(directory.RoleAdmin), nil).Refused(http.StatusNotFound, api.CodeNotFound)
}
