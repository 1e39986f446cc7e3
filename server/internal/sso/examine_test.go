package sso

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What is examined is who the provider is and that it has keys; one that is another, has
// none, breaks off or answers nothing is distinguished, within the time that there is.
func TestExamine(t *testing.T) {
	var issuer string // empty: its own
	keys, status, hang := `{"keys":[{"kty":"RSA","use":"sig"},{"kty":"EC"},{"kty":"RSA","use":"enc"},{"kty":"oct"}]}`, http.StatusOK, make(chan struct{})
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/keys" && keys == "hang":
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case r.URL.Path == "/keys":
			w.WriteHeader(status)
			fmt.Fprint(w, keys)
		default:
			w.Header().Set("Content-Type", "application/json")
			named := s.URL
			if issuer != "" {
				named = issuer
			}
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[2]s/a","token_endpoint":"%[2]s/t","jwks_uri":"%[2]s/keys"}`, named, s.URL)
		}
	}))
	t.Cleanup(func() { close(hang); s.Close() })
	p, err := New(Options{Issuer: s.URL, ClientID: "x", BaseURL: "https://tracker.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	examine := func(want int, words string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		n, err := p.Examine(ctx)
		if n != want || (err == nil) != (words == "") || err != nil && (!errors.Is(err, ErrDown) || !strings.Contains(err.Error(), words)) {
			t.Errorf("%d %v, want %d and %q", n, err, want, words)
		}
	}
	examine(2, "")
	issuer = "https://another.example.org"
	examine(0, "did not match")
	issuer, status = "", http.StatusInternalServerError
	examine(0, "500")
	status, keys = http.StatusOK, `{"keys":[{"kty":"oct"}]}`
	examine(0, "")
	keys = `<html>`
	examine(0, "its keys")
	keys = `{"keys":[` + strings.Repeat(" ", maxReplyBytes)
	examine(0, "larger than")
	keys = "hang"
	examine(0, "takes too long")
}
