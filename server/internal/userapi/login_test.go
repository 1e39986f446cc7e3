package userapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/httpserver"
)

// A password is taken over TLS, to us or to a proxy that is trusted, and from this
// machine; else it is refused, whatever the caller claims of TLS.
func TestPrivate(t *testing.T) {
	proxies, err := httpserver.NewProxies([]string{"192.0.2.1"}, httpserver.XForwardedFor)
	if err != nil {
		t.Fatal(err)
	}
	h := proxies.Resolve(Private(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for _, test := range []struct {
		target, from, forwarded, proto string
		taken                          bool
	}{
		{"https://x/", "198.51.100.7:1", "", "", true},
		{"http://x/", "198.51.100.7:1", "", "", false},
		{"http://x/", "198.51.100.7:1", "127.0.0.1", "https", false},
		{"http://x/", "192.0.2.1:1", "198.51.100.7", "https", true},
		{"http://x/", "192.0.2.1:1", "198.51.100.7", "http", false},
		{"http://x/", "192.0.2.1:1", "198.51.100.7", "", false},
		{"http://x/", "127.0.0.1:1", "", "", true},
		{"http://x/", "[::1]:1", "", "", true},
		{"http://x/", "[::ffff:198.51.100.7]:1", "", "", false},
		{"http://x/", "@", "", "", true},
	} {
		r := httptest.NewRequest(http.MethodPost, test.target, nil)
		r.RemoteAddr = test.from
		r.Header.Set("X-Forwarded-For", test.forwarded)
		r.Header.Set("X-Forwarded-Proto", test.proto)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if taken := w.Code == http.StatusOK; taken != test.taken || !taken && (w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"no_tls"`)) {
			t.Errorf("%+v: %d %s", test, w.Code, w.Body)
		}
	}
}
