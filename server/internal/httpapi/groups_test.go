package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

func machinesSeen(b *servertest.Bench, token, path string) string {
	b.T.Helper()
	var list api.MachineList
	b.Do(http.MethodGet, path, token, nil).Wants(200, &list)
	var ids []string
	for _, m := range list.Machines {
		ids = append(ids, m.MachineID)
	}
	return strings.Join(ids, " ")
}

func TestGroups(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer, admin := b.Host("h"), b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	b.Send(host, servertest.Minute("m1", 0), servertest.Minute("m2", 0), servertest.Minute("m/3", 0))
	const name = "Приёмная / 1"
	path := "/api/groups/" + url.PathEscape(name)

	var g api.Group
	b.Do(http.MethodPut, path, admin, nil).Wants(201, &g)
	if g.Name != name || g.Machines != 0 || g.CreatedAt.IsZero() {
		t.Errorf("%+v", g)
	}
	b.Do(http.MethodPut, path, admin, nil).Wants(200, &g)
	for range 2 {
		b.Do(http.MethodPut, path+"/machines/m1", admin, nil).Wants(204, nil)
		b.Do(http.MethodPut, path+"/machines/m%2F3", admin, nil).Wants(204, nil)
	}
	b.Do(http.MethodGet, path, viewer, nil).Wants(200, &g)
	if got := machinesSeen(b, viewer, path+"/machines"); got != "m/3 m1" || g.Machines != 2 {
		t.Errorf("%s, %+v", got, g)
	}
	if got := machinesSeen(b, viewer, "/api/machines?group="+url.QueryEscape(name)); got != "m/3 m1" {
		t.Error(got)
	}
	for range 2 {
		b.Do(http.MethodDelete, path+"/machines/m1", admin, nil).Wants(204, nil)
	}
	var set api.GroupMembersReply
	body := api.GroupMembers{Machines: []string{"m2", "nobody", "m1", "m2", "nobody"}}
	for range 2 {
		b.Do(http.MethodPut, path+"/machines", admin, body).Wants(200, &set)
		if set.Machines != 2 || fmt.Sprint(set.Unknown) != "[nobody]" {
			t.Errorf("%+v", set)
		}
	}
	if rows := b.Do(http.MethodGet, path+"/machines?format=csv", viewer, nil).Table(); len(rows) != 3 || rows[1][0] != "m1" || rows[2][0] != "m2" {
		t.Error(rows)
	}
	if rows := b.Do(http.MethodGet, "/api/groups?format=csv", viewer, nil).Table(); len(rows) != 2 || rows[1][0] != name || rows[1][1] != "2" {
		t.Error(rows)
	}
	b.Do(http.MethodPut, path+"/machines", admin, api.GroupMembers{Machines: []string{}}).Wants(200, &set)
	if got := machinesSeen(b, viewer, path+"/machines"); got != "" || set.Machines != 0 {
		t.Error(got, set)
	}

	// Renaming, and what is in its way.
	b.Do(http.MethodPut, "/api/groups/other", admin, nil).Wants(201, nil)
	b.Do(http.MethodPatch, path, admin, map[string]string{"name": "other"}).Refused(409, api.CodeGroupExists)
	b.Do(http.MethodPatch, path, admin, map[string]string{"name": "Reception"}).Wants(200, &g)
	b.Do(http.MethodPatch, "/api/groups/Reception", admin, map[string]string{"name": "Reception"}).Wants(200, &g)
	b.Do(http.MethodGet, path, viewer, nil).Refused(404, api.CodeNotFound)
	var page api.GroupList
	b.Do(http.MethodGet, "/api/groups?limit=1", viewer, nil).Wants(200, &page)
	if len(page.Groups) != 1 || page.Groups[0].Name != "Reception" {
		t.Errorf("%+v", page)
	}
	b.Do(http.MethodGet, "/api/groups?limit=1&cursor="+page.NextCursor, viewer, nil).Wants(200, &page)
	if len(page.Groups) != 1 || page.Groups[0].Name != "other" {
		t.Errorf("%+v", page)
	}
	b.Do(http.MethodDelete, "/api/groups/Reception", admin, nil).Wants(204, nil)
	b.Do(http.MethodDelete, "/api/groups/Reception", admin, nil).Refused(404, api.CodeNotFound)
}

