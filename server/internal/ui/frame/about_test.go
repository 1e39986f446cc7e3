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
	b.Ask(http.MethodGet, "/about", nil).Sends(t, "./login?to=about")
	for _, role := range []string{"admin", "manager", "viewer", "auditor"} {
		b.As(role)
		b.Ask(http.MethodGet, "/about", nil).Has(t, http.StatusOK, "14 days", "Records of each minute", "for ever", `<th scope="row">Go</th>`, `href="api/openapi.json"`, `href="about" aria-current`)
	}
	b.Ask(http.MethodGet, "/about", nil, "Accept-Language", "ru").Has(t, http.StatusOK, "14 дней", "без срока")
	clear(b.Cookies)
	b.Ask(http.MethodGet, "/about", nil, b.OpenSelf(b.host, "office-anna")...).Has(t, http.StatusOK, "Schema of the database")
	b.Ask(http.MethodPost, "/about", nil).Sends(t, "./login?to=about")
	b.Do(http.MethodGet, "/api/about", b.Token(directory.RoleAdmin), nil).Refused(http.StatusNotFound, api.CodeNotFound)
}
