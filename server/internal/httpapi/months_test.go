package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// monthTold are the rows with activity of a closed month as one text each.
func monthTold(rows []api.MonthDay) string {
	var told []string
	for i := range rows {
		r := &rows[i]
		if r.FirstActivity != nil || *r.Changed {
			told = append(told, fmt.Sprintf("%s %s %s: %v+%v, %v, %v", r.Person, r.Label, r.Date, r.ActiveSeconds, r.NoInputSeconds, r.Partial, *r.Changed))
		}
	}
	return strings.Join(told, "\n")
}

// A manager closes a month of their group, which stays as it is whatever comes, and opens it
// again; what it has is what reports have.
func TestMonths(t *testing.T) {
	b := twoPeople(t)
	admin := b.Token(directory.RoleAdmin)
	id := b.User("boss", directory.RoleManager, "g").ID
	boss := b.Login("boss")
	do := func(method, path string, body any) servertest.Reply {
		t.Helper()
		return b.Do(method, path, "", body, boss...)
	}
	var closed api.ClosedMonth
	do(http.MethodPost, "/api/months/2024-01", api.MonthDraft{Group: "g", TZ: "Europe/Moscow"}).Wants(201, &closed)
	if closed.Month != "2024-01" || closed.Group != "g" || closed.TZ != "Europe/Moscow" || closed.ClosedByKind != "user" || closed.ClosedByName != "boss" || closed.People != 2 || len(closed.Digest) != 64 {
		t.Errorf("%+v", closed)
	}
	do(http.MethodPost, "/api/months/2024-01", api.MonthDraft{Group: "g", TZ: "UTC"}).Refused(409, api.CodeMonthClosed)
	const path = "/api/months/2024-01?group=g"
	var m, page api.MonthReport
	do(http.MethodGet, path, nil).Wants(200, &m)
	const before = "p1 Anna 2024-01-15: 30+90, true, false\np3  2024-01-15: 60+0, false, false\np3  2024-01-16: 30+30, false, false"
	if got := monthTold(m.Rows); got != before || !m.Intact || m.ClosedMonth != closed || len(m.Rows) != 2*31 || m.NextCursor != "" {
		t.Errorf("%s\n%+v", got, m.ClosedMonth)
	}
	if r := m.Rows[14]; r.ActiveSeconds+r.NoInputSeconds+r.UnknownSeconds != 24*3600 || r.LockedSeconds+r.DisconnectedSeconds+r.NotCollectedSeconds != 0 {
		t.Errorf("%+v", r)
	}
	// Late records, another label and who leaves change nothing that was closed.
	b.Send(b.Host("late"), servertest.Minute("m4", 0))
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m3"}}).Wants(200, nil)
	b.Do(http.MethodPatch, "/api/people/p3", admin, map[string]string{"label": "Boris"}).Wants(200, nil)
	b.Group("g", "m2")
	do(http.MethodGet, path+"&limit=1", nil).Wants(200, &page)
	rows, next := page.Rows, page.NextCursor
	page = api.MonthReport{}
	do(http.MethodGet, path+"&limit=1&cursor="+next, nil).Wants(200, &page)
	if got := monthTold(append(rows, page.Rows...)); got != before || page.NextCursor != "" {
		t.Errorf("%s", got)
	}
	if table := do(http.MethodGet, path+"&format=csv", nil).Table(); len(table) != 1+2*31 || table[0][0] != "person" || table[15][4] != "2024-01-15" || table[15][7] != "30" {
		t.Errorf("%d %v", len(table), table[15])
	}
	if r := do(http.MethodGet, path+"&format=xlsx", nil); r.Status != 200 || !strings.Contains(r.Header.Get("Content-Disposition"), "month-2024-01-g.xlsx") {
		t.Error(r.Status, r.Header)
	}
	var list api.ClosedMonthList
	do(http.MethodGet, "/api/months?year=2024", nil).Wants(200, &list)
	if len(list.Months) != 1 || list.Months[0] != closed {
		t.Errorf("%+v", list)
	}
	if table := do(http.MethodGet, "/api/months?format=csv", nil).Table(); len(table) != 2 {
		t.Error(table)
	}
	do(http.MethodGet, "/api/months?year=2023", nil).Wants(200, &list)
	if len(list.Months) != 0 {
		t.Errorf("%+v", list)
	}
	if looks := lookedAt(b, id, "m2"); len(looks) == 0 || looks[0].What != api.LookedMonth {
		t.Errorf("%+v", looks)
	}
	b.Do(http.MethodDelete, "/api/groups/g", admin, nil).Refused(409, api.CodeMonthClosed)
	do(http.MethodDelete, path, nil).Wants(204, nil)
	do(http.MethodDelete, path, nil).Refused(404, api.CodeNotFound)
	do(http.MethodGet, path, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/groups/g", admin, nil).Wants(204, nil)
}

// Who may not is refused, and what is nonsense.
func TestMonthsRefused(t *testing.T) {
	b := twoPeople(t)
	admin := b.Token(directory.RoleAdmin)
	b.Group("other", "m1")
	for login, role := range map[string]directory.Role{"boss": directory.RoleManager, "watcher": directory.RoleViewer} {
		b.User(login, role, "other")
	}
	b.User("overseer", directory.RoleAuditor)
	const ofG, everybody = "/api/months/2024-01?group=g", "/api/months/2024-01"
	b.Do(http.MethodPost, everybody, admin, api.MonthDraft{Group: "g", TZ: "UTC"}).Wants(201, nil)
	b.Do(http.MethodPost, everybody, admin, api.MonthDraft{TZ: "UTC"}).Wants(201, nil)
	for login, post := range map[string]int{"boss": 404, "watcher": 403, "overseer": 403} {
		headers, get := b.Login(login), 404
		if login == "overseer" {
			get = 403
		}
		for _, path := range []string{ofG, everybody, everybody + "?group=nowhere"} {
			if r := b.Do(http.MethodGet, path, "", nil, headers...); r.Status != get {
				t.Errorf("%s reads %s: %d", login, path, r.Status)
			}
			if r := b.Do(http.MethodDelete, path, "", nil, headers...); r.Status != post {
				t.Errorf("%s opens %s: %d", login, path, r.Status)
			}
			_, group, _ := strings.Cut(path, "group=")
			if r := b.Do(http.MethodPost, "/api/months/2024-02", "", api.MonthDraft{Group: group, TZ: "UTC"}, headers...); r.Status != post {
				t.Errorf("%s closes %s: %d", login, path, r.Status)
			}
		}
		var list api.ClosedMonthList
		if r := b.Do(http.MethodGet, "/api/months", "", nil, headers...); get == 404 {
			if r.Wants(200, &list); len(list.Months) != 0 {
				t.Errorf("%s is told of %+v", login, list)
			}
		}
	}
	for _, month := range []string{"0000-00", "0000-01", "9999-12", "2024-13", "2024-1", "24-01", "2024-01-01", "-2024-01", "2024-01%00", "%2e%2e", "next", "2024-01%20"} {
		b.Do(http.MethodPost, "/api/months/"+month, admin, api.MonthDraft{Group: "g", TZ: "UTC"}).Refused(400, api.CodeBadRequest)
		b.Do(http.MethodGet, "/api/months/"+month+"?group=g", admin, nil).Refused(400, api.CodeBadRequest)
		b.Do(http.MethodDelete, "/api/months/"+month, admin, nil).Refused(400, api.CodeBadRequest)
	}
	for _, zone := range []string{"", "Local", "localtime", "../../etc/passwd", "Nowhere/Else", "Europe/Mos\x00cow", strings.Repeat("x", 65), "posixrules"} {
		b.Do(http.MethodPost, "/api/months/2024-02", admin, map[string]string{"group": "g", "tz": zone}).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodPost, "/api/months/2190-01", admin, api.MonthDraft{Group: "g", TZ: "UTC"}).Refused(409, api.CodeMonthNotOver)
	b.Do(http.MethodPost, "/api/months/1999-01", admin, api.MonthDraft{Group: "g", TZ: "UTC"}).Wants(201, nil)
	b.Do(http.MethodPost, "/api/months/2011-12", admin, api.MonthDraft{Group: "g", TZ: "Pacific/Apia"}).Wants(201, nil)
	var m api.MonthReport
	if b.Do(http.MethodGet, "/api/months/2011-12?group=g", admin, nil).Wants(200, &m); len(m.Rows) != 2*30 {
		t.Errorf("%d rows of a month of which a zone left out a day", len(m.Rows))
	}
	for _, query := range []string{"?year=99", "?year=20x4", "?year=0000", "?limit=0", "?limit=1001", "?cursor=x", "?cursor=-1", "?tz=UTC"} {
		b.Do(http.MethodGet, "/api/months"+query, admin, nil).Refused(400, api.CodeBadRequest)
	}
	for _, query := range []string{"&limit=301", "&cursor=x"} {
		b.Do(http.MethodGet, ofG+query, admin, nil).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodPost, everybody, admin, map[string]string{"group": "g", "tz": "UTC", "more": "x"}).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPost, everybody, admin, api.MonthDraft{TZ: strings.Repeat("x", 9<<10)}).Refused(413, api.CodeTooLarge)
	b.Do(http.MethodPost, everybody, "", []byte("tz=UTC"), append(b.Login("boss"), "Content-Type", "text/plain")...).Refused(415, api.CodeUnsupportedType)
}
