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
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// invite makes an invitation for somebody new.
func (b *browser) invite(login string) string {
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
	b := &browser{Bench: servertest.New(t, servertest.NewDatabase(t)), cookies: map[string]string{}}
	b.ask(http.MethodGet, "/", nil).sends(t, "./login?to=")
	b.ask(http.MethodGet, "/login", nil).sends(t, "./setup")
	b.ask(http.MethodGet, "/setup", nil).has(t, http.StatusOK, "trackerd-server user invite --role admin anna@example.org", `href="invitation"`)
	link := b.invite("first")
	b.ask(http.MethodGet, "/login", nil).sends(t, "./setup")
	b.ask(http.MethodPost, "/setup", url.Values{"login": {"thief"}, "password": {servertest.Password}}).has(t, http.StatusOK, "Nobody has a login")
	b.ask(http.MethodPost, "/invitation", url.Values{"invitation": {link}, "password": {servertest.Password}, "again": {servertest.Password}}).sends(t, "./")
	b.ask(http.MethodGet, "/", nil).has(t, http.StatusOK, "first")
	clear(b.cookies)
	b.ask(http.MethodGet, "/setup", nil).sends(t, "./login")
	b.ask(http.MethodGet, "/login", nil).has(t, http.StatusOK, `name="password"`)
}

// An invitation sets a password once, and logs in with it; what is refused may be typed again.
func TestInvitation(t *testing.T) {
	b := newBrowser(t)
	link := b.invite("berta")
	r := b.ask(http.MethodGet, "/invitation", nil)
	r.has(t, http.StatusOK, "Choose your password", `name="invitation" value=""`)
	if r.header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address goes elsewhere")
	}
	form := url.Values{"invitation": {link}, "password": {"berta berta berta"}, "again": {"berta berta bertA"}}
	b.ask(http.MethodPost, "/invitation", form).has(t, http.StatusBadRequest, "not the same", link)
	form.Set("again", "berta berta berta")
	b.ask(http.MethodPost, "/invitation", form).has(t, http.StatusBadRequest, "At least 12 characters", link)
	form.Set("password", "seven green horses")
	form.Set("again", "seven green horses")
	b.ask(http.MethodPost, "/invitation", form, "Sec-Fetch-Site", "cross-site").has(t, http.StatusForbidden)
	form.Set("invitation", "https://tracker.example.org/invitation#"+link)
	b.ask(http.MethodPost, "/invitation", form).sends(t, "./")
	b.ask(http.MethodGet, "/", nil).has(t, http.StatusOK, "berta")
	clear(b.cookies)
	b.ask(http.MethodPost, "/invitation", form).has(t, http.StatusUnauthorized, "Ask an administrator for another.")
	for _, wrong := range []string{"", "x", "<b>", strings.Repeat("#", 2000)} {
		form.Set("invitation", wrong)
		r := b.ask(http.MethodPost, "/invitation", form)
		r.has(t, http.StatusUnauthorized)
		r.lacks(t, "<b>")
	}
	if len(b.cookies) > 0 {
		t.Error(b.cookies)
	}
}

// A browser that single sign-on refuses is shown a page; a program gets the API's answer. The
// provider of this server does not answer.
func TestSingleSignOnRefuses(t *testing.T) {
	b := newBrowser(t)
	r := b.ask(http.MethodGet, "/login/sso", nil, "Accept", "text/html,*/*;q=0.8")
	r.has(t, http.StatusServiceUnavailable, "Logging in by password still works", `action="../login"`)
	if r.header.Get("Retry-After") != "10" {
		t.Error(r.header)
	}
	b.Do(http.MethodGet, "/login/sso", "", nil).Refused(http.StatusServiceUnavailable, api.CodeUnavailable)
	r = b.ask(http.MethodGet, "/login/sso/callback?code=x&state=y", nil, "Accept", "text/html")
	r.has(t, http.StatusUnauthorized, "Single sign-on did not work", `action="../../login"`, `href="../../login/sso?next=%2F"`)
	b.Do(http.MethodGet, "/login/sso/callback?code=x&state=y", "", nil).Refused(http.StatusUnauthorized, api.CodeSSOFailed)
}
