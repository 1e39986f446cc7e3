package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

// wantNoPage has a user of the host ask for their own page, and be told why there is none.
func (p *person) wantNoPage(t *testing.T, name, why string) {
	t.Helper()
	if out, err := p.host.trackctlAs(t, name, "web"); err == nil || out != "" || !strings.Contains(err.Error(), why) {
		t.Errorf("%s gets %q, %v, want %q", name, out, err, why)
	}
}

// wantOwnPage has somebody open their own page: a link works once, and shows that account
// and nothing else. Who is nobody who is measured has none.
func (p *person) wantOwnPage(t *testing.T) {
	t.Helper()
	p.wantNoPage(t, "root", "root has no page of its own")
	p.wantNoPage(t, "nobody", "a user of the system")
	var link struct{ URL string }
	p.trackctl(t, &link, "web")
	server := "http://" + p.host.srv.Addr
	if !strings.HasPrefix(link.URL, server+"/self#self_") {
		t.Fatalf("the link is %q", link.URL)
	}
	body, err := json.Marshal(api.SelfSessionRequest{Link: link.URL})
	if err != nil {
		t.Fatal(err)
	}
	open := func() *http.Response { return send(t, http.MethodPost, server+"/api/self-sessions", body, "") }
	first, second := open(), open()
	if first.StatusCode != http.StatusOK || second.StatusCode != http.StatusUnauthorized {
		t.Fatalf("opening it is answered %d, and again %d", first.StatusCode, second.StatusCode)
	}
	cookie, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
	var me api.Person
	if err := json.NewDecoder(send(t, http.MethodGet, server+"/api/me", nil, cookie).Body).Decode(&me); err != nil || len(me.Accounts) != 1 || me.Accounts[0].MachineID != p.machine {
		t.Errorf("one sees %+v, %v", me, err)
	}
	for _, path := range []string{"/api/machines", "/api/people/" + me.ID, "/api/live"} {
		if r := send(t, http.MethodGet, server+path, nil, cookie); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s is answered %d", path, r.StatusCode)
		}
	}
}

// send asks the server with a cookie, if any.
func send(t *testing.T, method, url string, body []byte, cookie string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", url, err))
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}
