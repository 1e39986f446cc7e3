package day_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// open opens a browser on a server with people of whom the n-th worked n minutes, the later
// the more; the last did nothing that day.
func open(t *testing.T, people int) *browser.Browser {
	t.Helper()
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host := b.Host("vm")
	for i := range people {
		var list []api.Event
		for m := range i + 1 {
			e := servertest.Minute(fmt.Sprintf("vm-%03d", i), 0)
			e.Timestamp, e.ActiveSeconds, e.Username = servertest.At("2026-10-05T09:00:00Z").Add(time.Duration(i+m)*time.Minute), new(60.0), fmt.Sprintf("<b>%03d", (i*37)%people)
			list = append(list, e)
		}
		b.Send(host, list...)
	}
	b.Send(host, servertest.Minute("vm-absent", 0))
	b.Group("G", "vm-000", "vm-002", "vm-004")
	b.User("admin", directory.RoleAdmin)
	b.User("viewer", directory.RoleViewer, "G")
	return b
}

// names lists whose lanes are on a page.
func names(s browser.Shown) string {
	var list []string
	for _, m := range regexp.MustCompile(`<a href="people/[^"]+">([^<]+)</a>`).FindAllStringSubmatch(s.Text, -1) {
		list = append(list, strings.TrimPrefix(m[1], "&lt;b&gt;"))
	}
	return strings.Join(list, " ")
}

// Lanes are sorted by each column over all people, page by page; who has nothing comes last.
func TestSort(t *testing.T) {
	b := open(t, 60)
	b.As("admin")
	page := "/day?date=2026-10-05&sort="
	byName := b.Get(page + "name")
	byName.Has(t, http.StatusOK, `aria-sort="ascending"`, `href="day?date=2026-10-05&amp;sort=-name"`, `href="day?date=2026-10-05&amp;page=2&amp;sort=name"`)
	if got := names(byName); !strings.HasPrefix(got, "000 001 002 ") || strings.Count(got, " ") != 49 {
		t.Error(got)
	}
	if got := names(b.Get(page + "name&page=2")); !strings.HasPrefix(got, "050 ") || !strings.HasSuffix(got, "059 vm-absent") {
		t.Error(got)
	}
	if got := names(b.Get(page + "-active")); !strings.HasPrefix(got, fmt.Sprintf("%03d %03d", 59*37%60, 58*37%60)) {
		t.Error(got)
	}
	for _, by := range []string{"active", "start", "end", "noinput"} {
		for _, sign := range []string{"", "-"} {
			if got := names(b.Get(page + sign + by + "&page=2")); !strings.HasSuffix(got, "vm-absent") {
				t.Error(sign+by, got)
			}
		}
	}
	if got := names(b.Get(page + "start")); !strings.HasPrefix(got, "000 037 014") {
		t.Error(got)
	}
	for _, bad := range []string{"name&page=0", "name&page=9", "name&page=x"} {
		b.Get(page+bad).Has(t, http.StatusBadRequest)
	}
	b.Get(page+"%3Cb%3E").Has(t, http.StatusOK, "&lt;b&gt;000")
	b.As("viewer")
	if got := names(b.Get(page + "-start")); strings.Count(got, " ") != 2 || !strings.HasPrefix(got, fmt.Sprintf("%03d ", 4*37%60)) {
		t.Error(got)
	}
	// Whoever is on the page was looked at, and nobody else.
	looked := func(account string) bool {
		list := b.Do(http.MethodGet, "/api/machines/"+account+"/access", b.Token(directory.RoleAdmin), nil)
		return strings.Contains(string(list.Body), `"viewer"`)
	}
	if !looked("vm-004") || looked("vm-001") {
		t.Error("who looked is wrong")
	}
}

// Work hours by policy are a ground behind the lane, where they are known.
func TestGround(t *testing.T) {
	b := open(t, 5)
	b.As("admin")
	b.Get("/day?date=2199-10-06").Lacks(t, `class="ground"`)
	hours := map[string]any{"tz": "Europe/Moscow", "mon-sun": []string{"09:00-18:00"}}
	b.Do(http.MethodPut, "/api/policies", b.Token(directory.RoleAdmin), map[string]any{"policy": map[string]any{"work_hours": hours}}, "If-Match", "*").Wants(http.StatusCreated, nil)
	b.Get("/day?date=2199-10-06").Has(t, http.StatusOK, `class="ground" d="M360 0h540v24h-540z"`, "work hours by policy")
	b.Get("/day?date=2026-10-05").Lacks(t, `class="ground"`)
}

// A day on which clocks change is as long as it is: lanes, the hours over them and the times
// below are of one clock, which shows an hour twice or leaves it out.
func TestDaysOfOtherLengths(t *testing.T) {
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host := b.Host("vm")
	for _, at := range []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T05:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"} {
		e := servertest.Minute("vm-anna", 0)
		e.Timestamp, e.ActiveSeconds = servertest.At(at), new(60.0)
		b.Send(host, e)
	}
	b.User("admin", directory.RoleAdmin)
	b.As("admin")
	page := b.Get("/day?date=2026-10-25&tz=Europe/Berlin")
	page.Has(t, http.StatusOK, `viewBox="0 0 1500 24"`, "M150 2h1v20h-1zM210 2h1v20h-1zM450 2h1v20h-1z", ">02:30<", ">06:30<", "3 min",
		`<text x="16.000%" y="15">3</text>`, `href="day?date=2026-10-26`, `href="day?date=2026-10-24`)
	page = b.Get("/day?date=2026-03-29&tz=Europe/Berlin")
	page.Has(t, http.StatusOK, `viewBox="0 0 1380 24"`, "M90 2h1v20h-1zM150 2h1v20h-1z", ">01:30<", ">03:30<", `<text x="8.696%" y="15">3</text>`)
	// Where clocks change by half an hour the hours go on after it.
	b.Get("/day?date=2026-04-05&tz=Australia/Lord_Howe").Has(t, http.StatusOK, `viewBox="0 0 1470 24"`, ">21</text>")
}
