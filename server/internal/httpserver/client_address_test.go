package httpserver

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestCaller(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "::1", "fd00::/8", "192.0.2.7"}
	tests := []struct {
		name    string
		header  ProxyHeader
		peer    string
		headers []string // name, value, …
		caller  string
		secure  bool
		id      string
	}{
		{"no proxy", XForwardedFor, "203.0.113.5:99", nil, "203.0.113.5:99", false, ""},
		{"nobody believes a stranger", XForwardedFor, "203.0.113.5:99", []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Request-Id", "a"}, "203.0.113.5:99", false, ""},
		{"one proxy", XForwardedFor, "10.1.2.3:99", []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Request-Id", "a-1_B."}, "1.2.3.4:0", true, "a-1_B."},
		{"what the caller wrote is left of it", XForwardedFor, "10.1.2.3:99", []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4"}, "1.2.3.4:0", false, ""},
		{"two proxies, two lines", XForwardedFor, "10.1.2.3:99", []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4", "X-Forwarded-For", "10.0.0.9"}, "1.2.3.4:0", false, ""},
		{"only proxies", XForwardedFor, "10.1.2.3:99", []string{"X-Forwarded-For", "10.0.0.8, 10.0.0.9"}, "10.0.0.8:0", false, ""},
		{"none named", XForwardedFor, "10.1.2.3:99", nil, "10.1.2.3:0", false, ""},
		{"nonsense", XForwardedFor, "10.1.2.3:99", []string{"X-Forwarded-For", "1.2.3.4, unknown, 10.0.0.9"}, "10.0.0.9:0", false, ""},
		{"IPv6", XForwardedFor, "[fd00::1]:99", []string{"X-Forwarded-For", "2001:db8::1"}, "[2001:db8::1]:0", false, ""},
		{"IPv6 with port", XForwardedFor, "[::1]:99", []string{"X-Forwarded-For", "[2001:db8::1]:443"}, "[2001:db8::1]:0", false, ""},
		{"IPv4 with port", XForwardedFor, "[::1]:99", []string{"X-Forwarded-For", "1.2.3.4:443"}, "1.2.3.4:0", false, ""},
		{"mapped", XForwardedFor, "[::ffff:10.0.0.1]:99", []string{"X-Forwarded-For", "::ffff:1.2.3.4"}, "1.2.3.4:0", false, ""},
		{"a single address", XForwardedFor, "192.0.2.7:1", []string{"X-Forwarded-For", "1.2.3.4"}, "1.2.3.4:0", false, ""},
		{"the neighbour of it", XForwardedFor, "192.0.2.8:1", []string{"X-Forwarded-For", "1.2.3.4"}, "192.0.2.8:1", false, ""},
		{"the other header", XForwardedFor, "10.1.2.3:99", []string{"Forwarded", "for=1.2.3.4;proto=https"}, "10.1.2.3:0", false, ""},
		{"Forwarded", Forwarded, "10.1.2.3:99", []string{"Forwarded", `for=9.9.9.9, For="[2001:db8::1]:4711";Proto=https;by=10.0.0.1`}, "[2001:db8::1]:0", true, ""},
		{"Forwarded beside the other", Forwarded, "10.1.2.3:99", []string{"Forwarded", "for=1.2.3.4", "X-Forwarded-For", "9.9.9.9", "X-Forwarded-Proto", "https"}, "1.2.3.4:0", false, ""},
		{"Forwarded without for", Forwarded, "10.1.2.3:99", []string{"Forwarded", "for=9.9.9.9, proto=http"}, "10.1.2.3:0", false, ""},
		{"hidden", Forwarded, "10.1.2.3:99", []string{"Forwarded", "for=_hidden"}, "10.1.2.3:0", false, ""},
		{"an id that is too long", XForwardedFor, "10.1.2.3:99", []string{"X-Request-Id", strings.Repeat("a", 65)}, "10.1.2.3:0", false, ""},
		{"an id that forges a line", XForwardedFor, "10.1.2.3:99", []string{"X-Request-Id", "a b=c"}, "10.1.2.3:0", false, ""},
	}
	for _, test := range tests {
		p, err := NewProxies(trusted, test.header)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.peer
		for i := 0; i+1 < len(test.headers); i += 2 {
			r.Header.Add(test.headers[i], test.headers[i+1])
		}
		called := false
		p.Resolve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = true
			f := forwardingOf(r.Context())
			if r.RemoteAddr != test.caller || f.secure != test.secure || f.requestID != test.id {
				t.Errorf("%s: %s %+v", test.name, r.RemoteAddr, f)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		if !called || r.RemoteAddr != test.peer {
			t.Errorf("%s: called %v, the request became %s", test.name, called, r.RemoteAddr)
		}
	}
}

func TestBadProxies(t *testing.T) {
	for _, bad := range []string{"", "10.0.0.0/33", "proxy.example", "10.0.0.1:80"} {
		if _, err := NewProxies([]string{bad}, XForwardedFor); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if p, err := NewProxies(nil, XForwardedFor); err != nil || p.Any() {
		t.Error(p, err)
	}
}

func FuzzCaller(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:80";proto=https`)
	f.Add(",,", ";;=,for")
	f.Fuzz(func(t *testing.T, xff, forwarded string) {
		peer := netip.MustParseAddr("10.0.0.1")
		for _, header := range []ProxyHeader{XForwardedFor, Forwarded} {
			p, _ := NewProxies([]string{"10.0.0.0/8"}, header)
			h := http.Header{"X-Forwarded-For": {xff}, "Forwarded": {forwarded}}
			if got := p.caller(h, peer); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Errorf("%v", got)
			}
			p.proto(h)
		}
	})
}
