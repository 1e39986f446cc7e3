package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

const someCategories = `{"categories": [
	{"name": "Video", "colour": "#C62828", "rating": "unproductive", "patterns": [{"app": "firefox", "title": "*youtube*"}]},
	{"name": "Office", "colour": "#2e7d32", "rating": "productive", "patterns": [{"app": "SOFFICE"}, {"app": "firefox", "title": "*wiki*"}]},
	{"name": "Web", "colour": "#1565c0", "rating": "neutral", "patterns": [{"app": "firefox*"}]}
]}`

// fleet is three machines with events around two days in Moscow, two of them in
// group-a and one of these in group-b, too.
func fleet(t *testing.T) (b *servertest.Bench, admin string) {
	t.Helper()
	b = servertest.New(t, servertest.NewDatabase(t))
	admin = b.Token(directory.RoleAdmin)
	host := b.Host("h")
	b.Send(host, day("m1")...)
	web := func(machine, at0, title string) api.Event {
		return api.Event{MachineID: machine, Timestamp: servertest.At(at0), KeyCount: 2, ActiveApp: "Firefox", ActiveWindow: title, Username: "user2"}
	}
	b.Send(host,
		web("m2", "2024-01-14T20:59:00Z", "YouTube"), web("m2", "2024-01-14T21:00:00Z", "Cats - YouTube"),
		web("m2", "2024-01-15T10:00:00Z", "Our wiki"), web("m2", "2024-01-15T20:59:00Z", "=cmd|' /C calc'!A0"), web("m2", "2024-01-15T21:00:00Z", ""),
		api.Event{MachineID: "m3", Timestamp: servertest.At("2024-01-15T09:00:00Z"), IsIdle: true, ActiveApp: "=1+1", IntervalSec: ptr[int64](600)})
	b.Do(http.MethodPatch, "/api/machines/m3", admin, map[string]string{"user_label": "@label"}).Wants(200, nil)
	b.Group("group-a", "m1", "m2")
	b.Group("group-b", "m2")
	b.Do(http.MethodPut, "/api/categories", admin, []byte(someCategories), "If-Match", `"0"`).Wants(200, nil)
	return b, admin
}

func TestReportReplies(t *testing.T) {
	b, admin := fleet(t)
	const days = "?from=2024-01-15&to=2024-01-16&tz=Europe/Moscow"
	for name, target := range map[string]string{
		"categories.json":             "/api/categories",
		"activity.json":               "/api/reports/activity" + days,
		"activity_group_week.json":    "/api/reports/activity?from=2024-01-08&to=2024-01-16&by=week&per=group",
		"activity_all_month.json":     "/api/reports/activity?from=2023-12-31&to=2024-02-01&by=month&per=all&tz=Asia/Kathmandu",
		"activity_nothing.json":       "/api/reports/activity?from=2023-01-01&to=2023-01-01&machine_id=m1",
		"apps.json":                   "/api/reports/apps" + days,
		"apps_category_group_b.json":  "/api/reports/apps" + days + "&by=category&group=group-b",
		"apps_all.json":               "/api/reports/apps" + days + "&per=all",
		"apps_group.json":             "/api/reports/apps" + days + "&per=group&by=category",
		"apps_skipped_date_apia.json": "/api/reports/apps?from=2011-12-30&to=2011-12-30&tz=Pacific/Apia",
	} {
		r := b.Do(http.MethodGet, target, admin, nil)
		r.Wants(200, nil)
		golden(t, "report_"+name, r.Body)
	}
	for name, target := range map[string]string{
		"activity.csv": "/api/reports/activity" + days + "&format=csv",
		"apps.csv":     "/api/reports/apps" + days + "&format=csv",
	} {
		r := b.Do(http.MethodGet, target, admin, nil)
		if r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %d %v", target, r.Status, r.Header)
		}
		goldenText(t, "report_"+name, r.Body)
	}
}

