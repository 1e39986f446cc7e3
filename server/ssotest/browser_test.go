package ssotest

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
)

// attemptCookie is what a browser keeps an attempt in.
const attemptCookie = "__Host-activity-tracker-sso"

// browser keeps cookies of each host, and follows no redirect by itself.
type browser struct {
	t       *testing.T
	client  *http.Client
	cookies map[string]map[string]string
}

// addresses counts those that browsers have.
var addresses atomic.Int32

func newBrowser(t *testing.T) *browser {
	t.Helper()
	// Each has an address of its own, so that one that fails often slows no other down.
	n := addresses.Add(1)
	from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n/250), byte(1+n%250))}
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: from}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, cookies: map[string]map[string]string{}, client: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer.
type page struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// set has the browser keep a cookie of our server's.
func (b *browser) set(address, name, value string) {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.cookies[u.Host] == nil {
		b.cookies[u.Host] = map[string]string{}
	}
	if value == "" {
		delete(b.cookies[u.Host], name)
		return
	}
	b.cookies[u.Host][name] = value
}

// cookie is what the browser keeps; empty: nothing.
func (b *browser) cookie(address, name string) string {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.cookies[u.Host][name]
}

func (b *browser) do(method, address, form string, headers ...string) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range b.cookies[r.URL.Host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	got := page{b.t, res.StatusCode, res.Header, body(b.t, res)}
	for _, c := range res.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode) {
			b.t.Errorf("the cookie %q", c.Raw)
		}
		value := c.Value
		if c.MaxAge < 0 {
			value = ""
		}
		b.set(address, c.Name, value)
	}
	return got
}

func (b *browser) get(address string, headers ...string) page {
	b.t.Helper()
	return b.do(http.MethodGet, address, "", headers...)
}

// to is where a page sends the browser.
func (p page) to() string {
	p.t.Helper()
	if p.status != http.StatusFound && p.status != http.StatusSeeOther {
		p.t.Fatalf("no redirect: %d %s", p.status, p.body)
	}
	return p.header.Get("Location")
}

// refused checks a problem, which comes without a login.
func (p page) refused(why string, status int, code api.Code) {
	p.t.Helper()
	var is api.Problem
	if json.Unmarshal([]byte(p.body), &is) != nil || p.status != status || is.Code != code {
		p.t.Errorf("%s: %d %s, want %d %s", why, p.status, p.body, status, code)
	}
	if set := strings.Join(p.header.Values("Set-Cookie"), " "); strings.Contains(set, auth.Cookie+"=") {
		p.t.Errorf("%s: it sets %s", why, set)
	}
}

// begin begins a login at our server and returns where that sends the browser.
func (b *browser) begin(base string) string {
	b.t.Helper()
	return b.get(base + "/login/sso").to()
}

// atProvider logs somebody in at the provider and returns where that sends the browser.
func (b *browser) atProvider(authURL, name string) string {
	b.t.Helper()
	root, err := url.Parse(authURL)
	if err != nil {
		b.t.Fatal(err)
	}
	form, err := root.Parse(b.get(authURL).to())
	if err != nil {
		b.t.Fatal(err)
	}
	b.get(form.String())
	done := b.do(http.MethodPost, root.Scheme+"://"+root.Host+"/login/username",
		url.Values{"username": {name}, "password": {password}, "id": {form.Query().Get("authRequestID")}}.Encode())
	next, err := root.Parse(done.to())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.get(next.String()).to()
}

// login logs somebody in and returns our server's last answer.
func (b *browser) login(base, name string) page {
	b.t.Helper()
	return b.get(b.atProvider(b.begin(base), name))
}

// who is who has logged in; nil: nobody.
func (b *browser) who(base string) *api.User {
	b.t.Helper()
	p := b.get(base + "/api/login")
	if p.status == http.StatusUnauthorized {
		return nil
	}
	var login api.Login
	if err := json.Unmarshal([]byte(p.body), &login); err != nil || p.status != http.StatusOK {
		b.t.Fatalf("%d %s", p.status, p.body)
	}
	return &login.User
}
