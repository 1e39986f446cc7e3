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
	b.As("admin")
	wanted := url.Values{"do": {"make"}, "name": {"<i>sheet"}, "role": {"viewer"}, "group": {"Support"}}
	b.Ask(http.MethodPost, "/tokens", wanted, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden)
	b.Ask(http.MethodPost, "/tokens", wanted, "Origin", "https://elsewhere.example").Has(t, http.StatusForbidden)
	b.Ask(http.MethodPost, "/tokens", wanted, "Content-Type", "application/json").Has(t, http.StatusUnsupportedMediaType)

	r := b.Ask(http.MethodPost, "/tokens", wanted)
	r.Has(t, http.StatusOK, "shown this once", "&lt;i&gt;sheet", "Support")
	secret := regexp.MustCompile(`<code>(tok_[^<]+)</code>`).FindStringSubmatch(r.Text)
	if secret == nil {
		t.Fatal("no token is shown: ", r.Text)
	}
	if machines := b.Do(http.MethodGet, "/api/machines", secret[1], nil); machines.Status != http.StatusOK {
		t.Errorf("the token reads nothing: %d", machines.Status)
	}
	r = b.Ask(http.MethodGet, "/tokens", nil)
	r.Has(t, http.StatusOK, "&lt;i&gt;sheet")
	r.Lacks(t, secret[1])
	audit := b.Do(http.MethodGet, "/api/audit", b.Token(directory.RoleAdmin), nil)
	if !regexp.MustCompile(`"token\.created"[^}]*`).Match(audit.Body) {
		t.Errorf("nobody wrote down who made it: %s", audit.Body)
	}

	// What is refused stays as it was typed, with the API's reason.
	b.Ask(http.MethodPost, "/tokens", url.Values{"do": {"make"}, "name": {"kept"}, "role": {"king"}}).Has(t, http.StatusBadRequest, `value="kept"`, "Nothing was changed")
	b.Ask(http.MethodPost, "/tokens", url.Values{"do": {"other"}}).Has(t, http.StatusBadRequest)
	b.Ask(http.MethodPost, "/day", url.Values{}).Has(t, http.StatusMethodNotAllowed)

	id := regexp.MustCompile(`name="id" value="(tok[^"]*)"`).FindStringSubmatch(r.Text)
	if id == nil {
		t.Fatal("no token to remove: ", r.Text)
	}
	b.Ask(http.MethodPost, "/tokens", url.Values{"do": {"remove"}, "id": {id[1]}}).Sends(t, "./tokens?done=removed")
	b.Ask(http.MethodGet, "/users?done=changed", nil).Lacks(t, `role="status"`) // somebody else's link
	b.Ask(http.MethodGet, "/tokens?done=removed", nil).Has(t, http.StatusOK, "Removed.")
	b.Ask(http.MethodGet, "/tokens?done=removed", nil).Lacks(t, "Removed.") // it was shown
	b.Ask(http.MethodGet, "/tokens?done=%3Cb%3E", nil).Lacks(t, `role="status"`)

	for _, role := range []string{"manager", "viewer", "auditor"} {
		b.As(role)
		b.Ask(http.MethodPost, "/tokens", wanted).Has(t, http.StatusForbidden)
	}
	clear(b.Cookies)
	b.Ask(http.MethodPost, "/tokens", wanted).Sends(t, "./login?to=tokens")
}
