package person_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// clockBack is a day of 25 hours in Berlin.
const clockBack = "2026-10-25"

func open(t *testing.T) (b *browser.Browser, host string) {
	t.Helper()
	b = browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host = b.Host("vm")
	b.User("admin", directory.RoleAdmin)
	return b, host
}

// record is a minute of somebody at work.
func record(account string, at time.Time, app, title string) api.Event {
	e := servertest.Minute(account, 0)
	seconds := 50.0
	e.Timestamp, e.Username, e.ActiveApp, e.ActiveWindow, e.ActiveSeconds = at, "alice", app, title, &seconds
	e.KeyCount, e.SyntheticCount, e.RepeatCount = 30, new(int64(4)), new(int64(7))
	return e
}

// Titles are shown of the span that is chosen, to whoever sees the person; that they were read
// is written down as of single records, and without a span none is read.
func TestTitles(t *testing.T) {
	b, host := open(t)
	at := servertest.At("2026-10-20T14:10:00Z")
	hostile := `<img src=x onerror=alert(1)>` + "\u202e" + strings.Repeat("z\u0301", 1300)
	for i := range 5 {
		if r := b.Send(host, record("vm-alice", at.Add(time.Duration(i)*time.Minute), `<b>Mail`, hostile)); r.Accepted != 1 {
			t.Fatalf("%+v", r)
		}
	}
	b.Send(host, record("vm-alice", at.Add(2*time.Hour), "Later", "another title"))
	b.Group("G", "vm-alice")
	b.User("viewer", directory.RoleViewer, "G")
	b.As("viewer")
	page := b.Get("/people/p1?date=2026-10-20")
	page.Has(t, http.StatusOK, "from programs", `href="?date=2026-10-20&amp;from=14%3A00&amp;to=15%3A00#titles"`, "&lt;b&gt;Mail", `class="none"`)
	page.Lacks(t, "onerror", "another title", "<b>Mail")
	looks := func() string {
		return string(b.Do(http.MethodGet, "/api/people/p1/access", b.Token(directory.RoleAdmin), nil).Body)
	}
	if strings.Contains(looks(), `"events"`) {
		t.Error("no title was shown, and it is written down: ", looks())
	}
	page = b.Get("/people/p1?date=2026-10-20&from=14:00&to=15:00")
	page.Has(t, http.StatusOK, "Titles, 14:00–15:00", "14:10–14:15", "&lt;img src=x onerror=alert(1)&gt;", "…")
	page.Lacks(t, "<img", "another title", strings.Repeat("z\u0301", 200))
	if !strings.Contains(looks(), `"events"`) {
		t.Error("nobody wrote down who read titles: ", looks())
	}
	for _, query := range []string{"from=15:00&to=14:00", "from=14:00", "to=14:00", "from=x&to=y", "from=2026-10-21T10:00:00Z&to=2026-10-21T11:00:00Z", "from=14:00&to=14:00"} {
		b.Get("/people/p1?date=2026-10-20&"+query).Has(t, http.StatusBadRequest, `role="alert"`)
	}
	b.Get("/people/p1?date=2026-10-20&from=16:00&to=24:00").Has(t, http.StatusOK, "another title")
	b.Get("/people/p1?date=2025-10-20&from=00:00&to=24:00").Has(t, http.StatusOK, "No records in this span.")
	b.Get("/people/p1?date=2026-10-20&from=14:00&to=15:00", "Accept-Language", "ru").Has(t, http.StatusOK, "Заголовки, 14:00–15:00")
}

// An application that somebody was in for less than half a minute has its seconds.
func TestShortOfApplication(t *testing.T) {
	b, host := open(t)
	at := servertest.At("2026-10-20T14:10:00Z")
	short := record("vm-alice", at.Add(time.Minute), "Ledger", "Budget")
	short.IntervalSec, short.ActiveSeconds = new(int64(5)), new(4.0)
	short.Focus = []api.Focus{{App: "Ledger", Title: "Budget", Seconds: 5, ActiveSeconds: new(4.0)}}
	b.Send(host, record("vm-alice", at, "Mail", "Inbox"), short)
	b.As("admin")
	b.Get("/people/p1?date=2026-10-20").Has(t, http.StatusOK,
		`<tr><th scope="row">Ledger</th><td class="share"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="8" height="8"/></svg></td><td class="num">4 s</td></tr>`)
}

