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
	if got := peopleSeen(b, admin, "/api/people?machine_id=m100"); got != "p101: m100" {
		t.Error(got)
	}
}
