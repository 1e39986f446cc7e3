package httpapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/store/directory"
)

// provider is one that vouches for whoever it is told of, without asking them. The module
// ssotest has a real one.
type provider struct {
	t   *testing.T
	url string
	key *rsa.PrivateKey
	// groups are those of the only person, nonce is what it was asked for last.
	groups []string
	nonce  string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key}
	keys := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.RS256}}}
	mux := http.NewServeMux()
	mux.Handle("/", keys)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.send(w, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/auth", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"end_session_endpoint": p.url + "/end", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		text, err := json.Marshal(map[string]any{
			"iss": p.url, "aud": "tracker", "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "nonce": p.nonce, "groups": p.groups, "preferred_username": "anna",
		})
		if err != nil {
			t.Error(err)
		}
		p.send(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": oidctest.SignIDToken(key, "k", oidc.RS256, string(text))})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	keys.SetIssuer(server.URL)
	return p
}

func (p *provider) send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// server starts a server of ours whose people log in there.
func (p *provider) server() *servertest.Bench {
	p.t.Helper()
	roles, err := sso.ReadRoles(strings.NewReader("staff -> viewer"))
	if err != nil {
		p.t.Fatal(err)
	}
	return servertest.NewWith(p.t, servertest.NewDatabase(p.t), func(tb testing.TB, baseURL string) *sso.Provider {
		tb.Helper()
		return servertest.SSO(tb, sso.Options{Issuer: p.url, BaseURL: baseURL, GroupsClaim: "groups", Roles: roles})
	}, slog.New(slog.DiscardHandler))
}

// login begins a login and returns where the provider would send the browser back, and
// the cookie by which it is known.
func (p *provider) login(b *servertest.Bench) (back string, cookie []string) {
	p.t.Helper()
	r := b.Do(http.MethodGet, "/login/sso?next=/people", "", nil)
	r.Wants(http.StatusSeeOther, nil)
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), p.url+"/auth?") {
		p.t.Fatal(to, err)
	}
	p.nonce = to.Query().Get("nonce")
	value, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	return "/login/sso/callback?code=x&state=" + to.Query().Get("state"), []string{"Cookie", value}
}

// The whole way, and each way that it goes wrong, as they are described.
func TestSingleSignOn(t *testing.T) {
	p := newProvider(t)
	b := p.server()
	admin := b.Token(directory.RoleAdmin)
	b.Do(http.MethodGet, "/login/sso?next=//evil.example", "", nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, "/login/sso", "", nil, "Sec-Fetch-Mode", "no-cors").Refused(403, api.CodeForbidden)
	back, cookie := p.login(b)
	b.Do(http.MethodGet, back, "", nil, cookie...).Refused(403, api.CodeSSORefused)
	b.Do(http.MethodGet, back, "", nil, cookie...).Refused(401, api.CodeSSOFailed)
	p.groups = []string{"staff"}
	back, cookie = p.login(b)
	r := b.Do(http.MethodGet, back, "", nil, cookie...)
	r.Wants(http.StatusSeeOther, nil)
	var login string
	for _, set := range r.Header.Values("Set-Cookie") {
		if value, _, _ := strings.Cut(set, ";"); strings.HasPrefix(value, "__Host-activity-tracker=") {
			login = value
		}
	}
	var who api.Login
	b.Do(http.MethodGet, "/api/login", "", nil, "Cookie", login).Wants(200, &who)
	if !who.User.SingleSignOn || who.User.Login != "anna" || r.Header.Get("Location") != b.URL+"/people" {
		t.Errorf("%+v %v", who, r.Header)
	}
	b.Do(http.MethodPut, "/api/users/"+who.User.ID+"/access", admin, map[string]any{"role": "admin", "groups": nil}).Refused(409, api.CodeBySSO)
	var out api.Logout
	b.Do(http.MethodPost, "/api/logout", "", nil, "Cookie", login).Wants(200, &out)
	if !strings.HasPrefix(out.LogoutURL, p.url+"/end?") {
		t.Errorf("%+v", out)
	}
	for range 30 {
		r = b.Do(http.MethodGet, back, "", nil, cookie...)
	}
	r.Refused(429, api.CodeRateLimited)
}

// Without a provider there is no single sign-on; with one that is down it is told so, to
// who begins and to who comes back.
func TestNoSingleSignOn(t *testing.T) {
	none := servertest.NewWith(t, servertest.NewDatabase(t), servertest.NoSSO, slog.New(slog.DiscardHandler))
	none.Do(http.MethodGet, "/login/sso", "", nil).Refused(404, api.CodeNotFound)
	none.Do(http.MethodGet, "/login/sso/callback?code=x&state=y", "", nil).Refused(404, api.CodeNotFound)
	p := newProvider(t)
	b := p.server()
	back, cookie := p.login(b)
	b.Store.Close()
	b.Do(http.MethodGet, back, "", nil, cookie...).Refused(503, api.CodeUnavailable)
}
