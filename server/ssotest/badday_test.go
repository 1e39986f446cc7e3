package ssotest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/store/directory"
)

// A server starts without its provider and says so to who would log in by it; passwords
// work meanwhile. When the provider is there, so is single sign-on.
func TestProviderIsDown(t *testing.T) {
	b := newDown(t)
	b.User("root", directory.RoleAdmin)
	anna := newBrowser(t)
	down := func(why string) {
		t.Helper()
		p := anna.get(b.URL + "/login/sso")
		p.refused(why, http.StatusServiceUnavailable, api.CodeUnavailable)
		if !strings.Contains(p.body, "by password still works") || p.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %v", why, p.body, p.header)
		}
		b.Do(http.MethodGet, "/api/login", "", nil, b.Login("root")...).Wants(200, nil)
	}
	down("never there")
	asked := b.p.count("/.well-known/openid-configuration")
	down("asked a moment ago")
	if again := b.p.count("/.well-known/openid-configuration"); again != asked {
		t.Errorf("it is asked again at once: %d times", again)
	}
	big := strings.Repeat("x", 2<<20)
	for why, answer := range map[string]string{
		"huge": `{"issuer":"` + b.p.server.URL + `","x":"` + big + `"}`, "nonsense": "<html>", "empty": "", "another's": `{"issuer":"https://evil.example"}`, "no parts": `{"issuer":"` + b.p.server.URL + `"}`,
		"without TLS": description(b.p.server.URL, map[string]any{"token_endpoint": "http://192.0.2.1/token"}),
		"a script":    description(b.p.server.URL, map[string]any{"authorization_endpoint": "javascript:alert(1)"}),
		"no TLS out":  description(b.p.server.URL, map[string]any{"end_session_endpoint": "http://192.0.2.1/out"}),
	} {
		b.ahead += time.Minute
		b.p.breaks(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer))
		})
		down(why)
	}
	b.ahead += time.Minute
	b.p.breaks(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	down("a redirect")
	if b.p.breaks(nil); strings.Contains(b.log.String(), "xxxxxxxxxx") {
		t.Error("the log has all that the provider sent")
	}
	b.p.begin(b.URL)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	b.ahead += time.Minute
	anna.login(b.URL, "anna").to()
	// While it is away it is remembered where it is, and who comes back is told.
	back := anna.atProvider(anna.begin(b.URL), "anna")
	b.p.breaks(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret words", http.StatusBadGateway) })
	anna.get(back).refused("while coming back", http.StatusServiceUnavailable, api.CodeUnavailable)
	b.ahead += 2 * time.Hour
	anna.begin(b.URL)
	if anna.who(b.URL) == nil || strings.Contains(b.log.String(), "secret words") {
		t.Error("the login before has ended, or the log has what the provider wrote")
	}
	// One of which the keys alone can't be had is down, and one whose keys are taken back
	// is believed no more after a while.
	b.p.breaks(nil)
	back = anna.atProvider(anna.begin(b.URL), "anna")
	b.p.breaks(b.p.without("/keys"))
	b.ahead += 2 * time.Hour
	p := anna.get(back)
	p.refused("no keys", http.StatusServiceUnavailable, api.CodeUnavailable)
}

// description is what a provider says of itself, with something else in it.
func description(issuer string, change map[string]any) string {
	d := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/oauth/token", "jwks_uri": issuer + "/keys",
	}
	for name, value := range change {
		d[name] = value
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// without answers as the real provider but for one path.
func (p *provider) without(path string) http.HandlerFunc {
	h := p.real.Load()
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		(*h).ServeHTTP(w, r)
	}
}

// A secret that the provider does not know, and a code that it does not: nobody logs in,
// and the log says why in the provider's word.
func TestWrongSecret(t *testing.T) {
	b := newBench(t, func(o *sso.Options) { o.ClientSecret = "another" })
	b.p.user("u1", "anna", "anna@example.org", "staff")
	newBrowser(t).login(b.URL, "anna").refused("another secret", http.StatusUnauthorized, api.CodeSSOFailed)
	if !strings.Contains(b.log.String(), "invalid_client") {
		t.Errorf("%s", b.log)
	}
	if n := b.p.count("/oauth/token"); n != 1 {
		t.Errorf("the code was sent %d times", n)
	}
}

// Where there is single sign-on alone, no password is taken, no login by one lasts, and
// nobody is invited to have one. API tokens stay.
func TestOnlySSO(t *testing.T) {
	b := newDown(t, func(o *sso.Options) { o.Only = true })
	admin := b.Token(directory.RoleAdmin)
	root := b.User("root", directory.RoleAdmin)
	login := api.LoginRequest{Login: "root", Password: "correct horse battery"}
	b.Do(http.MethodPost, "/api/login", "", login).Refused(403, api.CodeOnlySSO)
	b.Do(http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: "inv_x.y", Password: "correct horse battery"}).Refused(403, api.CodeOnlySSO)
	b.Do(http.MethodPost, "/api/users", admin, map[string]any{"login": "berta", "role": "viewer"}).Refused(403, api.CodeOnlySSO)
	b.Do(http.MethodPost, "/api/users/"+root.ID+"/invitation", admin, nil).Refused(403, api.CodeOnlySSO)
	b.Do(http.MethodGet, "/api/users", admin, nil).Wants(200, nil)
	// A login by password from before is none.
	other := servertestOn(b)
	cookie := other.Login("root")
	other.Do(http.MethodGet, "/api/login", "", nil, cookie...).Wants(200, nil)
	b.Do(http.MethodGet, "/api/login", "", nil, cookie...).Refused(401, api.CodeUnauthorized)
	anna := newBrowser(t)
	if p := anna.get(b.URL + "/login/sso"); p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, "no other way") {
		t.Errorf("%d %s", p.status, p.body)
	}
	b.p.begin(b.URL)
	b.p.user("u1", "root", "root@example.org", "staff")
	b.ahead += time.Minute
	anna.login(b.URL, "root").to()
	if is := anna.who(b.URL); is == nil || is.ID == root.ID {
		t.Errorf("%+v", is)
	}
}

