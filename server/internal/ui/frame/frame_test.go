package frame_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

// browser keeps cookies and follows no redirect by itself.
type browser struct {
	*servertest.Bench
	host    string
	cookies map[string]string
}

type shown struct {
	status int
	header http.Header
	text   string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{Bench: servertest.New(t, servertest.NewDatabase(t)), cookies: map[string]string{}}
	host := b.Host("office")
	own, foreign := servertest.Minute("office-anna", 0), servertest.Minute("office-boris", 0)
	own.Timestamp = time.Now().UTC().Truncate(time.Minute)
	own.Username, foreign.Timestamp, foreign.Username = `<b onload=x>Anna</b>`, own.Timestamp, "boris"
	own.ActiveApp, foreign.ActiveApp = "Anna's app", "Boris's app"
	b.Send(host, own, foreign)
	b.host = host
	b.Group("Support", "office-anna")
	b.User("admin", directory.RoleAdmin)
	b.User("manager", directory.RoleManager, "Support")
	b.User("viewer", directory.RoleViewer, "Support")
	b.User("auditor", directory.RoleAuditor)
	return b
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
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
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
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return shown{res.StatusCode, res.Header, string(text)}
}

func (b *browser) login(name string) {
	b.T.Helper()
	clear(b.cookies)
	b.ask(http.MethodPost, "/login", url.Values{"login": {name}, "password": {servertest.Password}}).sends(b.T, "./")
}

func (s shown) has(tb testing.TB, status int, texts ...string) {
	tb.Helper()
	if s.status != status {
		tb.Errorf("status %d, want %d: %s", s.status, status, s.text)
	}
	for _, text := range texts {
		if !strings.Contains(s.text, text) {
			tb.Errorf("lacks %q: %s", text, s.text)
		}
	}
}

func (s shown) lacks(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if strings.Contains(s.text, text) {
			tb.Errorf("has %q: %s", text, s.text)
		}
	}
}

func (s shown) sends(tb testing.TB, to string) {
	tb.Helper()
	if got := s.header.Get("Location"); s.status != http.StatusSeeOther || got != to {
		tb.Errorf("status %d to %q, want to %q: %s", s.status, got, to, s.text)
	}
}

// Who has no login is sent to log in, and comes back to what they wanted.
func TestLogin(t *testing.T) {
	b := newBrowser(t)
	b.ask(http.MethodGet, "/day?date=2026-11-26", nil).sends(t, "./login?to=day%3Fdate%3D2026-11-26")
	page := b.ask(http.MethodGet, "/login?to=day%3Fdate%3D2026-11-26", nil)
	page.has(t, http.StatusOK, `name="to" value="day?date=2026-11-26"`, "Log in")
	form := url.Values{"login": {"admin"}, "password": {"wrong"}, "to": {"day?date=2026-11-26"}}
	b.ask(http.MethodPost, "/login", form).has(t, http.StatusUnauthorized, "The login name or the password is wrong.", `value="admin"`)
	form.Set("password", servertest.Password)
	b.ask(http.MethodPost, "/login", form).sends(t, "./day?date=2026-11-26")
	b.ask(http.MethodGet, "/day?date=2026-11-26", nil).has(t, http.StatusOK, "Thu 26 Nov 2026", "admin")
	b.ask(http.MethodGet, "/logout", nil).sends(t, "./login")
	b.ask(http.MethodGet, "/", nil).has(t, http.StatusOK)
	before := b.cookies
	b.ask(http.MethodPost, "/logout", nil).sends(t, "./login")
	b.ask(http.MethodPost, "/logout", nil).sends(t, "./login") // a second click
	b.cookies = before
	b.ask(http.MethodPost, "/logout", nil).sends(t, "./login")
	b.cookies = before
	b.ask(http.MethodGet, "/", nil).sends(t, "./login?to=")
}

