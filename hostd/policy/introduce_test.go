package policy

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
	rules "activity-tracker.example/server/api/policy"
)

// goldenHeaders are those that the server's tests read, too.
func goldenHeaders(t *testing.T) [3]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "server", "api", "testdata", "heartbeat.json"))
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]string
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	return [3]string{h["User-Agent"], h[api.ClockHeader], h[api.UnseenHeader]}
}

// The server learns the version, the clock when the connection was there, and what cannot be
// seen, if that is known; and nothing of it from an agent without a version.
func TestIntroduces(t *testing.T) {
	before := time.Date(2026, time.November, 30, 10, 0, 0, 0, time.FixedZone("", 3*3600))
	const connecting = 5 * time.Second
	for name, tc := range map[string]struct {
		version string
		unseen  []api.Unseen
		http2   bool
		want    [3]string
	}{
		"all is known":      {"1.2~rc1", []api.Unseen{api.UnseenFocus, api.UnseenLock}, false, goldenHeaders(t)},
		"all is seen":       {"1.2", []api.Unseen{}, true, [3]string{"trackerd/1.2", "2026-11-30T07:00:05.000Z", "none"}},
		"nobody is there":   {"1.2", nil, false, [3]string{"trackerd/1.2", "2026-11-30T07:00:05.000Z", ""}},
		"without a version": {"", []api.Unseen{api.UnseenFocus}, true, [3]string{"", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var got http.Header
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if got = r.Header; (r.ProtoMajor == 2) != tc.http2 {
					t.Errorf("came by %s", r.Proto)
				}
				_, _ = rw.Write([]byte(excluding(1, "root"))) // the client has gone
			}))
			srv.EnableHTTP2 = tc.http2
			srv.StartTLS()
			defer srv.Close()
			now := before
			transport := srv.Client().Transport.(*http.Transport)
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				now = before.Add(connecting)
				return dial(ctx, network, address)
			}
			p := New(Options{
				Rules: rules.Document{}, File: w.file, Client: srv.Client(), Changed: func() {},
				Target:  func() (outbound.Target, bool) { return outbound.Target{URL: srv.URL, Credential: "secret"}, true },
				Version: tc.version, Unseen: func() []api.Unseen { return tc.unseen },
				Now: func() time.Time { return now },
			})
			if err := p.fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if tc.version == "" {
				got.Del("User-Agent") // it is the library's
			}
			if has := [3]string{got.Get("User-Agent"), got.Get(api.ClockHeader), got.Get(api.UnseenHeader)}; has != tc.want {
				t.Errorf("got %q, want %q", has, tc.want)
			}
		})
	}
}