// Where a login ends is a path of this server, whatever it was begun with.
func TestOpenRedirects(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna := newBrowser(t)
	for _, next := range []string{
		"https://evil.example/", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/\t/evil.example", "/\n/evil.example",
		"/\r\nSet-Cookie: a=b", "javascript:alert(1)", "evil.example", ".evil.example", "@evil.example", " //evil.example", "/ /evil.example", "http:/evil.example",
		"/login/sso", "/login/sso?next=/x", "/login/./sso", "/login/%73so", "/x/../login/sso/callback?state=x", "/" + strings.Repeat("x", 3000), "/\x00", "/\u202E", "/%zz", "?x", "#x",
	} {
		anna.get(b.URL+"/login/sso?next="+url.QueryEscape(next)).refused(next, http.StatusBadRequest, api.CodeBadRequest)
	}
	anna.get(b.URL+"/login/sso?next=/x&next=//evil.example").refused("two", http.StatusBadRequest, api.CodeBadRequest)
	for _, next := range []string{"/", "/people?q=a%20b#c", "/x//evil.example", "/%2F/evil.example", "/..//evil.example", "/x?to=https://evil.example", "/%0d%0aSet-Cookie:a=b", "/@evil.example", "/:80"} {
		to := anna.get(anna.atProvider(anna.get(b.URL+"/login/sso?next="+url.QueryEscape(next)).to(), "anna")).to()
		if u, err := url.Parse(to); err != nil || !strings.HasPrefix(to, b.URL+"/") || "http://"+u.Host != b.URL || strings.ContainsAny(to, "\r\n \t\\") {
			t.Errorf("%q leads to %q", next, to)
		}
	}
}

// Another site's page can't have a browser begin or end a login behind its user's back.
func TestOtherSites(t *testing.T) {
	b := newBench(t)
	for _, mode := range []string{"no-cors", "cors", "websocket", "same-origin"} {
		p := newBrowser(t).get(b.URL+"/login/sso", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", mode)
		p.refused(mode, http.StatusForbidden, api.CodeForbidden)
		if len(p.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %v", mode, p.header)
		}
	}
	p := newBrowser(t).get(b.URL+"/login/sso", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if p.to(); p.header.Get("Cache-Control") != "no-store" || p.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", p.header)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, path := range []string{"/login/sso", sso.CallbackPath} {
			if got := newBrowser(t).do(method, b.URL+path, "state=x&code=y"); got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, got.status)
			}
		}
	}
}

// One address that begins logins again and again is stopped, and stops no other.
func TestFlood(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna, eve := newBrowser(t), newBrowser(t)
	back := anna.atProvider(anna.begin(b.URL), "anna")
	stopped := 0
	for range 600 {
		if p := eve.get(b.URL + "/login/sso"); p.status == http.StatusServiceUnavailable && p.header.Get("Retry-After") != "" {
			stopped++
		}
	}
	if stopped == 0 {
		t.Error("it begins as many as it likes")
	}
	anna.get(back).to()
}