// A list of which nothing is known is of something else, and takes no machine out
// of its group; one that names some that have not reported yet may be put again.
func TestGroupKeepsItsMachines(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Send(b.Host("h"), servertest.Minute("m1", 0), servertest.Minute("m2", 0))
	b.Group("g", "m1", "m2")
	const path = "/api/groups/g/machines"
	put := func(ids ...string) servertest.Reply {
		return b.Do(http.MethodPut, path, admin, api.GroupMembers{Machines: ids})
	}
	for _, ids := range [][]string{{"nope"}, {"n2", "n1", "n2"}} {
		put(ids...).Refused(404, api.CodeNotFound)
		if got := machinesSeen(b, admin, path); got != "m1 m2" {
			t.Errorf("after %q the group has %s", ids, got)
		}
	}
	var r api.GroupMembersReply
	put("n2", "m2", "n1", "n1").Wants(200, &r)
	if got := machinesSeen(b, admin, path); got != "m2" || r.Machines != 1 || !slices.Equal(r.Unknown, []string{"n1", "n2"}) {
		t.Errorf("%s, %+v", got, r)
	}
	b.Do(http.MethodPut, path, admin, []byte(`{"machines":[]}`)).Wants(200, &r)
	if r.Machines != 0 || machinesSeen(b, admin, path) != "" {
		t.Errorf("%+v", r)
	}
	put("nope").Refused(404, api.CodeNotFound)
}

