package ssotest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/store/directory"
)

// other is a key of nobody the server trusts.
var other = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// part is one of three parts of a token, as they are written.
func part(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// claim has a token say something else.
func claim(name string, value any) func(*reply) {
	return func(r *reply) {
		if value == nil {
			delete(r.claims, name)
			return
		}
		r.claims[name] = value
	}
}

// A token that is wrong in any way logs nobody in, makes nobody and ends no login; the
// next honest one does.
func TestLies(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	key, _ := b.p.signing()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	before := newBrowser(t)
	before.login(b.URL, "anna").to()
	unsigned := func(alg string, signature string) func(*reply) {
		return func(r *reply) {
			r.raw = func(string) string {
				return part(map[string]string{"alg": alg, "kid": r.kid}) + "." + part(r.claims) + "." + signature
			}
		}
	}
	raw := func(change func(string) string) func(*reply) { return func(r *reply) { r.raw = change } }
	for why, lie := range map[string]func(*reply){
		"another's nonce":            claim("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		"no nonce":                   claim("nonce", nil),
		"an empty nonce":             claim("nonce", ""),
		"a nonce that is a list":     claim("nonce", []string{"x"}),
		"another key, called alike":  func(r *reply) { r.key = other() },
		"another key":                func(r *reply) { r.key, r.kid = other(), "other" },
		"another key without a name": func(r *reply) { r.key, r.kid = other(), "" },
		"the public key as a secret": func(r *reply) { r.key, r.alg = public, jose.HS256 },
		"the client's secret as key": func(r *reply) { r.key, r.alg = []byte(clientSecret+clientSecret), jose.HS256 },
		"alg none":                   unsigned("none", ""),
		"alg None":                   unsigned("None", ""),
		"no alg":                     unsigned("", ""),
		"no signature":               unsigned("RS256", ""),
		"another's signature":        unsigned("RS256", base64.RawURLEncoding.EncodeToString(make([]byte, 256))),
		"the signature cut off":      raw(func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }),
		"changed after it was signed": func(r *reply) {
			r.claims["sub"] = "u2"
			r.raw = func(s string) string {
				parts := strings.Split(s, ".")
				return parts[0] + "." + part(r.claims) + "." + parts[2]
			}
		},
		"nothing":                   raw(func(string) string { return "" }),
		"nonsense":                  raw(func(string) string { return "a.b.c" }),
		"much nonsense":             raw(func(string) string { return strings.Repeat("a.", 100_000) }),
		"another issuer":            claim("iss", "https://evil.example"),
		"an issuer with a slash":    claim("iss", b.p.server.URL+"/"),
		"no issuer":                 claim("iss", nil),
		"another audience":          claim("aud", "another"),
		"other audiences":           claim("aud", []string{"another", "more"}),
		"no audience":               claim("aud", nil),
		"made for another":          claim("azp", "another"),
		"for two, made for another": func(r *reply) { r.claims["aud"], r.claims["azp"] = []string{clientID, "another"}, "another" },
		"for two, made for nobody": func(r *reply) {
			r.claims["aud"] = []string{clientID, "another"}
			delete(r.claims, "azp")
		},
		"expired":                  claim("exp", now.Add(-time.Minute).Unix()),
		"expired long ago":         claim("exp", 1),
		"never to expire":          claim("exp", nil),
		"not good yet":             claim("nbf", now.Add(time.Hour).Unix()),
		"nobody":                   claim("sub", nil),
		"nobody's name":            claim("sub", ""),
		"a number":                 claim("sub", 1),
		"another in other letters": claim("\u017fub", "u2"),
		"too long a name":          claim("sub", strings.Repeat("x", 256)),
		"a name with a NUL":        claim("sub", "u1\x00"),
		"another's access token":   claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"claims that are no list": raw(func(s string) string {
			parts := strings.Split(s, ".")
			return parts[0] + "." + part([]int{1}) + "." + parts[2]
		}),
	} {
		b.p.lies(lie)
		eve := newBrowser(t)
		eve.login(b.URL, "anna").refused(why, http.StatusUnauthorized, api.CodeSSOFailed)
		if eve.who(b.URL) != nil {
			t.Errorf("%s: logged in", why)
		}
	}
	b.p.lies(nil)
	if all := b.all(); len(all) != 1 || before.who(b.URL) == nil {
		t.Errorf("%+v", all)
	}
	newBrowser(t).login(b.URL, "anna").to()
	// Who a token names by groups of another form has none of them.
	for _, groups := range []any{map[string]any{}, 7, true, []any{"staff", 1}, "staff,admins", []string{"cn=admins"}, nil, strings.Repeat("staff ", 1000)} {
		b.p.lies(func(r *reply) { r.claims["groups"] = groups })
		newBrowser(t).login(b.URL, "anna").refused("groups", http.StatusForbidden, api.CodeSSORefused)
	}
	for _, personal := range []string{"anna", "Anna", "u1", "example.org", "code="} {
		if strings.Contains(b.log.String(), personal) {
			t.Errorf("the log has %q: %s", personal, b.log)
		}
	}
}

// What is told of another user when the server asks again is not believed.
func TestUserInfoOfAnother(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org")
	b.p.mu.Lock()
	b.p.infoLie = func(info map[string]any) { info["sub"], info["groups"] = "u2", []string{"cn=admins,dc=example"} }
	b.p.mu.Unlock()
	newBrowser(t).login(b.URL, "anna").refused("another's", http.StatusUnauthorized, api.CodeSSOFailed)
	b.p.mu.Lock()
	b.p.infoLie = func(info map[string]any) { info["groups"] = []string{"staff"} }
	b.p.mu.Unlock()
	newBrowser(t).login(b.URL, "anna").to()
}

// What came back once comes back for nobody again: not the whole address, not its code
// in another login, and not in another browser.
func TestReplays(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	b.p.user("eve", "eve", "eve@example.org", "staff")
	failed := func(why string, p page) {
		t.Helper()
		p.refused(why, http.StatusUnauthorized, api.CodeSSOFailed)
	}
	anna := newBrowser(t)
	back := anna.atProvider(anna.begin(b.URL), "anna")
	kept := anna.cookie(b.URL, attemptCookie)
	other := newBrowser(t)
	failed("no cookie", other.get(back))
	other.begin(b.URL)
	failed("another browser's cookie", other.get(back))
	last := map[bool]string{true: "E", false: "A"}[strings.HasSuffix(kept, "A")]
	for _, value := range []string{"x", "", b.Token(directory.RoleAdmin), kept[:len(kept)-1] + last, strings.Split(kept, ".")[0] + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		other.cookies = map[string]map[string]string{}
		other.set(b.URL, attemptCookie, value)
		failed("a made up cookie", other.get(back))
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		q := u.Query()
		q.Set(name, value)
		return b.URL + u.Path + "?" + q.Encode()
	}
	failed("another state", anna.get(with("state", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")))
	failed("no state", anna.get(with("state", "")))
	failed("two states", anna.get(b.URL+u.Path+"?state=x&"+u.RawQuery))
	failed("two other states", anna.get(back+"&state=x"))
	// None of these ended anna's attempt.
	anna.get(back).to()
	failed("again", anna.get(back))
	anna.set(b.URL, attemptCookie, kept)
	failed("again with its cookie", anna.get(back))
	// A code belongs to one login: in another's it is not good, whether it was used or not.
	eve := newBrowser(t)
	state := eve.begin(b.URL)
	at, err := url.Parse(state)
	if err != nil {
		t.Fatal(err)
	}
	failed("a used code", eve.get(b.URL+u.Path+"?state="+at.Query().Get("state")+"&code="+u.Query().Get("code")))
	fresh, err := url.Parse(anna.atProvider(anna.begin(b.URL), "anna"))
	if err != nil {
		t.Fatal(err)
	}
	if at, err = url.Parse(eve.begin(b.URL)); err != nil {
		t.Fatal(err)
	}
	failed("another's code", eve.get(b.URL+u.Path+"?state="+at.Query().Get("state")+"&code="+fresh.Query().Get("code")))
	for _, query := range []string{"", "&code=", "&error=access_denied", "&error=&code=x", "&code=x&code=y", "&code=x&iss=a&iss=b", "&code=" + strings.Repeat("x", 5000)} {
		if at, err = url.Parse(eve.begin(b.URL)); err != nil {
			t.Fatal(err)
		}
		failed(query, eve.get(b.URL+u.Path+"?state="+at.Query().Get("state")+query))
	}
	if eve.who(b.URL) != nil {
		t.Error("eve is logged in")
	}
}

// Of many that come back at once one logs in.
func TestReplaysAtOnce(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna := newBrowser(t)
	back, kept := anna.atProvider(anna.begin(b.URL), "anna"), anna.cookie(b.URL, attemptCookie)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			one := newBrowser(t)
			one.set(b.URL, attemptCookie, kept)
			if one.get(back).status == http.StatusSeeOther {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d logged in", won.Load())
	}
	// And of one person's first logins at once each is the same user's.
	b.p.user("u2", "berta", "berta@example.org", "staff")
	var backs []string
	var browsers []*browser
	for range 6 {
		one := newBrowser(t)
		backs, browsers = append(backs, one.atProvider(one.begin(b.URL), "berta")), append(browsers, one)
	}
	for i := range backs {
		all.Go(func() {
			if p := browsers[i].get(backs[i]); p.status != http.StatusSeeOther {
				t.Errorf("%d %s", p.status, p.body)
			}
		})
	}
	all.Wait()
	if users := b.all(); len(users) != 2 || users["berta"].Logins != 6 {
		t.Errorf("%+v", users)
	}
}

// Each attempt has secrets of its own, and the code is bound by PKCE.
func TestWhatTheProviderIsTold(t *testing.T) {
	b := newBench(t)
	seen := map[string]bool{}
	for range 3 {
		u, err := url.Parse(newBrowser(t).begin(b.URL))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("redirect_uri") != b.URL+sso.CallbackPath || q.Get("scope") != "openid profile email" {
			t.Errorf("%v", q)
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(q.Get(name)) != 43 || seen[q.Get(name)] {
				t.Errorf("%s is %q", name, q.Get(name))
			}
			seen[q.Get(name)] = true
		}
	}
}

// The login is new each time, whatever the browser had, and what it had ends.
func TestLoginIsNotFixed(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	b.User("eve", directory.RoleViewer)
	planted := strings.TrimPrefix(b.Login("eve")[1], auth.Cookie+"=")
	anna := newBrowser(t)
	anna.set(b.URL, auth.Cookie, planted)
	anna.login(b.URL, "anna").to()
	if got := anna.cookie(b.URL, auth.Cookie); got == planted || got == "" {
		t.Errorf("it is %q", got)
	}
	if is := anna.who(b.URL); is == nil || is.Login != "anna" {
		t.Errorf("%+v", is)
	}
	b.Do(http.MethodGet, "/api/login", "", nil, "Cookie", auth.Cookie+"="+planted).Refused(401, api.CodeUnauthorized)
}

// A browser that comes from another provider is turned away (RFC 9207).
func TestMixUp(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna := newBrowser(t)
	back := anna.atProvider(anna.begin(b.URL), "anna")
	anna.get(back+"&iss=https%3A%2F%2Fevil.example").refused("another provider's", http.StatusUnauthorized, api.CodeSSOFailed)
	if b.p.count("/oauth/token") > 0 {
		t.Error("the code was used")
	}
	back = anna.atProvider(anna.begin(b.URL), "anna")
	anna.get(back + "&iss=" + url.QueryEscape(b.p.server.URL) + "&session_state=x&authuser=0").to()
}