// What a period's parts add up to is what has passed of it.
func TestUntrackedTime(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	now := time.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	host := b.Host("h")
	b.Send(host, api.Event{MachineID: "m", Timestamp: today.Add(-time.Minute), IntervalSec: ptr[int64](3600)},
		api.Event{MachineID: "m", Timestamp: today.AddDate(0, 0, -1), IntervalSec: ptr[int64](600), ActiveSeconds: ptr(10.5)})
	for i := range 25 {
		b.Send(host, api.Event{MachineID: "m", Timestamp: today.AddDate(0, 0, -2).Add(time.Duration(i) * 30 * time.Minute), IntervalSec: ptr[int64](3600)})
	}
	for i := range 25 {
		b.Send(host, api.Event{MachineID: "m", Timestamp: today.AddDate(0, 0, -2).Add(time.Duration(i)*30*time.Minute + time.Second), IntervalSec: ptr[int64](3600)})
	}
	var r api.ActivityReport
	date := func(days int) string { return today.AddDate(0, 0, days).Format(time.DateOnly) }
	b.Do(http.MethodGet, "/api/reports/activity?from="+date(-2)+"&to="+date(2), viewer, nil).Wants(200, &r)
	if len(r.Rows) != 5 {
		t.Fatalf("%+v", r)
	}
	passed := time.Since(today).Seconds()
	for i, want := range [][3]float64{{50 * 3600, 0, 0}, {3610.5, 589.5, 86400 - 4200}, {0, 0, passed}, {0, 0, 0}, {0, 0, 0}} {
		row := r.Rows[i]
		if diff := row.UntrackedSeconds - want[2]; row.ActiveSeconds != want[0] || row.IdleSeconds != want[1] || diff > 1 || diff < -60 {
			t.Errorf("day %d: %+v, want %v", i, row, want)
		}
	}
}

// A changed rule changes the past; two administrators don't overwrite each other.
func TestCategories(t *testing.T) {
	b, admin := fleet(t)
	viewer := b.Token(directory.RoleViewer)
	const apps = "/api/reports/apps?from=2024-01-15&to=2024-01-15&tz=Europe/Moscow&machine_id=m2"
	look := func() string {
		t.Helper()
		var r api.AppsReport
		b.Do(http.MethodGet, apps, viewer, nil).Wants(200, &r)
		var list []string
		for _, row := range r.Rows {
			list = append(list, fmt.Sprintf("%s %s %s %v", row.App, row.Category, row.Rating, row.Seconds))
		}
		return strings.Join(list, "; ")
	}
	if got := look(); got != "Firefox Video unproductive 60; Firefox Office productive 60; Firefox Web neutral 60" {
		t.Errorf("%s", got)
	}
	var list api.CategoryList
	r := b.Do(http.MethodGet, "/api/categories", viewer, nil)
	r.Wants(200, &list)
	etag := r.Header.Get("ETag")
	if etag != `"1"` || list.Version != 1 || len(list.Categories) != 3 {
		t.Fatalf("%s, %+v", etag, list)
	}
	list.Categories = list.Categories[2:]
	b.Do(http.MethodPut, "/api/categories", viewer, list, "If-Match", etag).Refused(403, api.CodeForbidden)
	b.Do(http.MethodPut, "/api/categories", admin, list).Refused(428, api.CodeVersionMissing)
	b.Do(http.MethodPut, "/api/categories", admin, list, "If-Match", `W/"1"`).Refused(412, api.CodeChangedMeanwhile)
	b.Do(http.MethodPut, "/api/categories", admin, list, "If-Match", `"7", "1"`).Wants(200, &list)
	if got := look(); list.Version != 2 || got != "Firefox Web neutral 180" {
		t.Errorf("version %d: %s", list.Version, got)
	}
	b.Do(http.MethodPut, "/api/categories", admin, list, "If-Match", etag).Refused(412, api.CodeChangedMeanwhile)
	b.Do(http.MethodPut, "/api/categories", admin, []byte(`{"categories":[]}`), "If-Match", "*").Wants(200, nil)
	if got := look(); got != "Firefox  neutral 180" {
		t.Errorf("without categories: %s", got)
	}
}

// A limited token sees its groups and their machines, nothing else.
func TestReportsKeepToTheScope(t *testing.T) {
	b, _ := fleet(t)
	token := b.Limited("group-b")
	const days = "?from=2024-01-15&to=2024-01-15"
	for _, report := range []string{"/api/reports/activity", "/api/reports/apps"} {
		for query, want := range map[string]string{"": "m2", "&per=group": "group-b", "&per=all": "", "&group=group-b": "m2", "&machine_id=m2": "m2"} {
			var r struct {
				Rows []struct {
					MachineID string `json:"machine_id"`
					Group     string `json:"group"`
					Machines  int64  `json:"machines"`
				} `json:"rows"`
			}
			b.Do(http.MethodGet, report+days+query, token, nil).Wants(200, &r)
			for _, row := range r.Rows {
				if row.MachineID != want && row.Group != want || row.Machines != 1 {
					t.Errorf("%s%s: %+v", report, query, row)
				}
			}
			if len(r.Rows) == 0 {
				t.Errorf("%s%s: nothing", report, query)
			}
		}
		for _, query := range []string{"&machine_id=m1", "&machine_id=none", "&group=group-a", "&group=none", "&group=group-a&per=group", "&machine_id=m1&group=group-b"} {
			b.Do(http.MethodGet, report+days+query, token, nil).Refused(404, api.CodeNotFound)
		}
	}
}

