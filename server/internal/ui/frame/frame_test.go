package frame_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

// visitor is a browser of an organisation with two people, and the credential of their host.
type visitor struct {
	*browser.Browser
	host string
}

func newBrowser(t *testing.T) *visitor {
	t.Helper()
	b := &visitor{Browser: browser.New(servertest.New(t, servertest.NewDatabase(t)))}
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

// Who has no login is sent to log in, and comes back to what they wanted.
func TestLogin(t *testing.T) {
	b := newBrowser(t)
	b.Ask(http.MethodGet, "/day?date=2026-11-26", nil).Sends(t, "./login?to=day%3Fdate%3D2026-11-26")
	page := b.Ask(http.MethodGet, "/login?to=day%3Fdate%3D2026-11-26", nil)
	page.Has(t, http.StatusOK, `name="to" value="day?date=2026-11-26"`, "Log in")
	form := url.Values{"login": {"admin"}, "password": {"wrong"}, "to": {"day?date=2026-11-26"}}
	b.Ask(http.MethodPost, "/login", form).Has(t, http.StatusUnauthorized, "The login name or the password is wrong.", `value="admin"`)
	form.Set("password", servertest.Password)
	b.Ask(http.MethodPost, "/login", form).Sends(t, "./day?date=2026-11-26")
	b.Ask(http.MethodGet, "/day?date=2026-11-26", nil).Has(t, http.StatusOK, "Thu 26 Nov 2026", "admin")
	b.Ask(http.MethodGet, "/logout", nil).Sends(t, "./login")
	b.Ask(http.MethodGet, "/", nil).Has(t, http.StatusOK)
	before := b.Cookies
	b.Ask(http.MethodPost, "/logout", nil).Sends(t, "./login")
	b.Ask(http.MethodPost, "/logout", nil).Sends(t, "./login") // a second click
	b.Cookies = before
	b.Ask(http.MethodPost, "/logout", nil).Sends(t, "./login")
	b.Cookies = before
	b.Ask(http.MethodGet, "/", nil).Sends(t, "./login?to=")
}

// A page that another site has a browser send changes nothing, and no page sends a browser
// to another site.
func TestOtherSites(t *testing.T) {
	b := newBrowser(t)
	good := url.Values{"login": {"admin"}, "password": {servertest.Password}}
	for _, path := range []string{"/login", "/preferences", "/logout"} {
		r := b.Ask(http.MethodPost, path, good, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		r.Has(t, http.StatusForbidden)
		if len(b.Cookies) != 0 {
			t.Errorf("%s: %v", path, b.Cookies)
		}
	}
	for _, to := range []string{"https://evil.example", "//evil.example", "/day", `\\evil.example`, "javascript:alert(1)", "../x", "day\r\nX: y", "%2f%2fevil.example/..", "a:b"} {
		good.Set("to", to)
		b.Ask(http.MethodPost, "/login", good).Sends(t, "./")
		b.Ask(http.MethodPost, "/preferences", url.Values{"to": {to}}).Sends(t, "./")
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
	b.Ask(http.MethodPost, "/login", form).Has(t, http.StatusRequestEntityTooLarge)
}

// Pages hold browsers to what is ours, and leave nothing behind that going back shows.
func TestHeaders(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	r := b.Ask(http.MethodGet, "/", nil)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("lacks %q: %s", want, policy)
		}
	}
	r.Lacks(t, "<b onload", "style=", " onclick=")
	r.Has(t, http.StatusOK, "&lt;b onload=x&gt;Anna&lt;/b&gt;")
	if r := b.Ask(http.MethodHead, "/", nil); r.Status != http.StatusOK || r.Text != "" {
		t.Errorf("HEAD: %d, %q", r.Status, r.Text)
	}
	b.Ask(http.MethodPost, "/day", nil).Has(t, http.StatusMethodNotAllowed)
	for _, file := range []string{"dashboard.css", "dashboard.js", "icon.svg"} {
		b.Ask(http.MethodGet, "/static/"+file, nil).Has(t, http.StatusOK)
	}
}

// Language, colours and zone are kept in the browser; what none can be is not.
func TestPreferences(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	b.Ask(http.MethodGet, "/", nil, "Accept-Language", "ru").Has(t, http.StatusOK, `lang="ru"`, "Сейчас", "активен")
	b.Ask(http.MethodPost, "/preferences", url.Values{"lang": {"ru"}, "theme": {"dark"}, "tz": {"Asia/Vladivostok"}, "to": {"day"}}).Sends(t, "./day")
	b.Ask(http.MethodGet, "/day", nil).Has(t, http.StatusOK, `lang="ru" data-theme="dark"`, "Asia/Vladivostok")
	b.Ask(http.MethodGet, "/day?tz=Europe/Berlin", nil).Has(t, http.StatusOK, "Europe/Berlin")
	b.Ask(http.MethodPost, "/preferences", url.Values{"lang": {"<xx>"}, "theme": {"loud"}, "tz": {"Mars/Olympus"}}).Sends(t, "./")
	b.Ask(http.MethodGet, "/day", nil).Has(t, http.StatusOK, `<html lang="ru">`, "UTC")
}

// Whoever may open a page sees the people in their scope there, and it is written down.
func TestPagesByRole(t *testing.T) {
	b := newBrowser(t)
	// What shows that Anna, and that Boris, is in a page: sums have no names.
	shows := map[string][2]string{
		"/": {"Anna", "boris"}, "/day": {"Anna", "boris"}, "/people": {"Anna", "boris"}, "/hours": {"Anna", "boris"}, "/rhythm": {"Rhythm", "2 people"}, "/apps": {"Anna&#39;s app", "Boris&#39;s app"},
	}
	for _, role := range []directory.Role{directory.RoleAdmin, directory.RoleManager, directory.RoleViewer, directory.RoleAuditor} {
		b.As(string(role))
		for _, p := range permission.Pages() {
			path := strings.TrimPrefix(p.Route, "GET ")
			if path == "/me" || path == "/about" || strings.HasSuffix(path, "{id}") {
				continue
			}
			r := b.Ask(http.MethodGet, path, nil)
			allowed := false
			for _, may := range p.Roles {
				allowed = allowed || may == role
			}
			switch {
			case path == "/" && !allowed:
				r.Sends(t, "./policy")
			case !allowed:
				r.Has(t, http.StatusForbidden)
				r.Lacks(t, "Anna", "boris")
			case role == directory.RoleAdmin:
				r.Has(t, http.StatusOK, shows[path][0], shows[path][1])
			default:
				r.Has(t, http.StatusOK, shows[path][0])
				if shows[path][1] == "" {
					continue // it is about nobody
				}
				r.Lacks(t, shows[path][1])
				b.Ask(http.MethodGet, path+"?group=Nobody", nil).Has(t, http.StatusNotFound)
				b.Ask(http.MethodGet, path+"?group=Support", nil).Has(t, http.StatusOK, shows[path][0])
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

// A person's page is for who may see an account of theirs, and has those accounts alone; who
// looked is for administrators.
func TestPersonByRole(t *testing.T) {
	b := newBrowser(t)
	own, foreign := "/people/"+b.idOf("office-anna"), "/people/"+b.idOf("office-boris")
	b.As("admin")
	b.Ask(http.MethodGet, own, nil).Has(t, http.StatusOK, "office-anna", "Who looked", `href="../static/dashboard.css"`)
	b.Ask(http.MethodGet, own, nil).Has(t, http.StatusOK, "<td>admin (user)</td><td>who looked</td>")
	for _, role := range []string{"manager", "viewer"} {
		b.As(role)
		r := b.Ask(http.MethodGet, own, nil)
		r.Has(t, http.StatusOK, "office-anna")
		r.Lacks(t, "Who looked", "other accounts")
		for _, unknown := range []string{foreign, "/people/p999", "/people/x", "/people/p1%2fx"} {
			b.Ask(http.MethodGet, unknown, nil).Lacks(t, "boris", "office")
			if r := b.Ask(http.MethodGet, unknown, nil); r.Status != http.StatusNotFound {
				t.Errorf("%s sees %s: %d", role, unknown, r.Status)
			}
		}
	}
	b.Do(http.MethodPost, "/api"+own+"/accounts", b.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{"office-boris"}}).Wants(http.StatusOK, nil)
	b.As("viewer")
	r := b.Ask(http.MethodGet, own, nil)
	r.Has(t, http.StatusOK, "office-anna", "other accounts")
	r.Lacks(t, "office-boris")
	b.As("auditor")
	b.Ask(http.MethodGet, own, nil).Has(t, http.StatusForbidden)
	clear(b.Cookies)
	b.Ask(http.MethodGet, own+"?date=2026-11-26", nil).Sends(t, "./../login?to="+url.QueryEscape(own[1:]+"?date=2026-11-26"))
}

// Oneself sees the one account that a link has opened, and who looked.
func TestMe(t *testing.T) {
	b := newBrowser(t)
	b.As("viewer")
	b.Ask(http.MethodGet, "/day", nil).Has(t, http.StatusOK, "Anna")
	b.Ask(http.MethodGet, "/me", nil).Has(t, http.StatusOK, "trackctl web")
	clear(b.Cookies)
	r := b.Ask(http.MethodGet, "/me", nil, b.OpenSelf(b.host, "office-anna")...)
	r.Has(t, http.StatusOK, "office-anna", "Your managers see the same.", "Who looked", "viewer (user)", "api/me/export")
	r.Lacks(t, "boris", `href="./day"`)
}

func TestBadQuestions(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	for path, status := range map[string]int{
		"/day?date=yesterday": http.StatusBadRequest, "/day?cursor=x": http.StatusBadRequest, "/day?group=" + strings.Repeat("x", 5000): http.StatusNotFound,
		"/day?date=2026-11-26&tz=Nowhere": http.StatusOK, "/?q=" + strings.Repeat("%00", 100): http.StatusOK,
	} {
		b.Ask(http.MethodGet, path, nil).Has(t, status, `lang="en"`)
	}
}

// What everybody does is narrowed by state, and each count leads there.
func TestNowByState(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	r := b.Ask(http.MethodGet, "/?state=active&q=office", nil)
	r.Has(t, http.StatusOK, "Anna", `href="./?q=office&amp;state=active" aria-current="true"`, `href="./?q=office"`)
	r.Lacks(t, "data-whole")
	b.Ask(http.MethodGet, "/?state=offline", nil).Lacks(t, "Anna")
	b.Ask(http.MethodGet, "/?state=<b>", nil).Has(t, http.StatusOK, "Anna", "data-whole", `role="status"`)
}

// Outside the work hours of policy nobody is offline: nothing of them is collected.
func TestNowOutsideHours(t *testing.T) {
	b := newBrowser(t)
	before := servertest.Minute("office-carl", 0)
	before.Timestamp = time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Minute)
	b.Send(b.host, before)
	b.As("admin")
	nothing := map[string]any{"policy": map[string]any{"work_hours": map[string]any{"tz": "UTC", "mon-sun": []string{}}}}
	b.Do(http.MethodPut, "/api/policies", b.Token(directory.RoleAdmin), nothing, "If-Match", "*").Wants(http.StatusCreated, nil)
	r := b.Get("/?state=not_collected")
	r.Has(t, http.StatusOK, "office-carl", `<span class="state not_collected">not collected</span></td>`, `data-state="not_collected"`)
	r.Lacks(t, "office-boris") // it reports all the same
	b.Get("/?state=offline").Lacks(t, "office-carl")
}

// A server that knows nobody shows so on each page, in both languages.
func TestEmptyDatabase(t *testing.T) {
	b := &visitor{Browser: browser.New(servertest.New(t, servertest.NewDatabase(t)))}
	b.User("admin", directory.RoleAdmin)
	b.As("admin")
	for _, lang := range []string{"en", "ru"} {
		for _, page := range []string{"/", "/?state=active", "/day", "/day?sort=-active", "/hours", "/hours?span=month&date=2026-10-01", "/hours?span=year", "/rhythm", "/apps", "/apps?app=x", "/compare", "/me"} {
			b.Ask(http.MethodGet, page, nil, "Accept-Language", lang).Has(t, http.StatusOK, `<html lang="`+lang+`"`)
		}
	}
}

// A year of which nothing is known has pages that say so.
func TestYearWithoutData(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	year := "from=2020-01-01&to=2020-12-31"
	for page, wants := range map[string][]string{
		"/hours?span=month&date=2020-02-10": {"February 2020", "Sat 29", "boris", "All: 2 people"}, "/hours?span=year&date=2020-02-10": {"<h1>2020</h1>", "boris"},
		"/hours?span=quarter&date=2020-02-10": {"boris"}, "/rhythm?" + year: {"Nothing was recorded in this time."}, "/apps?" + year: {"Nobody here in this time."},
		"/compare?group=Support&" + year: {"Support"}, "/day?date=2020-02-29": {"nothing recorded"}, "/people/" + b.idOf("office-anna") + "?date=2020-02-29": {"nothing recorded", "active 0 min in this month"},
		"/rhythm?person=" + b.idOf("office-anna") + "&" + year: {"Nothing was recorded in this time."},
	} {
		r := b.Get(page)
		r.Has(t, http.StatusOK, wants...)
		r.Lacks(t, "NaN", "Inf", "%!", "0001")
		b.Get(page, "Accept-Language", "ru").Has(t, http.StatusOK, `<html lang="ru"`)
	}
}
