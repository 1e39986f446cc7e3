package selflink

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

// answering asks a server that answers so.
func answering(t *testing.T, status int, body string) (api.SelfLink, error) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/prefix/api/self-links" || r.Header.Get("Authorization") != "Bearer host_1.secret" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer s.Close()
	return Ask(t.Context(), s.Client(), outbound.Target{URL: s.URL + "/prefix", Credential: "host_1.secret"}, "vm-alice")
}

func TestLink(t *testing.T) {
	const good = "https://a.example/self#self_0123456789abcdef.AAAA"
	l, err := answering(t, 201, `{"url": "`+good+`", "expires_at": "2026-01-01T00:00:00Z"}`)
	if err != nil || l.URL != good {
		t.Errorf("%+v %v", l, err)
	}
	for _, bad := range []string{``, `{}`, `{"url": "javascript:alert(1)#x"}`, `{"url": "https://a.example/self"}`, `{"url": "https:///self#x"}`, `{"url": "https://a.example/\u001b[2J#x"}`, `{"url": "https://a.example/\u202e#x"}`} {
		if l, err := answering(t, 201, bad); err == nil || l.URL != "" {
			t.Errorf("%s: %+v", bad, l)
		}
	}
}

// Each refusal says what to do, and steers no terminal.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{409, `{"code": "self_off"}`, "switched this off"},
		{409, `{"code": "no_base_url"}`, "--base-url"},
		{404, `{"code": "not_found", "detail": "no such resource"}`, "next upload"},
		{429, `{"code": "rate_limited"}`, "wait"},
		{401, `{"code": "unauthorized"}`, "enroll"},
		{404, `nginx`, "older"},
		{405, `{"code": "method_not_allowed"}`, "older"},
		{403, `{"code": "forbidden", "detail": "\u001b[2Jno"}`, "refuses it: "},
		{403, `x`, "refuses it"},
	} {
		_, err := answering(t, c.status, c.body)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	if _, err := answering(t, 503, `{"code": "unavailable"}`); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
	s := httptest.NewServer(nil)
	s.Close()
	if _, err := Ask(t.Context(), s.Client(), outbound.Target{URL: s.URL}, "a"); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
}