func TestBadReportQuestions(t *testing.T) {
	b, admin := fleet(t)
	const day = "?from=2024-01-15&to=2024-01-15"
	for _, path := range []string{"/api/reports/activity" + day, "/api/reports/apps" + day, "/api/activity/m1/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"} {
		b.Do(http.MethodGet, path, "", nil).Refused(401, api.CodeUnauthorized)
		b.Do(http.MethodGet, path, admin, nil, "Accept", "image/png").Refused(406, api.CodeNotAcceptable)
	}
	for _, query := range []string{
		"", "?from=2024-01-15", "?from=2024-01-16&to=2024-01-15", "?from=2024-01-15&to=x", "?from=2020-01-15&to=2024-01-15",
		"?from=2024-01-15&to=2024-01-15&tz=Nowhere", "?from=2024-01-15&to=2024-01-15&by=year", "?from=2024-01-15&to=2024-01-15&per=user",
		"?from=2024-01-15&to=2024-01-15&limit=0", "?from=2024-01-15&to=2024-01-15&limit=1001", "?from=2024-01-15&to=2024-01-15&cursor=!",
		"?from=2024-01-15&to=2024-01-15&cursor=Z2dyb3Vw", "?from=2024-01-15&to=2024-01-15&per=group&cursor=bW0x",
		"?from=2024-01-15&to=2024-01-15&per=all&cursor=bW0x", "?from=2024-01-15&to=2024-01-15&per=group&machine_id=m1",
		"?from=2024-01-15&to=2024-01-15&format=xml",
	} {
		b.Do(http.MethodGet, "/api/reports/activity"+query, admin, nil).Refused(400, api.CodeBadRequest)
		b.Do(http.MethodGet, "/api/reports/apps"+query, admin, nil).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodGet, "/api/reports/activity?from=2022-01-15&to=2024-01-15", admin, nil).Refused(400, api.CodeBadRequest)
	for _, body := range []string{
		"", "[]", "{}", `{"categories":null}`, `{"categories":[{}]}`, `{"categories":[]} x`, `{"categories":[],"more":1}`,
		`{"categories":[{"name":"a","colour":"#000000","rating":"neutral","patterns":[{"apps":"x"}]}]}`,
		`{"categories":[{"name":"a\u0000","colour":"#000000","rating":"neutral","patterns":[]}]}`,
	} {
		b.Do(http.MethodPut, "/api/categories", admin, []byte(body), "If-Match", "*").Refused(400, api.CodeBadRequest)
	}
	large := `{"categories":[` + strings.Repeat(" ", 1<<20) + `]}`
	b.Do(http.MethodPut, "/api/categories", admin, []byte(large), "If-Match", "*").Refused(413, api.CodeTooLarge)
	b.Do(http.MethodDelete, "/api/categories", admin, nil).Refused(405, api.CodeNotAllowed)
}

// Pages of a report are the report, as CSV too.
func TestPagesOfReports(t *testing.T) {
	b, admin := fleet(t)
	const days = "?from=2024-01-13&to=2024-01-16&limit=1"
	for _, target := range []string{
		"/api/reports/activity" + days, "/api/reports/activity" + days + "&per=group", "/api/reports/apps" + days, "/api/reports/apps" + days + "&per=group",
	} {
		type page struct {
			Rows       []json.RawMessage `json:"rows"`
			NextCursor string            `json:"next_cursor"`
		}
		var whole page
		b.Do(http.MethodGet, strings.Replace(target, "&limit=1", "", 1), admin, nil).Wants(200, &whole)
		var rows []json.RawMessage
		pages := 0
		for cursor := ""; ; pages++ {
			var one page
			b.Do(http.MethodGet, target+"&cursor="+cursor, admin, nil).Wants(200, &one)
			rows = append(rows, one.Rows...)
			if cursor = one.NextCursor; cursor == "" {
				break
			}
		}
		if fmt.Sprintf("%s", rows) != fmt.Sprintf("%s", whole.Rows) || pages == 0 || whole.NextCursor != "" {
			t.Errorf("%s: %d rows on %d pages, %d at once", target, len(rows), pages+1, len(whole.Rows))
		}
		csv := b.Do(http.MethodGet, strings.Replace(target, "&limit=1", "", 1), admin, nil, "Accept", "text/csv")
		if n := bytes.Count(csv.Body, []byte("\r\n")); csv.Status != 200 || n != len(rows)+1 {
			t.Errorf("%s: %d lines of CSV for %d rows", target, n, len(rows))
		}
	}
}