func TestBadGroups(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer, admin := b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	b.Do(http.MethodPut, "/api/groups/g", admin, nil).Wants(201, nil)
	for _, name := range []string{"%00", "%2E%2E", "%20x", "a%0Ab", "%ff", strings.Repeat("x", 129)} {
		b.Do(http.MethodPut, "/api/groups/"+name, admin, nil).Refused(400, api.CodeBadRequest)
		b.Do(http.MethodGet, "/api/groups/"+name, viewer, nil).Refused(404, api.CodeNotFound)
		b.Do(http.MethodGet, "/api/groups/"+name+"/machines", viewer, nil).Refused(404, api.CodeNotFound)
		b.Do(http.MethodGet, "/api/machines?group="+name, viewer, nil).Refused(404, api.CodeNotFound)
		b.Do(http.MethodDelete, "/api/groups/"+name, admin, nil).Refused(404, api.CodeNotFound)
		b.Do(http.MethodPatch, "/api/groups/"+name, admin, map[string]string{"name": "y"}).Refused(404, api.CodeNotFound)
		b.Do(http.MethodPut, "/api/groups/"+name+"/machines/m", admin, nil).Refused(404, api.CodeNotFound)
	}
	for _, r := range []struct{ method, path, body string }{
		{http.MethodPatch, "/api/groups/g", `{"name":" x"}`},
		{http.MethodPatch, "/api/groups/g", `{}`},
		{http.MethodPatch, "/api/groups/g", `no`},
		{http.MethodPut, "/api/groups/g/machines", `{}`},
		{http.MethodPut, "/api/groups/g/machines", `["m"]`},
		{http.MethodPut, "/api/groups/g/machines", `{"machines":["a\u0000"]}`},
		{http.MethodPut, "/api/groups/g/machines", `{"machines":[` + strings.Repeat(`"m",`, api.MaxGroupMembers) + `"m"]}`},
		{http.MethodGet, "/api/groups?limit=0", ""},
		{http.MethodGet, "/api/groups?cursor=bQ", ""},
		{http.MethodGet, "/api/groups/g/machines?limit=x", ""},
	} {
		b.Do(r.method, r.path, admin, []byte(r.body)).Refused(400, api.CodeBadRequest)
	}
	huge := append([]byte(`{"machines":["`), bytes.Repeat([]byte("x"), 9<<20)...)
	b.Do(http.MethodPut, "/api/groups/g/machines", admin, huge).Refused(413, api.CodeTooLarge)
	b.Do(http.MethodPut, "/api/groups/none/machines", admin, api.GroupMembers{Machines: []string{"m"}}).Refused(404, api.CodeNotFound)
	b.Do(http.MethodPut, "/api/groups/g/machines/none", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/groups/g/machines/none", admin, nil).Refused(404, api.CodeNotFound)
	for _, path := range []string{"/api/groups", "/api/groups/g/machines"} {
		b.Do(http.MethodGet, path, viewer, nil, "Accept", "image/png").Refused(406, api.CodeNotAcceptable)
	}
}

// What is out of a limited token's scope looks like what does not exist, on every
// way to it, and stays so when its groups are gone.
func TestLimitedToken(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, admin := b.Host("h"), b.Token(directory.RoleAdmin)
	b.Send(host, servertest.Minute("in", 0), servertest.Minute("out", 0), servertest.Minute("second", 0))
	for group, machine := range map[string]string{"mine": "in", "theirs": "out", "shared": "second"} {
		b.Do(http.MethodPut, "/api/groups/"+group, admin, nil).Wants(201, nil)
		b.Do(http.MethodPut, "/api/groups/"+group+"/machines/"+machine, admin, nil).Wants(204, nil)
	}
	token := b.Limited("mine", "shared")
	const span = "start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	paths := []string{
		"/api/machines/%s", "/api/activity/%s/summary?date=2024-01-15", "/api/activity/%s/timeline?date=2024-01-15",
		"/api/activity/%s/events?" + span, "/api/activity/%s/events?format=csv&" + span,
	}
	groups := []string{"/api/groups/%s", "/api/groups/%s/machines", "/api/groups/%s/machines?format=csv", "/api/machines?group=%s", "/api/machines?format=csv&group=%s"}
	same := func(path, seen, hidden, none string) {
		t.Helper()
		b.Do(http.MethodGet, fmt.Sprintf(path, seen), token, nil).Wants(200, nil)
		r, missing := b.Do(http.MethodGet, fmt.Sprintf(path, hidden), token, nil), b.Do(http.MethodGet, fmt.Sprintf(path, none), token, nil)
		r.Refused(404, api.CodeNotFound)
		if string(r.Body) != string(missing.Body) || r.Status != missing.Status {
			t.Errorf("%s differs from %s", r.Body, missing.Body)
		}
	}
	for _, path := range paths {
		same(path, "in", "out", "none")
	}
	for _, path := range groups {
		same(path, "mine", "theirs", "none")
	}
	if got := machinesSeen(b, token, "/api/machines"); got != "in second" {
		t.Error(got)
	}
	if rows := b.Do(http.MethodGet, "/api/machines?format=csv", token, nil).Table(); len(rows) != 3 {
		t.Error(rows)
	}
	var list api.GroupList
	b.Do(http.MethodGet, "/api/groups", token, nil).Wants(200, &list)
	if len(list.Groups) != 2 || list.Groups[0].Name != "mine" {
		t.Errorf("%+v", list)
	}
	b.Do(http.MethodPut, "/api/groups/mine/machines/out", token, nil).Refused(403, api.CodeForbidden)
	// Changes hold at once, renaming keeps the limit, and without groups nothing is left.
	b.Do(http.MethodDelete, "/api/groups/shared/machines/second", admin, nil).Wants(204, nil)
	b.Do(http.MethodPatch, "/api/groups/mine", admin, map[string]string{"name": "ours"}).Wants(200, nil)
	if got := machinesSeen(b, token, "/api/machines"); got != "in" {
		t.Error(got)
	}
	for _, group := range []string{"ours", "shared"} {
		b.Do(http.MethodDelete, "/api/groups/"+group, admin, nil).Wants(204, nil)
	}
	// A group of that name made anew is another one.
	b.Do(http.MethodPut, "/api/groups/ours", admin, nil).Wants(201, nil)
	b.Do(http.MethodPut, "/api/groups/ours/machines/in", admin, nil).Wants(204, nil)
	if got := machinesSeen(b, token, "/api/machines"); got != "" {
		t.Errorf("a token without groups sees %s", got)
	}
	b.Do(http.MethodGet, "/api/machines/in", token, nil).Refused(404, api.CodeNotFound)
}

// Any name that the server takes comes back as it is and is found by itself.
func FuzzGroupName(f *testing.F) {
	for _, name := range []string{"a", "Приёмная", "a/b", "..", "%2F", "a b", " a", "\x00", "\xff", "é", "é", strings.Repeat("x", 129)} {
		f.Add(name)
	}
	b := servertest.New(f, servertest.NewDatabase(f))
	admin := b.Token(directory.RoleAdmin)
	f.Fuzz(func(t *testing.T, name string) {
		path := "/api/groups/" + url.PathEscape(name)
		b := *b
		b.T = t
		r := b.Do(http.MethodPut, path, admin, nil)
		if r.Status != 201 {
			if r.Status != 400 && r.Status != 404 && r.Status != 405 {
				t.Fatalf("%q: %d %s", name, r.Status, r.Body)
			}
			return
		}
		var g api.Group
		if err := json.Unmarshal(r.Body, &g); err != nil || g.Name != name || !utf8.ValidString(name) || len(name) > api.MaxGroupBytes {
			t.Errorf("%q became %q (%v)", name, g.Name, err)
		}
		b.Do(http.MethodGet, path, admin, nil).Wants(200, &g)
		if err := b.Store.RemoveGroup(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
}
