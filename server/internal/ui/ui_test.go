package ui_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// browser keeps a cookie and follows no redirect by itself.
type browser struct {
	*servertest.Bench
	cookie string
}

type shown struct {
	status int
	header http.Header
	text   string
}

func (b *browser) ask(method, path string, form url.Values, headers ...string) shown {
	b.T.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(b.T.Context()), method, b.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.T.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
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
	if value, _, found := strings.Cut(res.Header.Get("Set-Cookie"), ";"); found {
		b.cookie = value
	}
	return shown{res.StatusCode, res.Header, string(text)}
}

func (s shown) has(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.status != status {
		t.Errorf("status %d, want %d: %s", s.status, status, s.text)
	}
	for _, text := range texts {
		if !strings.Contains(s.text, text) {
			t.Errorf("lacks %q: %s", text, s.text)
		}
	}
}

func newBrowser(t *testing.T) (b *browser, host string) {
	t.Helper()
	b = &browser{Bench: servertest.New(t, servertest.NewDatabase(t))}
	host = b.Host("vm")
	e := servertest.Minute("vm-alice", 0)
	e.Timestamp = time.Now().UTC().Truncate(time.Minute)
	e.ActiveApp = `<script>alert("x")</script>`
	b.Send(host, e, servertest.Minute("vm-bob", 0))
	return b, host
}

// Without a script: the link is pasted, opens one account, shows it in plain words and
// closes it; it works once, and reading the page uses nothing up.
func TestPage(t *testing.T) {
	b, host := newBrowser(t)
	link := b.SelfLink(host, "vm-alice").URL
	page := b.ask(http.MethodGet, "/self", nil)
	page.has(t, http.StatusOK, "trackctl web", `<form id="open" method="post" action="self">`)
	if strings.Contains(page.text, "vm-alice") || b.cookie != "" {
		t.Error(page)
	}
	opened := b.ask(http.MethodPost, "/self", url.Values{"link": {link}, "tz": {"Europe/Moscow"}})
	opened.has(t, http.StatusSeeOther)
	if to := opened.header.Get("Location"); to != "self?tz=Europe%2FMoscow" || b.cookie == "" {
		t.Errorf("to %q with %q", to, b.cookie)
	}
	page = b.ask(http.MethodGet, "/self?tz=Europe/Moscow", nil)
	page.has(t, http.StatusOK, "<strong>vm-alice</strong>", `<a href="me">`, `href="static/dashboard.css"`, "Europe/Moscow", "<td>0 min</td>", "somebody who opened this account&#39;s link", "&lt;script&gt;")
	if strings.Contains(page.text, "vm-bob") || strings.Contains(page.text, "<script>") {
		t.Error(page.text)
	}
	b.ask(http.MethodGet, "/self?tz=nowhere", nil).has(t, http.StatusOK, "vm-alice", "UTC")
	other := &browser{Bench: b.Bench}
	other.ask(http.MethodPost, "/self", url.Values{"link": {link}}).has(t, http.StatusUnauthorized, "unknown, was used, or is over")
	b.ask(http.MethodPost, "/self", url.Values{"end": {"yes"}}).has(t, http.StatusSeeOther)
	if page = b.ask(http.MethodGet, "/self", nil); strings.Contains(page.text, "vm-alice") {
		t.Error(page.text)
	}
}

