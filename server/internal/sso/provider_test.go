package sso

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"activity-tracker.example/server/internal/secret"
)

// Secrets go over TLS, or within this machine.
func TestSafe(t *testing.T) {
	for address, want := range map[string]bool{
		"https://id.example.org": true, "https://id.example.org/realms/x": true, "http://localhost:8080": true, "http://127.0.0.1:1/x": true, "http://[::1]:1": true,
		"http://id.example.org": false, "http://127.0.0.1.example.org": false, "http://localhost.example.org": false, "http://10.0.0.1": false, "//id.example.org": false,
		"id.example.org": false, "": false, "javascript:alert(1)": false, "file:///etc/passwd": false, "https://": false, "https://user:secret@id.example.org": false, "https://id.example.org#x": false,
	} {
		if got := safe(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, o := range []Options{
		{},
		{Issuer: "http://id.example.org", ClientID: "x", BaseURL: "https://x.example"},
		{Issuer: "https://id.example.org", BaseURL: "https://x.example"},
		{Issuer: "https://id.example.org", ClientID: "x", BaseURL: "http://x.example"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// The secret is sent as the provider wants it, and never in a way that is tried out.
func TestStyle(t *testing.T) {
	for _, test := range []struct {
		methods, secret string
		want            oauth2.AuthStyle
	}{
		{"", "s", oauth2.AuthStyleInHeader},
		{"client_secret_post,client_secret_basic", "s", oauth2.AuthStyleInHeader},
		{"client_secret_post", "s", oauth2.AuthStyleInParams},
		{"none", "", oauth2.AuthStyleInParams},
		{"client_secret_basic", "", oauth2.AuthStyleInParams},
	} {
		if got := style(strings.FieldsFunc(test.methods, func(r rune) bool { return r == ',' }), test.secret); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// An attempt's secrets follow from what the browser keeps, and from each other nothing.
func TestAttempt(t *testing.T) {
	c := secret.New(secret.KindAttempt)
	a, other := AttemptOf(c), AttemptOf(secret.New(secret.KindAttempt))
	if a != AttemptOf(c) || !a.Came(a.State) || a.Came(other.State) || a.Came("") || a.Came(a.State+"x") {
		t.Errorf("%+v", a)
	}
	all := []string{a.State, a.nonce, a.verifier, other.State, other.nonce, other.verifier}
	slices.Sort(all)
	if len(slices.Compact(all)) != 6 {
		t.Errorf("%v", all)
	}
	for _, s := range all {
		if len(s) != 43 || strings.Contains(c.Reveal(), s) {
			t.Errorf("%q", s)
		}
	}
}

// Groups come as a list, as one text or as an object's names; anything else is none.
func TestGroupsClaim(t *testing.T) {
	many := `["x"` + strings.Repeat(`,"x"`, maxGroups) + `]`
	for text, want := range map[string][]string{
		`["a","b"]`: {"a", "b"}, `"a"`: {"a"}, `{"a":{"1":"x"},"b":{}}`: {"a", "b"}, `[]`: nil, `null`: nil, `7`: nil, `["a",7]`: nil, `[["a"]]`: nil, many: nil, ``: nil,
	} {
		c := claims{}
		if text != "" {
			c["groups"] = []byte(text)
		}
		got := c.list("groups")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%.40s: %v", text, got)
		}
	}
}

// What others worded is one short line in the log.
func TestBrief(t *testing.T) {
	got := brief(errors.New("a\r\nlevel=ERROR msg=\"forged\"\x1b[31m\xff" + strings.Repeat("ö", 300)))
	if len(got) > maxReason+5 || strings.ContainsAny(got, "\r\n\x1b") || !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
	if !errors.Is(exchangeError(fmt.Errorf("x: %w", &url.Error{Op: "Post", URL: "https://x", Err: errors.New("refused")})), ErrDown) {
		t.Error("a provider that can't be reached is not down")
	}
}

// What is kept for logging out opens with the login's own secret alone.
func TestSeal(t *testing.T) {
	login, other := secret.New(secret.KindLogin), secret.New(secret.KindLogin)
	sealed := Seal(login, "token")
	open := func(c secret.Credential, b []byte) string {
		aead, err := sealing(c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := aead.Open(nil, nil, b, nil)
		if err != nil {
			return ""
		}
		return string(text)
	}
	if open(login, sealed) != "token" || open(other, sealed) != "" || open(login, nil) != "" || strings.Contains(string(sealed), "token") {
		t.Error("it opens wrongly")
	}
	if Seal(login, strings.Repeat("x", maxTokenBytes+1)) != nil {
		t.Error("a token that no URL could hold is kept")
	}
}
