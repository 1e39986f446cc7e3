package httpapi_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// twoPeople are p1 with m1 and m2, which share a minute, and p3 with m3; the group g has
// m2 and m3. Times are of Monday, 2024-01-15, from 8 on.
func twoPeople(t *testing.T) *servertest.Bench {
	t.Helper()
	b := servertest.New(t, servertest.NewDatabase(t))
	minute := func(machine string, at int, active float64) api.Event {
		e := servertest.Minute(machine, 8*60+at)
		e.ActiveSeconds, e.KeyCount, e.ActiveApp = &active, 5, "soffice"
		return e
	}
	b.Send(b.Host("h"),
		minute("m1", 0, 60), minute("m1", 1, 20), minute("m1", 70, 10), minute("m2", 1, 30), minute("m2", 2, 0),
		minute("m3", 0, 60), minute("m3", 24*60, 30))
	b.Do(http.MethodPost, "/api/people/p1/accounts", b.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	b.Do(http.MethodPatch, "/api/people/p1", b.Token(directory.RoleAdmin), map[string]string{"label": "Anna"}).Wants(200, nil)
	b.Group("g", "m2", "m3")
	return b
}

// hoursTold are the rows of an activity report as one text each.
func hoursTold(rows []api.ActivityRow) string {
	var told []string
	for i := range rows {
		r := &rows[i]
		told = append(told, fmt.Sprintf("%s %s %s %d: %v+%v, %d keys, %v", r.Person, r.PersonLabel, r.PeriodStart, r.Machines, r.ActiveSeconds, r.IdleSeconds, r.KeyCount, r.Partial))
	}
	return strings.Join(told, "\n")
}

// The hours of people count time that accounts share once, page by page, and in part where
// a part is asked for or seen.
func TestHoursOfPeople(t *testing.T) {
	b := twoPeople(t)
	admin, limited := b.Token(directory.RoleAdmin), b.Limited("g")
	const path = "/api/reports/activity?per=person&from=2024-01-15&to=2024-01-16"
	var all, page api.ActivityReport
	b.Do(http.MethodGet, path, admin, nil).Wants(200, &all)
	if got := hoursTold(all.Rows); all.Per != "person" || got != `p1 Anna 2024-01-15 2: 100+140, 25 keys, false
p1 Anna 2024-01-16 2: 0+0, 0 keys, false
p3  2024-01-15 1: 60+0, 5 keys, false
p3  2024-01-16 1: 30+30, 5 keys, false` {
		t.Errorf("%s", got)
	}
	if r := all.Rows[0]; r.UntrackedSeconds != 24*3600-240 || r.FirstActivity == nil || r.MachineID != "" || r.Estimated {
		t.Errorf("%+v", r)
	}
	var rows []api.ActivityRow
	for cursor := ""; ; cursor = page.NextCursor {
		page = api.ActivityReport{}
		b.Do(http.MethodGet, path+"&limit=1&cursor="+cursor, admin, nil).Wants(200, &page)
		if rows = append(rows, page.Rows...); page.NextCursor == "" {
			break
		}
	}
	if !reflect.DeepEqual(rows, all.Rows) {
		t.Errorf("%s", hoursTold(rows))
	}
	if table := b.Do(http.MethodGet, path+"&format=csv", admin, nil).Table(); len(table) != 5 || table[1][23] != "p1" {
		t.Error(table)
	}
	// One, and without saying per.
	b.Do(http.MethodGet, strings.Replace(path, "per=person", "person=p3", 1), admin, nil).Wants(200, &page)
	if !reflect.DeepEqual(page.Rows, all.Rows[2:]) {
		t.Errorf("%s", hoursTold(page.Rows))
	}
	// A group's part, as who is limited to the group sees it.
	var part, seen api.ActivityReport
	b.Do(http.MethodGet, path+"&by=month&group=g", admin, nil).Wants(200, &part)
	b.Do(http.MethodGet, path+"&by=month&group=g", limited, nil).Wants(200, &seen)
	if got := hoursTold(part.Rows); !reflect.DeepEqual(part, seen) || got != "p1 Anna 2024-01-15 1: 30+90, 10 keys, true\np3  2024-01-15 1: 90+30, 10 keys, false" {
		t.Errorf("%s\n%s", got, hoursTold(seen.Rows))
	}
	for query, status := range map[string]int{
		"person=p1": 404, "person=p9": 404, "person=3": 404, "group=nowhere": 404, "limit=0": 400, "cursor=bTE": 400, "machine_id=m1": 400, "by=hour": 400,
	} {
		token := admin
		if query == "person=p1" {
			token = b.Limited()
		}
		if r := b.Do(http.MethodGet, path+"&"+query, token, nil); r.Status != status {
			t.Errorf("%s: %d", r.What, r.Status)
		}
	}
	b.Do(http.MethodGet, strings.Replace(path, "per=person", "per=group&person=p1", 1), admin, nil).Refused(400, api.CodeBadRequest)
}

// The times of applications of a person's accounts add up.
func TestAppsOfPeople(t *testing.T) {
	b := twoPeople(t)
	const path = "/api/reports/apps?per=person&from=2024-01-15&to=2024-01-15"
	var report, page api.AppsReport
	b.Do(http.MethodGet, path, b.Token(directory.RoleAdmin), nil).Wants(200, &report)
	if len(report.Rows) != 2 || report.NextCursor != "" {
		t.Fatalf("%+v", report)
	}
	if r := report.Rows[0]; r.Person != "p1" || r.PersonLabel != "Anna" || r.App != "soffice" || r.Seconds != 120 || r.OpenSeconds != 180 || r.Machines != 2 || r.Partial {
		t.Errorf("%+v", r)
	}
	b.Do(http.MethodGet, path+"&limit=1", b.Limited("g"), nil).Wants(200, &page)
	if r := page.Rows; len(r) != 1 || r[0].Seconds != 30 || !r[0].Partial || page.NextCursor == "" {
		t.Errorf("%+v", page)
	}
	var last api.AppsReport
	b.Do(http.MethodGet, path+"&cursor="+page.NextCursor, b.Limited("g"), nil).Wants(200, &last)
	if r := last.Rows; len(r) != 1 || r[0].Person != "p3" || r[0].Seconds != 60 || last.NextCursor != "" {
		t.Errorf("%+v", last)
	}
	b.Do(http.MethodGet, path+"&person=p9", b.Limited("g"), nil).Refused(404, api.CodeNotFound)
}

// The days of many people are those of each.
func TestDaysOfPeople(t *testing.T) {
	b := twoPeople(t)
	const day = "date=2024-01-15&tz=Europe/London"
	for token, partial := range map[string]bool{b.Token(directory.RoleAdmin): false, b.Limited("g"): true} {
		var people []api.PersonSegments
		var page api.DayReport
		for cursor := ""; ; cursor = page.NextCursor {
			page = api.DayReport{}
			b.Do(http.MethodGet, "/api/reports/day?limit=1&"+day+"&cursor="+cursor, token, nil).Wants(200, &page)
			if people = append(people, page.People...); page.NextCursor == "" {
				break
			}
		}
		if len(people) != 2 || people[0].Label != "Anna" || people[0].Partial != partial || people[1].Partial {
			t.Fatalf("%+v", people)
		}
		var rows int
		for _, p := range people {
			var one api.PersonDay
			b.Do(http.MethodGet, "/api/people/"+p.Person+"/day?"+day, token, nil).Wants(200, &one)
			if !reflect.DeepEqual(one.Segments, p.Segments) || len(p.Segments) < 3 || one.Partial != p.Partial {
				t.Errorf("%+v, not %+v", p, one)
			}
			rows += len(p.Segments)
		}
		table := b.Do(http.MethodGet, "/api/reports/day?format=csv&"+day, token, nil).Table()
		if len(table) != rows+1 || table[1][0] != "p1" || table[1][4] != "unknown" || table[rows][0] != "p3" {
			t.Error(table)
		}
		b.Do(http.MethodGet, "/api/reports/day?person=p3&"+day, token, nil).Wants(200, &page)
		if !reflect.DeepEqual(page.People, people[1:]) {
			t.Errorf("%+v", page)
		}
	}
	admin := b.Token(directory.RoleAdmin)
	var page api.DayReport
	b.Do(http.MethodGet, "/api/reports/day?group=g&"+day, admin, nil).Wants(200, &page)
	if len(page.People) != 2 || !page.People[0].Partial {
		t.Errorf("%+v", page)
	}
	for query, status := range map[string]int{"limit=51": 400, "cursor=bTE": 400, "person=x": 404, "person=p9": 404, "group=nowhere": 404} {
		if r := b.Do(http.MethodGet, "/api/reports/day?"+day+"&"+query, admin, nil); r.Status != status {
			t.Errorf("%s: %d", r.What, r.Status)
		}
	}
	b.Do(http.MethodGet, "/api/reports/day?date=tomorrow", admin, nil).Refused(400, api.CodeBadRequest)
}

// A rhythm adds up the same hours of all weeks, by the local clock.
func TestRhythm(t *testing.T) {
	b := twoPeople(t)
	admin := b.Token(directory.RoleAdmin)
	const path = "/api/reports/rhythm?from=2024-01-08&to=2024-01-21&tz=Asia/Kolkata"
	told := func(query, token string) (api.RhythmReport, string) {
		t.Helper()
		var r api.RhythmReport
		b.Do(http.MethodGet, path+query, token, nil).Wants(200, &r)
		var list []string
		for i, h := range r.Hours {
			if h.Weekday != int64(i/24+1) || h.Hour != int64(i%24) || h.Times != 2 {
				t.Errorf("%d: %+v", i, h)
			}
			if h.ActiveSeconds+h.IdleSeconds > 0 {
				list = append(list, fmt.Sprint(h.Weekday, " ", h.Hour, ": ", h.ActiveSeconds, "+", h.IdleSeconds))
			}
		}
		return r, strings.Join(list, ", ")
	}
	// 8:00 to 8:03 and 9:10 in UTC are 13:30 and 14:40 there.
	if r, got := told("&person=p1", admin); r.Person != "p1" || r.People != 1 || r.Partial || got != "1 13: 90+90, 1 14: 10+50" {
		t.Errorf("%s, %+v", got, r)
	}
	if r, got := told("", admin); r.Person != "" || r.People != 2 || r.Partial || got != "1 13: 150+90, 1 14: 10+50, 2 13: 30+30" {
		t.Errorf("%s, %+v", got, r)
	}
	for query, token := range map[string]string{"&group=g": admin, "": b.Limited("g")} {
		if r, got := told(query, token); r.People != 2 || !r.Partial || got != "1 13: 90+90, 2 13: 30+30" {
			t.Errorf("%s, %+v", got, r)
		}
	}
	if table := b.Do(http.MethodGet, path+"&format=csv&person=p1", admin, nil).Table(); len(table) != 169 || table[14][5] != "90" {
		t.Error(table[:15])
	}
	for query, status := range map[string]int{"&person=p9": 404, "&person=0": 404, "&group=nowhere": 404, "&group=%20": 404} {
		if r := b.Do(http.MethodGet, path+query, admin, nil); r.Status != status {
			t.Errorf("%s: %d", r.What, r.Status)
		}
	}
	// A summer's night has an hour of clocks that go back twice, and one that go forward not.
	var r api.RhythmReport
	b.Do(http.MethodGet, "/api/reports/rhythm?from=2024-03-25&to=2024-03-31&tz=Europe/Berlin", admin, nil).Wants(200, &r)
	if got := r.Hours[6*24+2]; got.Times != 0 {
		t.Errorf("%+v", got)
	}
	b.Do(http.MethodGet, "/api/reports/rhythm?from=2024-10-21&to=2024-10-27&tz=Europe/Berlin", admin, nil).Wants(200, &r)
	if got := r.Hours[6*24+2]; got.Times != 2 {
		t.Errorf("%+v", got)
	}
	b.Do(http.MethodGet, "/api/reports/rhythm?from=2199-10-21&to=2199-10-27", admin, nil).Wants(200, &r)
	if got := r.Hours[0]; got.Times != 0 {
		t.Errorf("what is to come: %+v", got)
	}
	b.Do(http.MethodGet, "/api/reports/rhythm?from=2024-01-01&to=2025-02-10", admin, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, "/api/reports/rhythm?from=2024-01-02&to=2024-01-01", admin, nil).Refused(400, api.CodeBadRequest)
}
