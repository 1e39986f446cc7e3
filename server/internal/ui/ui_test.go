package ui_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

func newBrowser(t *testing.T) (b *browser.Browser, host string) {
	t.Helper()
	b = browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host = b.Host("vm")
	e := servertest.Minute("vm-alice", 0)
	e.Timestamp = time.Now().UTC().Truncate(time.Minute)
	e.ActiveApp, e.ActiveSeconds = `<script>alert("x")</script>`, new(20.0)
	b.Send(host, e, servertest.Minute("vm-bob", 0))
	return b, host
}

// Without a script: the link is pasted, opens one account, shows it in plain words and
// closes it; it works once, and reading the page uses nothing up.
func TestPage(t *testing.T) {
	b, host := newBrowser(t)
	link := b.SelfLink(host, "vm-alice").URL
	page := b.Ask(http.MethodGet, "/self", nil)
	page.Has(t, http.StatusOK, "trackctl web", `<form id="open" method="post" action="self">`)
	if strings.Contains(page.Text, "vm-alice") || len(b.Cookies) > 0 {
		t.Error(page)
	}
	opened := b.Ask(http.MethodPost, "/self", url.Values{"link": {link}, "tz": {"Europe/Moscow"}})
	opened.Has(t, http.StatusSeeOther)
	if to := opened.Header.Get("Location"); to != "self?tz=Europe%2FMoscow" || len(b.Cookies) == 0 {
		t.Errorf("to %q with %q", to, b.Cookies)
	}
	page = b.Ask(http.MethodGet, "/self?tz=Europe/Moscow", nil)
	page.Has(t, http.StatusOK, "<strong>vm-alice</strong>", `<a href="me">`, `href="static/dashboard.css"`, "Europe/Moscow", `Active</th><td>20 s</td>`, `Without input</th><td>40 s</td>`, `script&gt;</th><td>20 s</td>`, "somebody who opened this account&#39;s link", "&lt;script&gt;")
	if strings.Contains(page.Text, "vm-bob") || strings.Contains(page.Text, "<script>") {
		t.Error(page.Text)
	}
	b.Ask(http.MethodGet, "/self?tz=nowhere", nil).Has(t, http.StatusOK, "vm-alice", "UTC")
	other := browser.New(b.Bench)
	other.Ask(http.MethodPost, "/self", url.Values{"link": {link}}).Has(t, http.StatusUnauthorized, "unknown, was used, or is over")
	b.Ask(http.MethodPost, "/self", url.Values{"end": {"yes"}}).Has(t, http.StatusSeeOther)
	if page = b.Ask(http.MethodGet, "/self", nil); strings.Contains(page.Text, "vm-alice") {
		t.Error(page.Text)
	}
}

// Nothing runs within the page, nothing comes from elsewhere, and it is never kept.
func TestHeaders(t *testing.T) {
	b, _ := newBrowser(t)
	page := b.Ask(http.MethodGet, "/self", nil, "Accept-Language", "ru-RU,en;q=0.5")
	page.Has(t, http.StatusOK, `<html lang="ru">`, "Открыть свою страницу")
	policy := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q lacks %s", policy, want)
		}
	}
	if page.Header.Get("Cache-Control") != "no-store" || page.Header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(page.Text, "style=") || strings.Contains(page.Text, "onclick") {
		t.Error(page)
	}
	for path, kind := range map[string]string{"/static/self.js": "text/javascript", "/static/page.css": "text/css"} {
		if file := b.Ask(http.MethodGet, path, nil); file.Status != http.StatusOK || !strings.HasPrefix(file.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %v", path, file)
		}
	}
	for _, path := range []string{"/static/", "/static/../ui.go", "/self/", "/selfish"} {
		if got := b.Ask(http.MethodGet, path, nil); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	b.Ask(http.MethodDelete, "/self", nil).Has(t, http.StatusMethodNotAllowed)
}