// On a day of 25 hours there are two hours alike, and each has titles of its own.
func TestDayOf25Hours(t *testing.T) {
	b, host := open(t)
	b.Send(host, record("vm-alice", servertest.At("2026-10-25T00:10:00Z"), "First", "summer"), record("vm-alice", servertest.At("2026-10-25T01:10:00Z"), "Second", "winter"))
	b.As("admin")
	page := b.Get("/people/p1?tz=Europe/Berlin&date=" + clockBack)
	page.Has(t, http.StatusOK, `viewBox="0 0 1500 24"`)
	hours := regexp.MustCompile(`<a href="([^"]+)#titles" title="02:00–0[23]:00">2</a>`).FindAllStringSubmatch(page.Text, -1)
	if len(hours) != 2 {
		t.Fatalf("%v: %s", hours, page.Text)
	}
	for i, want := range []string{"summer", "winter"} {
		page := b.Get("/people/p1" + strings.ReplaceAll(hours[i][1], "&amp;", "&") + "&tz=Europe/Berlin")
		page.Has(t, http.StatusOK, want)
		page.Lacks(t, []string{"winter", "summer"}[i])
	}
	// A date that a zone left out is an empty day.
	for _, name := range []string{"/people/p1", "/day", "/hours"} {
		b.Get(name+"?tz=Pacific/Apia&date=2011-12-30").Has(t, http.StatusOK)
	}
}

// A person with sixty accounts is one page, of which the size is bounded; a year without data
// is an empty one.
func TestSixtyAccounts(t *testing.T) {
	b, host := open(t)
	at := servertest.At("2026-10-20T08:00:00Z")
	for account := range 60 {
		var list []api.Event
		for m := range 120 {
			list = append(list, record(fmt.Sprintf("vm-%02d", account), at.Add(time.Duration(m)*time.Minute), fmt.Sprint("app ", m%17), fmt.Sprint("title ", account, m)))
		}
		b.Send(host, list...)
	}
	var join api.PersonJoin
	for account := range 59 {
		join.MachineIDs = append(join.MachineIDs, fmt.Sprintf("vm-%02d", account+1))
	}
	b.Do(http.MethodPost, "/api/people/p1/accounts", b.Token(directory.RoleAdmin), join).Wants(http.StatusOK, nil)
	b.As("admin")
	page := b.Get("/people/p1?date=2026-10-20&from=08:00&to=09:00")
	page.Has(t, http.StatusOK, "vm-59", "There are more. Choose a shorter span.", "1 h 40 min")
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = z.Write([]byte(page.Text))
	_ = z.Close()
	if small.Len() > 60_000 {
		t.Errorf("%d bytes", small.Len())
	}
	b.Get("/people/p1?date=2020-02-29").Has(t, http.StatusOK, "nothing recorded", "active 0 min in this month")
	b.Get("/people/p999").Has(t, http.StatusNotFound)
}

