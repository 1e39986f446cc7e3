package frame_test

import (
	"encoding/base32"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/totp"
)

// A second step is set up, used and ended by the page.
func TestSecondStepPage(t *testing.T) {
	b := newBrowser(t)
	b.login("viewer")
	b.ask(http.MethodGet, "/", nil).has(t, http.StatusOK, `href="account"`)
	b.ask(http.MethodGet, "/account", nil).has(t, http.StatusOK, "Not in force", "Set up a second step", "(this one)")
	b.ask(http.MethodPost, "/account", url.Values{"do": {"begin"}, "password": {"wrong"}}).has(t, http.StatusUnauthorized, "wrong")
	r := b.ask(http.MethodPost, "/account", url.Values{"do": {"begin"}, "password": {servertest.Password}})
	r.has(t, http.StatusOK, `href="otpauth://totp/Activity%20Tracker:viewer?`, `<svg class="qr" viewBox="0 0 `, "Put it in force")
	shown := regexp.MustCompile(`<code>([A-Z2-7 ]{20,})</code>`).FindStringSubmatch(r.text)
	if shown == nil {
		t.Fatal("no secret is shown: ", r.text)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(shown[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	now := func() string {
		return totp.Code(secret, totp.Step(time.Now().Add(time.Duration(b.Clock.Ahead.Load()))))
	}
	b.ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {"12 34"}}).has(t, http.StatusUnauthorized, "The code is wrong", "Put it in force")
	code := now()
	r = b.ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {code[:3] + " " + code[3:]}})
	r.has(t, http.StatusOK, "In force", `<ul class="codes">`)
	if n := strings.Count(r.text, "<li><code>"); n != totp.RecoveryCodes {
		t.Errorf("%d recovery codes", n)
	}
	b.ask(http.MethodGet, "/account", nil).lacks(t, `class="codes"`, shown[1])
	b.ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {code}}).has(t, http.StatusConflict, "Begin again")

	b.Clock.Ahead.Add(int64(90 * time.Second))
	clear(b.cookies)
	form := url.Values{"login": {"viewer"}, "password": {servertest.Password}}
	b.ask(http.MethodPost, "/login", form).has(t, http.StatusUnauthorized, "Type the code of your second step", `name="code"`, `value="viewer"`)
	form.Set("code", now())
	b.ask(http.MethodPost, "/login", form).sends(t, "./")

	b.ask(http.MethodPost, "/account", url.Values{"do": {"off"}, "password": {servertest.Password}}).has(t, http.StatusUnauthorized, "Type the code")
	b.Clock.Ahead.Add(int64(90 * time.Second))
	b.ask(http.MethodPost, "/account", url.Values{"do": {"off"}, "password": {servertest.Password}, "code": {now()}}).sends(t, "./login?done=second_step_off")
	b.ask(http.MethodGet, "/account", nil).sends(t, "./login?to=account")
	b.ask(http.MethodGet, "/login?done=second_step_off", nil).has(t, http.StatusOK, "The second step was ended.")
	b.login("viewer")
}

// One's own password is changed, and one's own logins are listed and ended; nobody else's are.
func TestAccountPage(t *testing.T) {
	b := newBrowser(t)
	b.login("viewer")
	foreign := regexp.MustCompile(`"id":"(ses_[^"]+)"`).FindStringSubmatch(string(b.Do(http.MethodGet, "/api/users/"+b.userID("admin")+"/sessions", "", nil, b.Login("admin")...).Body))
	other := b.Login("viewer", "User-Agent", `Other <b>Browser</b>`)
	third := b.Login("viewer", "User-Agent", "Third")
	lasts := func(cookie []string) bool {
		t.Helper()
		return b.Do(http.MethodGet, "/api/login", "", nil, cookie...).Status == http.StatusOK
	}
	r := b.ask(http.MethodGet, "/account", nil)
	r.has(t, http.StatusOK, "Other &lt;b&gt;Browser&lt;/b&gt;", "Third", "End all others")
	id := regexp.MustCompile(`(?s)Other &lt;b&gt;.*?name="id" value="(ses_[^"]+)"`).FindStringSubmatch(r.text)
	if id == nil || foreign == nil {
		t.Fatal("no login to end: ", r.text)
	}
	b.ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {foreign[1]}}).has(t, http.StatusNotFound)
	b.ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {"../../" + b.userID("admin")}}).has(t, http.StatusNotFound)
	b.ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {id[1]}}).sends(t, "./account?done=ended")
	if lasts(other) || !lasts(third) {
		t.Error("another login has ended than was asked")
	}
	b.ask(http.MethodPost, "/account", url.Values{"do": {"others"}}).sends(t, "./account?done=ended")
	if lasts(third) {
		t.Error("one of the others lasts")
	}
	b.ask(http.MethodGet, "/account?done=ended", nil).has(t, http.StatusOK, "Ended.")

	change := url.Values{"do": {"password"}, "password": {servertest.Password}, "new": {"short"}, "again": {"short"}}
	b.ask(http.MethodPost, "/account", change).has(t, http.StatusBadRequest, "At least 12 characters")
	change.Set("new", "seven green horses")
	b.ask(http.MethodPost, "/account", change).has(t, http.StatusBadRequest, "not the same")
	change.Set("again", "seven green horses")
	change.Set("password", "wrong")
	b.ask(http.MethodPost, "/account", change).has(t, http.StatusUnauthorized, "wrong")
	change.Set("password", servertest.Password)
	b.ask(http.MethodPost, "/account", change, "Sec-Fetch-Site", "cross-site").has(t, http.StatusForbidden)
	b.ask(http.MethodPost, "/account", change).sends(t, "./login?done=password")
	b.ask(http.MethodGet, "/account", nil).sends(t, "./login?to=account")
	b.ask(http.MethodPost, "/login", url.Values{"login": {"viewer"}, "password": {"seven green horses"}}).sends(t, "./")

	clear(b.cookies)
	r = b.ask(http.MethodGet, "/account", nil, b.OpenSelf(b.host, "office-anna")...)
	r.has(t, http.StatusForbidden)
	b.ask(http.MethodGet, "/me", nil, b.OpenSelf(b.host, "office-anna")...).lacks(t, "account\"")
}

// userID finds a user by name.
func (b *browser) userID(login string) string {
	b.T.Helper()
	u, err := b.Store.Users.ByLogin(b.T.Context(), login)
	if err != nil {
		b.T.Fatal(err)
	}
	return u.ID
}
