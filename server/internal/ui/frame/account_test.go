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
	b.As("viewer")
	b.Ask(http.MethodGet, "/", nil).Has(t, http.StatusOK, `href="account"`)
	b.Ask(http.MethodGet, "/account", nil).Has(t, http.StatusOK, "Not in force", "Set up a second step", "(this one)")
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"begin"}, "password": {"wrong"}}).Has(t, http.StatusUnauthorized, "wrong")
	r := b.Ask(http.MethodPost, "/account", url.Values{"do": {"begin"}, "password": {servertest.Password}})
	r.Has(t, http.StatusOK, `href="otpauth://totp/Activity%20Tracker:viewer?`, `<svg class="qr" viewBox="0 0 `, "Put it in force")
	shown := regexp.MustCompile(`<code>([A-Z2-7 ]{20,})</code>`).FindStringSubmatch(r.Text)
	if shown == nil {
		t.Fatal("no secret is shown: ", r.Text)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(shown[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	now := func() string {
		return totp.Code(secret, totp.Step(time.Now().Add(time.Duration(b.Clock.Ahead.Load()))))
	}
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {"12 34"}}).Has(t, http.StatusUnauthorized, "The code is wrong", "Put it in force")
	code := now()
	r = b.Ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {code[:3] + " " + code[3:]}})
	r.Has(t, http.StatusOK, "In force", `<ul class="codes">`)
	if n := strings.Count(r.Text, "<li><code>"); n != totp.RecoveryCodes {
		t.Errorf("%d recovery codes", n)
	}
	b.Ask(http.MethodGet, "/account", nil).Lacks(t, `class="codes"`, shown[1])
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"confirm"}, "code": {code}}).Has(t, http.StatusConflict, "Begin again")

	b.Clock.Ahead.Add(int64(90 * time.Second))
	clear(b.Cookies)
	form := url.Values{"login": {"viewer"}, "password": {servertest.Password}}
	b.Ask(http.MethodPost, "/login", form).Has(t, http.StatusUnauthorized, "Type the code of your second step", `name="code"`, `value="viewer"`)
	form.Set("code", now())
	b.Ask(http.MethodPost, "/login", form).Sends(t, "./")

	b.Ask(http.MethodPost, "/account", url.Values{"do": {"off"}, "password": {servertest.Password}}).Has(t, http.StatusUnauthorized, "Type the code")
	b.Clock.Ahead.Add(int64(90 * time.Second))
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"off"}, "password": {servertest.Password}, "code": {now()}}).Sends(t, "./login?done=second_step_off")
	b.Ask(http.MethodGet, "/account", nil).Sends(t, "./login?to=account")
	b.Ask(http.MethodGet, "/login?done=second_step_off", nil).Has(t, http.StatusOK, "The second step was ended.")
	b.As("viewer")
}

// One's own password is changed, and one's own logins are listed and ended; nobody else's are.
func TestAccountPage(t *testing.T) {
	b := newBrowser(t)
	b.As("viewer")
	foreign := regexp.MustCompile(`"id":"(ses_[^"]+)"`).FindStringSubmatch(string(b.Do(http.MethodGet, "/api/users/"+b.userID("admin")+"/sessions", "", nil, b.Login("admin")...).Body))
	other := b.Login("viewer", "User-Agent", `Other <b>Browser</b>`)
	third := b.Login("viewer", "User-Agent", "Third")
	lasts := func(cookie []string) bool {
		t.Helper()
		return b.Do(http.MethodGet, "/api/login", "", nil, cookie...).Status == http.StatusOK
	}
	r := b.Ask(http.MethodGet, "/account", nil)
	r.Has(t, http.StatusOK, "Other &lt;b&gt;Browser&lt;/b&gt;", "Third", "End all others")
	id := regexp.MustCompile(`(?s)Other &lt;b&gt;.*?name="id" value="(ses_[^"]+)"`).FindStringSubmatch(r.Text)
	if id == nil || foreign == nil {
		t.Fatal("no login to end: ", r.Text)
	}
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {foreign[1]}}).Has(t, http.StatusNotFound)
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {"../../" + b.userID("admin")}}).Has(t, http.StatusNotFound)
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"end"}, "id": {id[1]}}).Sends(t, "./account?done=ended")
	if lasts(other) || !lasts(third) {
		t.Error("another login has ended than was asked")
	}
	b.Ask(http.MethodPost, "/account", url.Values{"do": {"others"}}).Sends(t, "./account?done=ended")
	if lasts(third) {
		t.Error("one of the others lasts")
	}
	b.Ask(http.MethodGet, "/account?done=ended", nil).Has(t, http.StatusOK, "Ended.")

	change := url.Values{"do": {"password"}, "password": {servertest.Password}, "new": {"short"}, "again": {"short"}}
	b.Ask(http.MethodPost, "/account", change).Has(t, http.StatusBadRequest, "At least 12 characters")
	change.Set("new", "seven green horses")
	b.Ask(http.MethodPost, "/account", change).Has(t, http.StatusBadRequest, "not the same")
	change.Set("again", "seven green horses")
	change.Set("password", "wrong")
	b.Ask(http.MethodPost, "/account", change).Has(t, http.StatusUnauthorized, "wrong")
	change.Set("password", servertest.Password)
	b.Ask(http.MethodPost, "/account", change, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden)
	b.Ask(http.MethodPost, "/account", change).Sends(t, "./login?done=password")
	b.Ask(http.MethodGet, "/account", nil).Sends(t, "./login?to=account")
	b.Ask(http.MethodPost, "/login", url.Values{"login": {"viewer"}, "password": {"seven green horses"}}).Sends(t, "./")

	clear(b.Cookies)
	r = b.Ask(http.MethodGet, "/account", nil, b.OpenSelf(b.host, "office-anna")...)
	r.Has(t, http.StatusForbidden)
	b.Ask(http.MethodGet, "/me", nil, b.OpenSelf(b.host, "office-anna")...).Lacks(t, "account\"")
}

// userID finds a user by name.
func (b *visitor) userID(login string) string {
	b.T.Helper()
	u, err := b.Store.Users.ByLogin(b.T.Context(), login)
	if err != nil {
		b.T.Fatal(err)
	}
	return u.ID
}