// Nothing runs within the page, nothing comes from elsewhere, and it is never kept.
func TestHeaders(t *testing.T) {
	b, _ := newBrowser(t)
	page := b.ask(http.MethodGet, "/self", nil, "Accept-Language", "ru-RU,en;q=0.5")
	page.has(t, http.StatusOK, `<html lang="ru">`, "Открыть свою страницу")
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q lacks %s", policy, want)
		}
	}
	if page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(page.text, "style=") || strings.Contains(page.text, "onclick") {
		t.Error(page)
	}
	for path, kind := range map[string]string{"/static/self.js": "text/javascript", "/static/page.css": "text/css"} {
		if file := b.ask(http.MethodGet, path, nil); file.status != http.StatusOK || !strings.HasPrefix(file.header.Get("Content-Type"), kind) {
			t.Errorf("%s: %v", path, file)
		}
	}
	for _, path := range []string{"/static/", "/static/../ui.go", "/self/", "/selfish"} {
		if got := b.ask(http.MethodGet, path, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	b.ask(http.MethodDelete, "/self", nil).has(t, http.StatusMethodNotAllowed)
}

// Another site's form opens nothing; who is logged in is asked first.
func TestAnotherSiteAndUsers(t *testing.T) {
	b, host := newBrowser(t)
	link := b.SelfLink(host, "vm-alice").URL
	b.ask(http.MethodPost, "/self", url.Values{"link": {link}}, "Sec-Fetch-Site", "cross-site").has(t, http.StatusForbidden, "Another site")
	b.ask(http.MethodPost, "/self", url.Values{"link": {link}, "tie": {"yes"}}, "Origin", "https://evil.example").has(t, http.StatusForbidden)
	b.User("anna", directory.RoleViewer)
	b.cookie = b.Login("anna")[1]
	login := b.cookie
	b.ask(http.MethodGet, "/self", nil).has(t, http.StatusOK, "no account is known to be yours")
	link = b.SelfLink(host, "vm-alice").URL
	asked := b.ask(http.MethodPost, "/self", url.Values{"link": {link}})
	asked.has(t, http.StatusConflict, "You are logged in", `name="tie" value="yes"`, link)
	b.ask(http.MethodPost, "/self", url.Values{"link": {link}, "tie": {"yes"}}).has(t, http.StatusSeeOther)
	b.ask(http.MethodGet, "/self", nil).has(t, http.StatusOK, "<strong>vm-alice</strong>")
	b.ask(http.MethodPost, "/self", url.Values{"end": {"yes"}}).has(t, http.StatusSeeOther)
	if b.cookie != login {
		t.Error("the user's login was replaced")
	}
	var changes api.ChangeList
	b.Do(http.MethodGet, "/api/audit?limit=2", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &changes)
	if c := changes.Changes[1]; c.What != "user.tied" || c.ActorKind != "user" || *c.ActorName != "anna" || c.Details["machine_ids"] != "vm-alice" {
		t.Errorf("%+v", c)
	}
}

// The page lists pictures of one's own screen, in two languages, without showing them; a
// form deletes one for an hour, and what is left of it is seen.
func TestPictures(t *testing.T) {
	b, host := newBrowser(t)
	now := time.Now().Truncate(time.Second)
	fresh, foreign := b.Shoot(host, "vm-alice", now), b.Shoot(host, "vm-bob", now)
	b.ask(http.MethodPost, "/self", url.Values{"link": {b.SelfLink(host, "vm-alice").URL}})
	page := b.ask(http.MethodGet, "/self", nil)
	page.has(t, http.StatusOK, "Pictures of your screen", `<a href="api/me/screenshots/`+fresh+`">blurred</a>`, `name="delete" value="`+fresh+`"`)
	if strings.Contains(page.text, foreign) || strings.Contains(page.text, "<img") {
		t.Error(page.text)
	}
	b.ask(http.MethodGet, "/self", nil, "Accept-Language", "ru").has(t, http.StatusOK, "Снимки вашего экрана", ">размытый</a>", ">Удалить</button>")
	b.ask(http.MethodPost, "/self", url.Values{"delete": {fresh}}, "Sec-Fetch-Site", "cross-site").has(t, http.StatusForbidden)
	for _, id := range []string{foreign, "x", strings.Repeat("0", 32)} {
		b.ask(http.MethodPost, "/self", url.Values{"delete": {id}}).has(t, http.StatusSeeOther)
	}
	stranger := &browser{Bench: b.Bench}
	stranger.ask(http.MethodPost, "/self", url.Values{"delete": {fresh}}).has(t, http.StatusSeeOther)
	admin := b.Token(directory.RoleAdmin)
	for _, id := range []string{fresh, foreign} {
		b.Do(http.MethodGet, "/api/screenshots/"+id, admin, nil).Wants(http.StatusOK, nil)
	}
	b.ask(http.MethodPost, "/self", url.Values{"delete": {fresh}, "tz": {"Europe/Moscow"}}).has(t, http.StatusSeeOther)
	b.Do(http.MethodGet, "/api/screenshots/"+fresh, admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	page = b.ask(http.MethodGet, "/self", nil)
	page.has(t, http.StatusOK, "deleted 2", "by somebody who opened this account&#39;s link")
	if strings.Contains(page.text, fresh) {
		t.Error(page.text)
	}
	old := b.Shoot(host, "vm-alice", now.Add(-time.Minute))
	err := b.Store.DB.Write(t.Context(), "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE screenshot SET received_at = received_at - interval '61 minutes' WHERE id = $1::uuid", old)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if page = b.ask(http.MethodGet, "/self", nil); !strings.Contains(page.text, old) || strings.Contains(page.text, "delete") && strings.Contains(page.text, `value="`+old) {
		t.Error(page.text)
	}
	b.ask(http.MethodPost, "/self", url.Values{"delete": {old}}).has(t, http.StatusForbidden, "more than an hour ago", "<strong>vm-alice</strong>")
}