// Another site's form opens nothing; who is logged in is asked first.
func TestAnotherSiteAndUsers(t *testing.T) {
	b, host := newBrowser(t)
	link := b.SelfLink(host, "vm-alice").URL
	b.Ask(http.MethodPost, "/self", url.Values{"link": {link}}, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden, "Another site")
	b.Ask(http.MethodPost, "/self", url.Values{"link": {link}, "tie": {"yes"}}, "Origin", "https://evil.example").Has(t, http.StatusForbidden)
	b.User("anna", directory.RoleViewer)
	b.Bring(b.Login("anna")[1])
	login := maps.Clone(b.Cookies)
	b.Ask(http.MethodGet, "/self", nil).Has(t, http.StatusOK, "no account is known to be yours")
	link = b.SelfLink(host, "vm-alice").URL
	asked := b.Ask(http.MethodPost, "/self", url.Values{"link": {link}})
	asked.Has(t, http.StatusConflict, "You are logged in", `name="tie" value="yes"`, link)
	b.Ask(http.MethodPost, "/self", url.Values{"link": {link}, "tie": {"yes"}}).Has(t, http.StatusSeeOther)
	b.Ask(http.MethodGet, "/self", nil).Has(t, http.StatusOK, "<strong>vm-alice</strong>")
	b.Ask(http.MethodPost, "/self", url.Values{"end": {"yes"}}).Has(t, http.StatusSeeOther)
	if !maps.Equal(b.Cookies, login) {
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
	b.Ask(http.MethodPost, "/self", url.Values{"link": {b.SelfLink(host, "vm-alice").URL}})
	page := b.Ask(http.MethodGet, "/self", nil)
	page.Has(t, http.StatusOK, "Pictures of your screen", `<a href="api/me/screenshots/`+fresh+`">blurred</a>`, `name="delete" value="`+fresh+`"`)
	if strings.Contains(page.Text, foreign) || strings.Contains(page.Text, "<img") {
		t.Error(page.Text)
	}
	b.Ask(http.MethodGet, "/self", nil, "Accept-Language", "ru").Has(t, http.StatusOK, "Снимки вашего экрана", ">размытый</a>", ">Удалить</button>")
	b.Ask(http.MethodPost, "/self", url.Values{"delete": {fresh}}, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden)
	for _, id := range []string{foreign, "x", strings.Repeat("0", 32)} {
		b.Ask(http.MethodPost, "/self", url.Values{"delete": {id}}).Has(t, http.StatusSeeOther)
	}
	stranger := browser.New(b.Bench)
	stranger.Ask(http.MethodPost, "/self", url.Values{"delete": {fresh}}).Has(t, http.StatusSeeOther)
	admin := b.Token(directory.RoleAdmin)
	for _, id := range []string{fresh, foreign} {
		b.Do(http.MethodGet, "/api/screenshots/"+id, admin, nil).Wants(http.StatusOK, nil)
	}
	b.Ask(http.MethodPost, "/self", url.Values{"delete": {fresh}, "tz": {"Europe/Moscow"}}).Has(t, http.StatusSeeOther)
	b.Do(http.MethodGet, "/api/screenshots/"+fresh, admin, nil).Refused(http.StatusNotFound, api.CodeNotFound)
	page = b.Ask(http.MethodGet, "/self", nil)
	page.Has(t, http.StatusOK, "deleted 2", "by somebody who opened this account&#39;s link")
	if strings.Contains(page.Text, fresh) {
		t.Error(page.Text)
	}
	old := b.Shoot(host, "vm-alice", now.Add(-time.Minute))
	err := b.Store.DB.Write(t.Context(), "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE screenshot SET received_at = received_at - interval '61 minutes' WHERE id = $1::uuid", old)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if page = b.Ask(http.MethodGet, "/self", nil); !strings.Contains(page.Text, old) || strings.Contains(page.Text, "delete") && strings.Contains(page.Text, `value="`+old) {
		t.Error(page.Text)
	}
	b.Ask(http.MethodPost, "/self", url.Values{"delete": {old}}).Has(t, http.StatusForbidden, "more than an hour ago", "<strong>vm-alice</strong>")
}
