package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// accounts are a person's, as one text.
func accounts(p api.Person) string {
	var ids []string
	for _, a := range p.Accounts {
		ids = append(ids, a.MachineID)
	}
	return strings.Join(ids, " ")
}

func peopleSeen(b *servertest.Bench, token, path string) string {
	b.T.Helper()
	var list api.PersonList
	b.Do(http.MethodGet, path, token, nil).Wants(200, &list)
	var all []string
	for _, p := range list.People {
		all = append(all, p.ID+": "+accounts(p))
	}
	return strings.Join(all, ", ")
}

// A person is there for each new account, is joined, named, parted and seen.
func TestPeople(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer, admin := b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	b.Send(b.Host("h"), servertest.Minute("m1", 0), servertest.Minute("m2", 0), servertest.Minute("m/3", 0))
	if got := peopleSeen(b, viewer, "/api/people"); got != "p1: m/3, p2: m1, p3: m2" {
		t.Error(got)
	}
	var p api.Person
	join := func(person string, ids ...string) servertest.Reply {
		return b.Do(http.MethodPost, "/api/people/"+person+"/accounts", admin, api.PersonJoin{MachineIDs: ids})
	}
	for range 2 {
		join("p2", "m2", "m/3").Wants(200, &p)
		if p.ID != "p2" || accounts(p) != "m/3 m1 m2" || p.Partial || p.Accounts[0].Hostname != "h.example" {
			t.Errorf("%+v", p)
		}
	}
	if got := peopleSeen(b, viewer, "/api/people"); got != "p2: m/3 m1 m2" {
		t.Error(got)
	}
	if got := peopleSeen(b, viewer, "/api/people?machine_id=m%2F3"); got != "p2: m/3 m1 m2" {
		t.Error(got)
	}
	if got := peopleSeen(b, viewer, "/api/people?machine_id=nobody"); got != "" {
		t.Error(got)
	}
	b.Do(http.MethodPatch, "/api/people/p2", admin, map[string]string{"label": " Анна "}).Wants(200, &p)
	b.Do(http.MethodGet, "/api/people/p2", viewer, nil).Wants(200, &p)
	if p.Label != "Анна" || p.CreatedAt.IsZero() {
		t.Errorf("%+v", p)
	}
	if rows := b.Do(http.MethodGet, "/api/people?format=csv", viewer, nil).Table(); len(rows) != 2 || rows[1][1] != "Анна" || !strings.Contains(rows[1][2], `"machine_id":"m2"`) {
		t.Error(rows)
	}
	b.Group("g", "m1")
	limited := b.Limited("g")
	for search, want := range map[string][2]string{ // of all, and of the group, which has m1 alone
		"Анна": {"p2: m/3 m1 m2", "p2: m1"}, "аНН": {"p2: m/3 m1 m2", "p2: m1"}, "M1": {"p2: m/3 m1 m2", "p2: m1"}, "m2": {"p2: m/3 m1 m2", ""}, "H.Example": {"p2: m/3 m1 m2", "p2: m1"}, "%": {}, "_": {},
	} {
		if got := [2]string{peopleSeen(b, viewer, "/api/people?q="+url.QueryEscape(search)), peopleSeen(b, limited, "/api/people?q="+url.QueryEscape(search))}; got != want {
			t.Errorf("%s: %q, want %q", search, got, want)
		}
	}
	b.Do(http.MethodGet, "/api/people?q=m1%0Am2", viewer, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodDelete, "/api/people/p2/accounts/m%2F3", admin, nil).Wants(200, &p)
	if p.ID != "p1" || accounts(p) != "m/3" {
		t.Errorf("%+v", p)
	}
	// What can't be.
	join("p2").Refused(400, api.CodeBadRequest)
	join("p2", "m1", "").Refused(400, api.CodeBadRequest)
	join("p2", "m1", "m\u2028").Refused(400, api.CodeBadRequest)
	if r := join("p2", "m/3", "nobody"); !strings.Contains(string(r.Body), "nobody") || strings.Contains(string(r.Body), "m/3") {
		t.Errorf("%s", r.Body)
	} else {
		r.Refused(404, api.CodeNotFound)
	}
	b.Do(http.MethodDelete, "/api/people/p2/accounts/m%2F3", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodPatch, "/api/people/p2", admin, map[string]string{"name": "x"}).Refused(400, api.CodeBadRequest)
	for _, id := range []string{"p0", "p01", "2", "p", "P2", "p2x", "p99999999999999999999", "p999", "%00"} {
		b.Do(http.MethodGet, "/api/people/"+id, admin, nil).Refused(404, api.CodeNotFound)
	}
	b.Do(http.MethodGet, "/api/people?cursor=bTE", viewer, nil).Refused(400, api.CodeBadRequest)
}

