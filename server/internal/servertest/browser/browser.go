// Package browser is a browser for tests: it keeps cookies, sends forms, runs no script and
// follows no redirect.
package browser

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/servertest"
)

// Browser asks one server.
type Browser struct {
	*servertest.Bench
	// Cookies are those that it keeps, by name.
	Cookies map[string]string
}

// Shown is what came back.
type Shown struct {
	Status int
	Header http.Header
	Text   string
}

// New opens a browser.
func New(b *servertest.Bench) *Browser { return &Browser{b, map[string]string{}} }

// Get opens a page.
func (b *Browser) Get(path string, headers ...string) Shown {
	b.T.Helper()
	return b.Ask(http.MethodGet, path, nil, headers...)
}

// Post sends a form.
func (b *Browser) Post(path string, form url.Values, headers ...string) Shown {
	b.T.Helper()
	return b.Ask(http.MethodPost, path, form, headers...)
}

// Ask asks for something, with headers as names and values.
func (b *Browser) Ask(method, path string, form url.Values, headers ...string) Shown {
	b.T.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(b.T.Context()), method, b.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.T.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.Cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // it is sent, not set
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := *b.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		b.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if b.Cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.Cookies, c.Name)
		}
	}
	return Shown{res.StatusCode, res.Header, string(text)}
}

// As logs in on the page, as one of Bench.User.
func (b *Browser) As(login string) {
	b.T.Helper()
	clear(b.Cookies)
	b.Post("/login", url.Values{"login": {login}, "password": {servertest.Password}}).Sends(b.T, "./")
}

// Bring has the browser keep a cookie and no other: name=value, as headers of Bench.Login and
// Bench.OpenSelf have it.
func (b *Browser) Bring(cookie string) {
	name, value, _ := strings.Cut(cookie, "=")
	clear(b.Cookies)
	b.Cookies[name] = value
}

// maxText is how much of a page a failed test prints.
const maxText = 3000

// part is the part of a page that is worth reading.
func (s Shown) part() string {
	text := s.Text
	if _, main, found := strings.Cut(text, "<main"); found {
		text = main
	}
	return text[:min(maxText, len(text))]
}

// Has wants a status, and texts in what is shown.
func (s Shown) Has(tb testing.TB, status int, texts ...string) {
	tb.Helper()
	if s.Status != status {
		tb.Errorf("status %d, want %d: %s", s.Status, status, s.part())
	}
	for _, text := range texts {
		if !strings.Contains(s.Text, text) {
			tb.Errorf("lacks %q: %s", text, s.part())
		}
	}
}

// Lacks wants none of the texts.
func (s Shown) Lacks(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if strings.Contains(s.Text, text) {
			tb.Errorf("has %q: %s", text, s.part())
		}
	}
}

// Sends wants the browser sent to another page.
func (s Shown) Sends(tb testing.TB, to string) {
	tb.Helper()
	if got := s.Header.Get("Location"); s.Status != http.StatusSeeOther || got != to {
		tb.Errorf("status %d to %q, want to %q: %s", s.Status, got, to, s.part())
	}
}
