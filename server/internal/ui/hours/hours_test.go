package hours_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// open opens a browser on a server where Anna and Boris worked ten minutes on a Monday.
func open(t *testing.T) (b *browser.Browser, host string) {
	t.Helper()
	b = browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host = b.Host("vm")
	b.Send(host, minutes("vm-anna", "2026-10-05T07:00:00Z", 10)...)
	b.Send(host, minutes("vm-boris", "2026-10-05T08:00:00Z", 10)...)
	b.Group("<i>Support", "vm-anna")
	b.User("admin", directory.RoleAdmin)
	b.User("manager", directory.RoleManager, "<i>Support")
	b.User("viewer", directory.RoleViewer, "<i>Support")
	return b, host
}

func minutes(account, from string, n int) (list []api.Event) {
	for i := range n {
		e := servertest.Minute(account, 0)
		e.Timestamp, e.Username, e.ActiveSeconds = servertest.At(from).Add(time.Duration(i)*time.Minute), account, new(60.0)
		list = append(list, e)
	}
	return list
}

// Columns are days, weeks or months, and each leads to what it is made of.
func TestSpans(t *testing.T) {
	b, _ := open(t)
	b.As("admin")
	for query, wants := range map[string][]string{
		"span=week":    {"Mon 5", "0:10", "07:00–07:09", "vm-boris", `href="day?date=2026-10-05&amp;group="`, "by=day&amp;format=csv&amp;from=2026-10-05"},
		"span=month":   {"October 2026", "Sat 31", "0:20"},
		"span=quarter": {"W 41", `href="hours?date=2026-10-05&amp;span=week"`, "by=week"},
		"span=year":    {"<h1>2026</h1>", "Oct", `href="hours?date=2026-10-01&amp;span=month"`, "by=month"},
		"span=x":       {"Mon 5"},
	} {
		page := b.Get("/hours?date=2026-10-05&" + query)
		page.Has(t, http.StatusOK, wants...)
		page.Lacks(t, "planned")
	}
	b.Get("/hours?date=2020-02-29&span=year").Has(t, http.StatusOK, "<h1>2020</h1>", "vm-anna")
	b.Get("/hours?date=2026-10-05&span=year", "Accept-Language", "ru").Has(t, http.StatusOK, "окт", "месяцы года")
	b.As("viewer")
	b.Get("/hours?date=2026-10-05&span=year").Lacks(t, "boris")
}