// People page by id, each once.
func TestPeoplePages(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	var events []api.Event
	for i := range 7 {
		events = append(events, servertest.Minute(fmt.Sprintf("m%d", i), 0))
	}
	b.Send(b.Host("h"), events...)
	b.Group("g", "m1", "m2", "m4")
	for token, want := range map[string]int{b.Token(directory.RoleViewer): 7, b.Limited("g"): 3} {
		seen, cursor := map[string]bool{}, ""
		for {
			var list api.PersonList
			b.Do(http.MethodGet, "/api/people?limit=2&cursor="+cursor, token, nil).Wants(200, &list)
			for _, p := range list.People {
				if seen[p.ID] {
					t.Errorf("%s twice", p.ID)
				}
				seen[p.ID] = true
			}
			if cursor = list.NextCursor; cursor == "" {
				break
			}
		}
		if rows := b.Do(http.MethodGet, "/api/people?format=csv", token, nil).Table(); len(seen) != want || len(rows) != want+1 {
			t.Errorf("%d seen, %d rows, want %d", len(seen), len(rows)-1, want)
		}
	}
}

// A person in a group brings their accounts, and who is limited to it sees of others
// in part.
func TestPeopleInGroups(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Send(b.Host("h"), servertest.Minute("m1", 0), servertest.Minute("m2", 0), servertest.Minute("m3", 0))
	b.Group("g", "m3")
	limited := b.Limited("g")
	const path = "/api/groups/g/people"
	for range 2 {
		b.Do(http.MethodPut, path+"/p1", admin, nil).Wants(204, nil)
	}
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	if got := machinesSeen(b, limited, "/api/machines"); got != "m1 m2 m3" {
		t.Error(got)
	}
	if got := peopleSeen(b, limited, path); got != "p1: m1 m2" {
		t.Error(got)
	}
	// Taking the account alone would leave it there.
	b.Do(http.MethodDelete, "/api/groups/g/machines/m2", admin, nil).Refused(409, api.CodeOfPerson)
	b.Do(http.MethodDelete, path+"/p1", admin, nil).Wants(204, nil)
	b.Do(http.MethodPut, "/api/groups/g/machines/m2", admin, nil).Wants(204, nil)
	var p api.Person
	b.Do(http.MethodGet, "/api/people/p1", limited, nil).Wants(200, &p)
	if accounts(p) != "m2" || !p.Partial {
		t.Errorf("%+v", p)
	}
	if got := peopleSeen(b, limited, "/api/people?group=g"); got != "p1: m2, p3: m3" {
		t.Error(got)
	}
	if got := peopleSeen(b, admin, "/api/people?group=g&machine_id=m1"); got != "" {
		t.Error(got)
	}
	b.Do(http.MethodDelete, "/api/groups/g/machines/m2", admin, nil).Wants(204, nil)
	b.Do(http.MethodGet, "/api/people/p1", limited, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodPut, path+"/p77", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/groups/nowhere/people", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/people?group=nowhere", admin, nil).Refused(404, api.CodeNotFound)
}

// A person has a hundred accounts at most.
func TestTooManyAccounts(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin, host := b.Token(directory.RoleAdmin), b.Host("h")
	var ids []string
	var events []api.Event
	for i := range api.MaxJoin + 1 {
		ids = append(ids, fmt.Sprintf("m%03d", i))
		events = append(events, servertest.Minute(ids[i], 0))
	}
	b.Send(host, events...)
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: ids[:api.MaxJoin]}).Wants(200, nil)
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: ids[api.MaxJoin:]}).Refused(409, api.CodeTooManyAccounts)
	b.Do(http.MethodPost, "/api/people/import", admin, api.PeopleImport{Accounts: []api.AccountOwner{{MachineID: "m100", Person: "p1"}}}).Refused(409, api.CodeTooManyAccounts)
	if got := peopleSeen(b, admin, "/api/people?machine_id=m100"); got != "p101: m100" {
		t.Error(got)
	}
}

