package frame_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// invite makes an invitation for somebody new.
func (b *visitor) invite(login string) string {
	b.T.Helper()
	inv := secret.New(secret.KindInvitation)
	_, err := b.Store.Users.Invite(b.T.Context(), login, users.Access{Role: directory.RoleViewer}, users.Invitation{ID: inv.ID, Hash: inv.Hash(), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		b.T.Fatal(err)
	}
	return inv.Reveal()
}

// Until somebody has a login, the page of logins leads to how the first one is made; nobody is
// made by whoever comes.
func TestFirstSetup(t *testing.T) {
	b := &visitor{Browser: browser.New(servertest.New(t, servertest.NewDatabase(t)))}
	b.Ask(http.MethodGet, "/", nil).Sends(t, "./login?to=")
	b.Ask(http.MethodGet, "/login", nil).Sends(t, "./setup")
	b.Ask(http.MethodGet, "/setup", nil).Has(t, http.StatusOK, "trackerd-server user invite --role admin anna@example.org", `href="invitation"`)
	link := b.invite("first")
	b.Ask(http.MethodGet, "/login", nil).Sends(t, "./setup")
	b.Ask(http.MethodPost, "/setup", url.Values{"login": {"thief"}, "password": {servertest.Password}}).Has(t, http.StatusOK, "Nobody has a login")
	b.Ask(http.MethodPost, "/invitation", url.Values{"invitation": {link}, "password": {servertest.Password}, "again": {servertest.Password}}).Sends(t, "./")
	b.Ask(http.MethodGet, "/", nil).Has(t, http.StatusOK, "first")
	clear(b.Cookies)
	b.Ask(http.MethodGet, "/setup", nil).Sends(t, "./login")
	b.Ask(http.MethodGet, "/login", nil).Has(t, http.StatusOK, `name="password"`)
}

// An invitation sets a password once, and logs in with it; what is refused may be typed again.
func TestInvitation(t *testing.T) {
	b := newBrowser(t)
	link := b.invite("berta")
	r := b.Ask(http.MethodGet, "/invitation", nil)
	r.Has(t, http.StatusOK, "Choose your password", `name="invitation" value=""`)
	if r.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address goes elsewhere")
	}
	form := url.Values{"invitation": {link}, "password": {"berta berta berta"}, "again": {"berta berta bertA"}}
	b.Ask(http.MethodPost, "/invitation", form).Has(t, http.StatusBadRequest, "not the same", link)
	form.Set("again", "berta berta berta")
	b.Ask(http.MethodPost, "/invitation", form).Has(t, http.StatusBadRequest, "At least 12 characters", link)
	form.Set("password", "seven green horses")
	form.Set("again", "seven green horses")
	b.Ask(http.MethodPost, "/invitation", form, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden)
	form.Set("invitation", "https://tracker.example.org/invitation#"+link)
	b.Ask(http.MethodPost, "/invitation", form).Sends(t, "./")
	b.Ask(http.MethodGet, "/", nil).Has(t, http.StatusOK, "berta")
	clear(b.Cookies)
	b.Ask(http.MethodPost, "/invitation", form).Has(t, http.StatusUnauthorized, "Ask an administrator for another.")
	for _, wrong := range []string{"", "x", "<b>", strings.Repeat("#", 2000)} {
		form.Set("invitation", wrong)
		r := b.Ask(http.MethodPost, "/invitation", form)
		r.Has(t, http.StatusUnauthorized)
		r.Lacks(t, "<b>")
	}
	if len(b.Cookies) > 0 {
		t.Error(b.Cookies)
	}
}

// A browser that single sign-on refuses is shown a page; a program gets the API's answer. The
// provider of this server does not answer.
func TestSingleSignOnRefuses(t *testing.T) {
	b := newBrowser(t)
	r := b.Ask(http.MethodGet, "/login/sso", nil, "Accept", "text/html,*/*;q=0.8")
	r.Has(t, http.StatusServiceUnavailable, "Logging in by password still works", `action="../login"`)
	if r.Header.Get("Retry-After") != "10" {
		t.Error(r.Header)
	}
	b.Do(http.MethodGet, "/login/sso", "", nil).Refused(http.StatusServiceUnavailable, api.CodeUnavailable)
	r = b.Ask(http.MethodGet, "/login/sso/callback?code=x&state=y", nil, "Accept", "text/html")
	r.Has(t, http.StatusUnauthorized, "Single sign-on did not work", `action="../../login"`, `href="../../login/sso?next=%2F"`)
	b.Do(http.MethodGet, "/login/sso/callback?code=x&state=y", "", nil).Refused(http.StatusUnauthorized, api.CodeSSOFailed)
}
