package frame_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"activity-tracker.example/server/internal/store/directory"
)

// What a form asks for is done once, in the visitor's name, with the API's checks.
func TestForms(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	wanted := url.Values{"do": {"make"}, "name": {"<i>sheet"}, "role": {"viewer"}, "group": {"Support"}}
	b.ask(http.MethodPost, "/tokens", wanted, "Sec-Fetch-Site", "cross-site").has(t, http.StatusForbidden)
	b.ask(http.MethodPost, "/tokens", wanted, "Origin", "https://elsewhere.example").has(t, http.StatusForbidden)
	b.ask(http.MethodPost, "/tokens", wanted, "Content-Type", "application/json").has(t, http.StatusUnsupportedMediaType)

	r := b.ask(http.MethodPost, "/tokens", wanted)
	r.has(t, http.StatusOK, "shown this once", "&lt;i&gt;sheet", "Support")
	secret := regexp.MustCompile(`<code>(tok_[^<]+)</code>`).FindStringSubmatch(r.text)
	if secret == nil {
		t.Fatal("no token is shown: ", r.text)
	}
	if machines := b.Do(http.MethodGet, "/api/machines", secret[1], nil); machines.Status != http.StatusOK {
		t.Errorf("the token reads nothing: %d", machines.Status)
	}
	r = b.ask(http.MethodGet, "/tokens", nil)
	r.has(t, http.StatusOK, "&lt;i&gt;sheet")
	r.lacks(t, secret[1])
	audit := b.Do(http.MethodGet, "/api/audit", b.Token(directory.RoleAdmin), nil)
	if !regexp.MustCompile(`"token\.created"[^}]*`).Match(audit.Body) {
		t.Errorf("nobody wrote down who made it: %s", audit.Body)
	}

	// What is refused stays as it was typed, with the API's reason.
	b.ask(http.MethodPost, "/tokens", url.Values{"do": {"make"}, "name": {"kept"}, "role": {"king"}}).has(t, http.StatusBadRequest, `value="kept"`, "Nothing was changed")
	b.ask(http.MethodPost, "/tokens", url.Values{"do": {"other"}}).has(t, http.StatusBadRequest)
	b.ask(http.MethodPost, "/day", url.Values{}).has(t, http.StatusMethodNotAllowed)

	id := regexp.MustCompile(`name="id" value="(tok[^"]*)"`).FindStringSubmatch(r.text)
	if id == nil {
		t.Fatal("no token to remove: ", r.text)
	}
	b.ask(http.MethodPost, "/tokens", url.Values{"do": {"remove"}, "id": {id[1]}}).sends(t, "./tokens?done=removed")
	b.ask(http.MethodGet, "/tokens?done=removed", nil).has(t, http.StatusOK, "Removed.")
	b.ask(http.MethodGet, "/tokens?done=%3Cb%3E", nil).lacks(t, `role="status"`)

	for _, role := range []string{"manager", "viewer", "auditor"} {
		b.login(role)
		b.ask(http.MethodPost, "/tokens", wanted).has(t, http.StatusForbidden)
	}
	clear(b.cookies)
	b.ask(http.MethodPost, "/tokens", wanted).sends(t, "./login?to=tokens")
}