// A page that another site has a browser send changes nothing, and no page sends a browser
// to another site.
func TestOtherSites(t *testing.T) {
	b := newBrowser(t)
	good := url.Values{"login": {"admin"}, "password": {servertest.Password}}
	for _, path := range []string{"/login", "/preferences", "/logout"} {
		r := b.ask(http.MethodPost, path, good, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		r.has(t, http.StatusForbidden)
		if len(b.cookies) != 0 {
			t.Errorf("%s: %v", path, b.cookies)
		}
	}
	for _, to := range []string{"https://evil.example", "//evil.example", "/day", `\\evil.example`, "javascript:alert(1)", "../x", "day\r\nX: y", "%2f%2fevil.example/..", "a:b"} {
		good.Set("to", to)
		b.ask(http.MethodPost, "/login", good).sends(t, "./")
		b.ask(http.MethodPost, "/preferences", url.Values{"to": {to}}).sends(t, "./")
	}
	if got := frame.Local("day?date=2026-11-26&group=A+B"); got == "" {
		t.Error("a page of ours is refused")
	}
}

// Nothing but a small form is read, whoever sends it, and no file is kept of it.
func TestUploads(t *testing.T) {
	b := newBrowser(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	large := "--x\r\nContent-Disposition: form-data; name=\"to\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 40<<20) + "\r\n--x--\r\n"
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, b.URL+"/login", strings.NewReader(large))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		if res, err := b.HTTP.Do(req); err == nil { // or the connection was cut before all of it was sent
			_ = res.Body.Close()
			if method != http.MethodGet && res.StatusCode < http.StatusBadRequest {
				t.Errorf("%s: %d", method, res.StatusCode)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatal(method, left, err)
		}
	}
	form := url.Values{"login": {"admin"}, "password": {strings.Repeat("x", 2*frame.MaxForm)}}
	b.ask(http.MethodPost, "/login", form).has(t, http.StatusRequestEntityTooLarge)
}

// Pages hold browsers to what is ours, and leave nothing behind that going back shows.
func TestHeaders(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	r := b.ask(http.MethodGet, "/", nil)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy := r.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("lacks %q: %s", want, policy)
		}
	}
	r.lacks(t, "<b onload", "style=", " onclick=")
	r.has(t, http.StatusOK, "&lt;b onload=x&gt;Anna&lt;/b&gt;")
	if r := b.ask(http.MethodHead, "/", nil); r.status != http.StatusOK || r.text != "" {
		t.Errorf("HEAD: %d, %q", r.status, r.text)
	}
	b.ask(http.MethodPost, "/day", nil).has(t, http.StatusMethodNotAllowed)
	for _, file := range []string{"dashboard.css", "dashboard.js", "icon.svg"} {
		b.ask(http.MethodGet, "/static/"+file, nil).has(t, http.StatusOK)
	}
}

// Language, colours and zone are kept in the browser; what none can be is not.
func TestPreferences(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	b.ask(http.MethodGet, "/", nil, "Accept-Language", "ru").has(t, http.StatusOK, `lang="ru"`, "Сейчас", "активен")
	b.ask(http.MethodPost, "/preferences", url.Values{"lang": {"ru"}, "theme": {"dark"}, "tz": {"Asia/Vladivostok"}, "to": {"day"}}).sends(t, "./day")
	b.ask(http.MethodGet, "/day", nil).has(t, http.StatusOK, `lang="ru" data-theme="dark"`, "Asia/Vladivostok")
	b.ask(http.MethodGet, "/day?tz=Europe/Berlin", nil).has(t, http.StatusOK, "Europe/Berlin")
	b.ask(http.MethodPost, "/preferences", url.Values{"lang": {"<xx>"}, "theme": {"loud"}, "tz": {"Mars/Olympus"}}).sends(t, "./")
	b.ask(http.MethodGet, "/day", nil).has(t, http.StatusOK, `<html lang="ru">`, "UTC")
}

// Whoever may open a page sees the people in their scope there, and it is written down.
func TestPagesByRole(t *testing.T) {
	b := newBrowser(t)
	// What shows that Anna, and that Boris, is in a page: sums have no names.
	shows := map[string][2]string{
		"/": {"Anna", "boris"}, "/day": {"Anna", "boris"}, "/people": {"Anna", "boris"}, "/hours": {"Anna", "boris"}, "/rhythm": {"Rhythm", "2 people"}, "/apps": {"Anna&#39;s app", "Boris&#39;s app"},
	}
	for _, role := range []directory.Role{directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor} {
		b.login(string(role))
		for _, p := range permission.Pages() {
			path := strings.TrimPrefix(p.Route, "GET ")
			if path == "/me" || path == "/about" || strings.HasSuffix(path, "{id}") {
				continue
			}
			r := b.ask(http.MethodGet, path, nil)
			allowed := false
			for _, may := range p.Roles {
				allowed = allowed || may == role
			}
			switch {
			case path == "/" && !allowed:
				r.sends(t, "./policy")
			case !allowed:
				r.has(t, http.StatusForbidden)
				r.lacks(t, "Anna", "boris")
			case role == directory.RoleAdmin:
				r.has(t, http.StatusOK, shows[path][0], shows[path][1])
			default:
				r.has(t, http.StatusOK, shows[path][0])
				if shows[path][1] == "" {
					continue // it is about nobody
				}
				r.lacks(t, shows[path][1])
				b.ask(http.MethodGet, path+"?group=Nobody", nil).has(t, http.StatusNotFound)
				b.ask(http.MethodGet, path+"?group=Support", nil).has(t, http.StatusOK, shows[path][0])
			}
		}
	}
	for _, reader := range []string{"admin", "manager", "viewer"} {
		list := b.Do(http.MethodGet, "/api/machines/office-anna/access", b.Token(directory.RoleAdmin), nil)
		if !strings.Contains(string(list.Body), `"`+reader+`"`) {
			t.Errorf("nobody wrote down that %s looked: %s", reader, list.Body)
		}
	}
}