// What was planned is by the policy of then; of a person of whom it is not known there is none.
func TestPlanned(t *testing.T) {
	b, _ := open(t)
	other := b.Host("night")
	b.Send(other, minutes("night-carla", "2026-10-05T08:00:00Z", 10)...)
	admin := b.Token(directory.RoleAdmin)
	b.Do(http.MethodPut, "/api/host-groups/day", admin, map[string]any{"hosts": []string{"vm"}}).Wants(http.StatusNoContent, nil)
	from := time.Now().UTC().AddDate(0, 0, -21)
	monday := from.AddDate(0, 0, -(int(from.Weekday())+6)%7)
	hours := map[string]any{"tz": "UTC", "mon-fri": []string{"09:00-18:00"}}
	b.Do(http.MethodPut, "/api/policies", admin, map[string]any{"host_group": "day", "policy": map[string]any{"work_hours": hours}}, "If-Match", "*").Wants(http.StatusCreated, nil)
	err := b.Store.DB.Write(t.Context(), "testing", func(tx pgx.Tx) error { // nobody can write a policy of before
		_, err := tx.Exec(t.Context(), "UPDATE policy SET valid_from = $1", from)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.As("admin")
	b.Get("/hours?date="+monday.Format(time.DateOnly)).Lacks(t, "planned")
	b.Get("/hours?date="+monday.AddDate(0, 0, 7).Format(time.DateOnly)).Has(t, http.StatusOK, "planned", `<td class="num">45:00</td><td class="num">−45:00</td>`, `<td class="num"></td><td class="num"></td>`)
}

// An administrator or the group's manager closes a month that is over; it stands there with who
// and when, is marked, and it is seen what has changed since.
func TestClosing(t *testing.T) {
	b, host := open(t)
	form := url.Values{"do": {"close"}, "month": {"2026-10"}, "group": {"<i>Support"}, "tz": {"UTC"}}
	page := "/hours?span=month&date=2026-10-05&group=" + url.QueryEscape("<i>Support")
	b.As("viewer")
	b.Get(page).Lacks(t, `value="close"`)
	b.Post(page, form).Has(t, http.StatusForbidden)
	b.As("manager")
	b.Get("/hours?span=month&date=2026-10-05").Lacks(t, `value="close"`) // everybody's
	b.Get(page).Has(t, http.StatusOK, "Close October 2026: &lt;i&gt;Support")
	b.Post(page, form, "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden)
	b.Post(page, form).Sends(t, "./hours?date=2026-10-01&done=closed&group=%3Ci%3ESupport&span=month")
	b.Post(page, form).Has(t, http.StatusConflict, "There is a closed month")
	b.Post(page, url.Values{"do": {"close"}, "month": {"2199-10"}, "group": {"<i>Support"}, "tz": {"UTC"}}).Has(t, http.StatusConflict, "not over yet")
	b.Post(page, url.Values{"do": {"close"}, "month": {"x"}, "tz": {"UTC"}}).Has(t, http.StatusBadRequest)
	shown := b.Get(page)
	shown.Has(t, http.StatusOK, "<small>closed</small>", "<td>manager</td>", "api/months/2026-10?format=csv&amp;group=%3Ci%3ESupport", `value="open"`)
	shown.Lacks(t, `value="close"`)
	b.Get("/hours?span=year&date=2026-10-05&group="+url.QueryEscape("<i>Support")).Has(t, http.StatusOK, "<small>closed</small>")
	check := page + "&check=2026-10&of=" + url.QueryEscape("<i>Support")
	b.Get(check).Has(t, http.StatusOK, "What was closed is as it was.", "0 figures of days are others today.")
	b.Send(host, minutes("vm-anna", "2026-10-06T07:00:00Z", 10)...)
	b.Get(check).Has(t, http.StatusOK, "What was closed is as it was.", "1 figure of a day is another today.")
	b.Get(page+"&check=2025-10").Has(t, http.StatusNotFound)
	b.Get(page+"&check=x").Has(t, http.StatusBadRequest)
	b.Post(page, url.Values{"do": {"open"}, "month": {"2026-10"}, "group": {"<i>Support"}}).Sends(t, "./hours?date=2026-10-01&done=opened&group=%3Ci%3ESupport&span=month")
	b.Get(page).Has(t, http.StatusOK, `value="close"`)
}

// Sums are of all people, however many pages they take, and of a page what is said to be; of a
// great many people that is asked for. A full page stays small.
func TestPagesOfMany(t *testing.T) {
	const people, days, maxPage = 112, 31, 60 << 10 // bytes
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host, random := b.Host("vm"), rand.New(rand.NewPCG(1, 2))
	var total time.Duration
	for i := range people {
		var list []api.Event
		for day := range days {
			start := servertest.At("2026-10-01T06:00:00Z").AddDate(0, 0, day).Add(time.Duration(random.IntN(240)) * time.Minute)
			for hour := range 2 { // the first and the last of a day
				e := servertest.Minute(fmt.Sprintf("vm-%03d", i), 0)
				e.Timestamp, e.IntervalSec = start.Add(time.Duration(hour*(300+random.IntN(240)))*time.Minute), new(int64(3600))
				active := time.Duration(1+random.IntN(3600)) * time.Second
				e.ActiveSeconds = new(active.Seconds())
				total += active
				list = append(list, e)
			}
		}
		b.Send(host, list...)
	}
	b.User("admin", directory.RoleAdmin)
	b.As("admin")
	written := func(d time.Duration) string {
		return fmt.Sprintf("<b>%d:%02d</b>", int(d.Round(time.Minute).Hours()), int(d.Round(time.Minute).Minutes())%60)
	}
	page := b.Get("/hours?span=month&date=2026-10-05")
	page.Has(t, http.StatusOK, `rel="next"`, "This page", "All: 112 people", written(total))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(page.Text)); err != nil || w.Close() != nil || packed.Len() > maxPage {
		t.Errorf("a page of a month takes %d bytes, packed %d (%v)", len(page.Text), packed.Len(), err)
	}
	t.Logf("a page of 100 people and a month: %d bytes, packed %d", len(page.Text), packed.Len())
	_, next, _ := strings.Cut(page.Text, `<p class="pages"><a href="`)
	next, _, _ = strings.Cut(next, `"`)
	rest := b.Get("/" + html.UnescapeString(next))
	rest.Has(t, http.StatusOK, "vm-111", "This page", "All: 112 people", written(total))
	rest.Lacks(t, "vm-099", `rel="next" href`)
	year := b.Get("/hours?span=year&date=2026-10-05") // of more days of people than are added up unasked
	year.Has(t, http.StatusOK, "This page", `href="hours?date=2026-10-05&amp;span=year&amp;sum=all"`)
	year.Lacks(t, written(total))
	b.Get("/hours?span=year&date=2026-10-05&sum=all").Has(t, http.StatusOK, "This page", "All: 112 people", written(total), "&amp;sum=all\" rel=\"next\"")
	b.Group("few", "vm-003", "vm-004")
	few := b.Get("/hours?span=year&date=2026-10-05&group=few")
	few.Has(t, http.StatusOK, "All: 2 people")
	few.Lacks(t, "This page", "Add up all")
}

// Who is on no page, but all that a sum has beside it, was looked at.
func TestSumShowsNobody(t *testing.T) {
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host := b.Host("vm")
	for i := range 101 {
		b.Send(host, minutes(fmt.Sprintf("vm-%03d", i), "2026-10-05T07:00:00Z", 1)...)
	}
	b.User("admin", directory.RoleAdmin)
	b.As("admin")
	b.Get("/hours?span=week&date=2026-10-05").Has(t, http.StatusOK, "All: 101 people", "<b>1:41</b>", "<b>1:40</b>")
	token := b.Token(directory.RoleAdmin)
	var list api.PersonList
	b.Do(http.MethodGet, "/api/people?machine_id=vm-100", token, nil).Wants(http.StatusOK, &list)
	var looks api.AccessList
	b.Do(http.MethodGet, "/api/people/"+list.People[0].ID+"/access", token, nil).Wants(http.StatusOK, &looks)
	if !slices.ContainsFunc(looks.Access, func(a api.Access) bool { return a.What == api.LookedActivity }) {
		t.Errorf("nobody is said to have looked: %+v", looks)
	}
}