// Oneself writes a note and deletes it; a manager answers it, and then it stays.
func TestNotes(t *testing.T) {
	b, host := open(t)
	b.Send(host, record("vm-alice", time.Now().UTC().Truncate(time.Minute), "App", ""))
	b.Group("G", "vm-alice")
	b.User("manager", directory.RoleManager, "G")
	b.User("viewer", directory.RoleViewer, "G")
	today := time.Now().UTC().Format(time.DateOnly)
	own := b.OpenSelf(host, "vm-alice")
	note := url.Values{"do": {"note"}, "from": {"09:00"}, "to": {"10:30"}, "text": {"<b>=meeting"}}
	b.Post("/me?date="+today, note, append(own, "Sec-Fetch-Site", "cross-site")...).Has(t, http.StatusForbidden)
	b.Post("/me?date="+today, url.Values{"do": {"note"}, "from": {"09:00"}, "to": {"08:00"}, "text": {"kept words"}}, own...).Has(t, http.StatusBadRequest, `value="kept words"`, `value="09:00"`)
	b.Post("/me?date="+today, note, own...).Sends(t, "./me?date="+today+"&done=noted")
	page := b.Get("/me?date="+today, own...)
	page.Has(t, http.StatusOK, "09:00–10:30", "&lt;b&gt;=meeting", `value="delete"`)
	id := regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`).FindStringSubmatch(page.Text)[1]
	answer := url.Values{"do": {"answer"}, "id": {id}, "text": {"<i>fine"}}
	b.As("viewer")
	page = b.Get("/people/p1?date=" + today)
	page.Has(t, http.StatusOK, "=meeting")
	page.Lacks(t, `value="answer"`)
	b.Post("/people/p1?date="+today, answer).Has(t, http.StatusForbidden)
	b.As("manager")
	b.Get("/people/p1?date="+today).Has(t, http.StatusOK, `value="answer"`)
	b.Post("/people/p1?date="+today, answer).Sends(t, "./../people/p1?date="+today+"&done=answered")
	b.Get("/me?date="+today, own...).Has(t, http.StatusOK, "Answer (<bdi>manager</bdi>): <bdi>&lt;i&gt;fine</bdi>", "manager (user)")
	b.Post("/me?date="+today, url.Values{"do": {"delete"}, "id": {id}}, own...).Has(t, http.StatusConflict, "it stays as it is")
	b.Post("/people/p1?date="+today, url.Values{"do": {"unanswer"}, "id": {id}}).Sends(t, "./../people/p1?date="+today+"&done=removed")
	b.Post("/me?date="+today, url.Values{"do": {"delete"}, "id": {id}}, own...).Sends(t, "./me?date="+today+"&done=removed")
	b.Get("/me?date="+today, own...).Lacks(t, "=meeting")
}

// Pictures are listed where that is asked for; one's own are deleted on the page.
func TestPictures(t *testing.T) {
	b, host := open(t)
	now := time.Now().Truncate(time.Second)
	today := now.UTC().Format(time.DateOnly)
	b.Send(host, record("vm-alice", now.UTC(), "App", ""), record("vm-bob", now.UTC(), "App", ""))
	fresh, foreign := b.Shoot(host, "vm-alice", now), b.Shoot(host, "vm-bob", now)
	own := b.OpenSelf(host, "vm-alice")
	b.Get("/me?date="+today, own...).Lacks(t, fresh)
	page := b.Get("/me?pictures=yes&date="+today, own...)
	page.Has(t, http.StatusOK, `<a href="api/me/screenshots/`+fresh+`">blurred</a>`, `name="id" value="`+fresh+`"`)
	page.Lacks(t, foreign, "<img")
	b.Post("/me?date="+today, url.Values{"do": {"picture"}, "id": {foreign}}, own...).Has(t, http.StatusNotFound)
	b.Post("/me?date="+today, url.Values{"do": {"picture"}, "id": {fresh}}, own...).Sends(t, "./me?date="+today+"&done=removed&pictures=yes")
	b.Get("/me?pictures=yes&date="+today, own...).Has(t, http.StatusOK, "deleted ")
	b.As("admin")
	b.Get("/people/p2?pictures=yes&date="+today).Has(t, http.StatusOK, `<a href="../api/screenshots/`+foreign+`">blurred</a>`)
	b.Post("/people/p2?date="+today, url.Values{"do": {"picture"}, "id": {foreign}}).Sends(t, "./../people/p2?date="+today+"&done=removed&pictures=yes")
}

// One's own page has what is collected now, by which rule, and which notices were read.
func TestRules(t *testing.T) {
	b, host := open(t)
	b.Send(host, record("vm-alice", time.Now().UTC().Truncate(time.Minute), "App", ""))
	own := b.OpenSelf(host, "vm-alice")
	b.Get("/me", own...).Has(t, http.StatusOK, "What is collected now", "at any time", "None is known to have been read.")
	policy := map[string]any{"policy": map[string]any{
		"work_hours": map[string]any{"tz": "Europe/Moscow", "mon-fri": []string{"09:00-18:00"}}, "titles": false, "retention": map[string]any{"events_days": 21},
		"screenshots": map[string]any{"allow": false}, "notice": map[string]any{"ru": "Мы измеряем.", "en": "<b>We measure."},
	}}
	b.Do(http.MethodPut, "/api/policies", b.Token(directory.RoleAdmin), policy, "If-Match", "*").Wants(http.StatusCreated, nil)
	b.Do(http.MethodPost, "/api/receipts", host, map[string]any{"machine_id": "vm-alice", "notice": strings.Repeat("ab", 32), "read_at": time.Now().UTC()}).Wants(http.StatusNoContent, nil)
	b.Get("/me", own...).Has(t, http.StatusOK, "Mon–Fri 09:00-18:00 (Europe/Moscow)", "policy 1", "21 days", "&lt;b&gt;We measure.", "<code>abababab</code>")
	b.Get("/me", append(own, "Accept-Language", "ru")...).Has(t, http.StatusOK, "пн–пт 09:00-18:00", "политика 1", "21 день", "Мы измеряем.")
}