// personOf finds somebody's page.
func (b *browser) personOf(account string) string {
	var list api.PersonList
	b.Do(http.MethodGet, "/api/people?machine_id="+account, b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	return "/people/" + list.People[0].ID
}

// A person's page is for who may see an account of theirs, and has those accounts alone; who
// looked is for administrators.
func TestPersonByRole(t *testing.T) {
	b := newBrowser(t)
	own, foreign := b.personOf("office-anna"), b.personOf("office-boris")
	b.login("admin")
	b.ask(http.MethodGet, own, nil).has(t, http.StatusOK, "office-anna", "Who looked", `href="../static/dashboard.css"`)
	b.ask(http.MethodGet, own, nil).has(t, http.StatusOK, "<td>admin (user)</td><td>who looked</td>")
	for _, role := range []string{"manager", "viewer"} {
		b.login(role)
		r := b.ask(http.MethodGet, own, nil)
		r.has(t, http.StatusOK, "office-anna")
		r.lacks(t, "Who looked", "other accounts")
		for _, unknown := range []string{foreign, "/people/p999", "/people/x", "/people/p1%2fx"} {
			b.ask(http.MethodGet, unknown, nil).lacks(t, "boris", "office")
			if r := b.ask(http.MethodGet, unknown, nil); r.status != http.StatusNotFound {
				t.Errorf("%s sees %s: %d", role, unknown, r.status)
			}
		}
	}
	b.Do(http.MethodPost, "/api"+own+"/accounts", b.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{"office-boris"}}).Wants(http.StatusOK, nil)
	b.login("viewer")
	r := b.ask(http.MethodGet, own, nil)
	r.has(t, http.StatusOK, "office-anna", "other accounts")
	r.lacks(t, "office-boris")
	b.login("auditor")
	b.ask(http.MethodGet, own, nil).has(t, http.StatusForbidden)
	clear(b.cookies)
	b.ask(http.MethodGet, own+"?date=2026-11-26", nil).sends(t, "./../login?to="+url.QueryEscape(own[1:]+"?date=2026-11-26"))
}

// Oneself sees the one account that a link has opened, and who looked.
func TestMe(t *testing.T) {
	b := newBrowser(t)
	b.login("viewer")
	b.ask(http.MethodGet, "/day", nil).has(t, http.StatusOK, "Anna")
	b.ask(http.MethodGet, "/me", nil).has(t, http.StatusOK, "trackctl web")
	clear(b.cookies)
	r := b.ask(http.MethodGet, "/me", nil, b.OpenSelf(b.host, "office-anna")...)
	r.has(t, http.StatusOK, "office-anna", "Your managers see the same.", "Who looked", "viewer (user)", "api/me/export")
	r.lacks(t, "boris", `href="./day"`)
}

func TestBadQuestions(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	for path, status := range map[string]int{
		"/day?date=yesterday": http.StatusBadRequest, "/day?cursor=x": http.StatusBadRequest, "/day?group=" + strings.Repeat("x", 5000): http.StatusNotFound,
		"/day?date=2026-11-26&tz=Nowhere": http.StatusOK, "/?q=" + strings.Repeat("%00", 100): http.StatusOK,
	} {
		b.ask(http.MethodGet, path, nil).has(t, status, `lang="en"`)
	}
}

// What everybody does is narrowed by state, and each count leads there.
func TestNowByState(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	r := b.ask(http.MethodGet, "/?state=active&q=office", nil)
	r.has(t, http.StatusOK, "Anna", `href="./?q=office&amp;state=active" aria-current="true"`, `href="./?q=office"`)
	r.lacks(t, "data-whole")
	b.ask(http.MethodGet, "/?state=offline", nil).lacks(t, "Anna")
	b.ask(http.MethodGet, "/?state=<b>", nil).has(t, http.StatusOK, "Anna", "data-whole", `role="status"`)
}

// A server that knows nobody shows so on each page, in both languages.
func TestEmptyDatabase(t *testing.T) {
	b := &browser{Bench: servertest.New(t, servertest.NewDatabase(t)), cookies: map[string]string{}}
	b.User("admin", directory.RoleAdmin)
	b.login("admin")
	for _, lang := range []string{"en", "ru"} {
		for _, page := range []string{"/", "/?state=active", "/day", "/day?sort=-active", "/hours", "/hours?span=month&date=2026-10-01", "/hours?span=year", "/rhythm", "/apps", "/apps?app=x", "/compare", "/me"} {
			b.ask(http.MethodGet, page, nil, "Accept-Language", lang).has(t, http.StatusOK, `<html lang="`+lang+`"`)
		}
	}
}