// A person's day counts time that accounts share once, adds counts up, and is shown in
// part to who may see a part.
func TestPersonDay(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	host := b.Host("h")
	minute := func(machine string, at int, active float64, locked bool) api.Event {
		e := servertest.Minute(machine, at)
		e.ActiveSeconds, e.KeyCount, e.ActiveApp = &active, 5, "soffice"
		if locked {
			e.Locked = &locked
		}
		return e
	}
	b.Send(host, minute("m1", 0, 60, false), minute("m1", 1, 20, false), minute("m1", 2, 0, true), minute("m1", 70, 10, false))
	b.Send(host, minute("m2", 1, 30, false), minute("m2", 2, 0, false), minute("m2", 3, 60, false))
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	b.Group("g", "m2")
	limited := b.Limited("g")
	const day = "date=2024-01-15&tz=Europe/London"

	var s api.PersonSummary
	b.Do(http.MethodGet, "/api/people/p1/summary?"+day, admin, nil).Wants(200, &s)
	if s.Person != "p1" || s.Partial || s.Estimated || s.ActiveSeconds != 160 || s.IdleSeconds != 30+60+50 || s.KeyCount != 35 || s.ActiveMinutes != 3 || len(s.TopApps) == 0 || s.FirstActivity == nil {
		t.Errorf("%+v", s)
	}
	b.Do(http.MethodGet, "/api/people/p1/summary?"+day, limited, nil).Wants(200, &s)
	if !s.Partial || s.ActiveSeconds != 90 || s.KeyCount != 15 {
		t.Errorf("%+v", s)
	}
	b.Do(http.MethodGet, "/api/people/p1/summary?date=2024-02-01", admin, nil).Wants(200, &s)
	if s.ActiveSeconds != 0 || s.FirstActivity != nil || s.TopApps == nil {
		t.Errorf("%+v", s)
	}

	var line api.PersonTimeline
	b.Do(http.MethodGet, "/api/people/p1/timeline?"+day, admin, nil).Wants(200, &line)
	if len(line.Hours) != 24 || line.Hours[0].KeyCount != 30 || line.Hours[0].ActiveMinutes != 3 || line.Hours[1].KeyCount != 5 || line.Partial {
		t.Errorf("%+v", line)
	}

	var d api.PersonDay
	b.Do(http.MethodGet, "/api/people/p1/day?"+day, admin, nil).Wants(200, &d)
	var told []string
	for _, s := range d.Segments {
		told = append(told, fmt.Sprint(s.State, " ", s.Start.Format("15:04"), "-", s.End.Format("15:04"), " ", s.ActiveSeconds))
	}
	if got := strings.Join(told, ", "); got != "active 00:00-00:02 90, no_input 00:02-00:03 0, active 00:03-00:04 60, unknown 00:04-01:10 0, active 01:10-01:11 10, unknown 01:11-00:00 0" {
		t.Error(got)
	}
	if rows := b.Do(http.MethodGet, "/api/people/p1/day?format=csv&"+day, limited, nil).Table(); len(rows) != 6 || rows[2][0] != "active" {
		t.Error(rows)
	}
	b.Do(http.MethodGet, "/api/people/p1/day?date=2199-01-01", admin, nil).Wants(200, &d)
	if len(d.Segments) != 0 {
		t.Errorf("what is to come: %+v", d)
	}
	for _, what := range []string{"summary", "timeline", "day"} {
		b.Do(http.MethodGet, "/api/people/p9/"+what+"?"+day, admin, nil).Refused(404, api.CodeNotFound)
		b.Do(http.MethodGet, "/api/people/p1/"+what+"?date=yesterday", admin, nil).Refused(400, api.CodeBadRequest)
	}
}

// A person's events come in the order of time, whoever of the accounts they are of.
func TestPersonEvents(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin, host := b.Token(directory.RoleAdmin), b.Host("h")
	for i := range 6 {
		b.Send(host, servertest.Minute("m1", i), servertest.Minute("m2", 2*i))
	}
	b.Do(http.MethodPost, "/api/people/p1/accounts", admin, api.PersonJoin{MachineIDs: []string{"m2"}}).Wants(200, nil)
	const path = "/api/people/p1/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	var seen []string
	for cursor := ""; ; {
		var page api.PersonEvents
		b.Do(http.MethodGet, path+"&limit=5&cursor="+cursor, admin, nil).Wants(200, &page)
		for _, e := range page.Events {
			seen = append(seen, fmt.Sprint(e.Timestamp.Minute(), " ", e.MachineID))
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(seen, ", "); got != "0 m1, 0 m2, 1 m1, 2 m1, 2 m2, 3 m1, 4 m1, 4 m2, 5 m1, 6 m2, 8 m2, 10 m2" {
		t.Error(got)
	}
	if rows := b.Do(http.MethodGet, path+"&format=csv", admin, nil).Table(); len(rows) != 13 || rows[2][0] != "m2" {
		t.Error(rows)
	}
	b.Do(http.MethodGet, path+"&cursor=bTE", admin, nil).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodGet, strings.Replace(path, "p1", "p2", 1), admin, nil).Wants(200, nil)
	b.Do(http.MethodGet, strings.Replace(path, "p1", "p3", 1), admin, nil).Refused(404, api.CodeNotFound)
}

// Many accounts are given to people at once, all or none; a preview has what that would do,
// with what rests of whom no account is left, and does nothing.
func TestPeopleImport(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Send(b.Host("h"), servertest.Minute("m1", 0), servertest.Minute("m2", 0), servertest.Minute("m3", 0))
	b.Group("g")
	b.Do(http.MethodPut, "/api/groups/g/people/p1", admin, nil).Wants(204, nil)
	b.Group("own", "m2")
	u := b.User("boris", directory.RoleViewer)
	b.Do(http.MethodPut, "/api/users/"+u.ID+"/person", admin, api.UserPerson{Person: "p2"}).Wants(204, nil)
	ask := api.PeopleImport{Preview: true, Accounts: []api.AccountOwner{{MachineID: "m2", Person: "p1"}, {MachineID: "m3", Person: "Анна"}}}
	var told api.PeopleImported
	b.Do(http.MethodPost, "/api/people/import", admin, ask).Wants(200, &told)
	want := api.AccountMoved{MachineID: "m2", From: "p2", Person: "p1", GroupsJoined: []string{"g"}, GroupsLeft: []string{}}
	if told.People != 2 || told.Joined != 1 || len(told.Accounts) != 1 || !reflect.DeepEqual(told.Accounts[0], want) ||
		len(told.Aside) != 1 || told.Aside[0].Person != "p2" || told.Aside[0].Users[0] != "boris" {
		t.Errorf("%+v", told)
	}
	if got := peopleSeen(b, admin, "/api/people"); got != "p1: m1, p2: m2, p3: m3" {
		t.Error("a preview has changed it: ", got)
	}
	ask.Preview = false
	b.Do(http.MethodPost, "/api/people/import", admin, ask).Wants(200, &told)
	if got := peopleSeen(b, admin, "/api/people"); got != "p1: m1 m2, p3: m3" || !reflect.DeepEqual(told.Accounts[0], want) {
		t.Error(got, told)
	}
	// A person who would have to be made has no id in a preview.
	ask = api.PeopleImport{Preview: true, Accounts: []api.AccountOwner{{MachineID: "m2", Person: "Berta"}}}
	b.Do(http.MethodPost, "/api/people/import", admin, ask).Wants(200, &told)
	if m := told.Accounts[0]; m.Person != "" || m.Label != "Berta" || len(m.GroupsLeft) != 1 {
		t.Errorf("%+v", told)
	}
	audit := b.Do(http.MethodGet, "/api/audit", admin, nil)
	if n := strings.Count(string(audit.Body), `"people.imported"`); n != 1 {
		t.Errorf("%d imports were written down: %s", n, audit.Body)
	}
	for body, status := range map[string]int{
		`{}`: 400, `{"accounts":[]}`: 400, `{"accounts":[{"machine_id":"m1","person":""}]}`: 400, `{"accounts":[{"machine_id":"","person":"A"}]}`: 400, `{"other":1}`: 400,
		`{"accounts":[{"machine_id":"m1","person":"A"},{"machine_id":"m1","person":"B"}]}`: 400, `{"accounts":[{"machine_id":"m1","person":"p99"}]}`: 404,
		`{"accounts":[{"machine_id":"m1","person":"A"},{"machine_id":"nobody","person":"A"}]}`: 404,
	} {
		if r := b.Do(http.MethodPost, "/api/people/import", admin, []byte(body)); r.Status != status {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	if got := peopleSeen(b, admin, "/api/people"); got != "p1: m1 m2, p3: m3" {
		t.Error(got)
	}
}
