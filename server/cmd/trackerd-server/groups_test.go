package main

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
	"activity-tracker.example/server/internal/store"
)

func (b *bench) machinesSeen(token, path string) string {
	b.t.Helper()
	var list api.MachineList
	b.do(http.MethodGet, path, token, nil).wants(200, &list)
	var ids []string
	for _, m := range list.Machines {
		ids = append(ids, m.MachineID)
	}
	return strings.Join(ids, " ")
}

func TestGroups(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, viewer, admin := b.host("h"), b.token(store.RoleViewer), b.token(store.RoleAdmin)
	b.send(host, minute("m1", 0), minute("m2", 0), minute("m/3", 0))
	const name = "Приёмная / 1"
	path := "/api/groups/" + url.PathEscape(name)

	var g api.Group
	b.do(http.MethodPut, path, admin, nil).wants(201, &g)
	if g.Name != name || g.Machines != 0 || g.CreatedAt.IsZero() {
		t.Errorf("%+v", g)
	}
	b.do(http.MethodPut, path, admin, nil).wants(200, &g)
	for range 2 {
		b.do(http.MethodPut, path+"/machines/m1", admin, nil).wants(204, nil)
		b.do(http.MethodPut, path+"/machines/m%2F3", admin, nil).wants(204, nil)
	}
	b.do(http.MethodGet, path, viewer, nil).wants(200, &g)
	if got := b.machinesSeen(viewer, path+"/machines"); got != "m/3 m1" || g.Machines != 2 {
		t.Errorf("%s, %+v", got, g)
	}
	if got := b.machinesSeen(viewer, "/api/machines?group="+url.QueryEscape(name)); got != "m/3 m1" {
		t.Error(got)
	}
	for range 2 {
		b.do(http.MethodDelete, path+"/machines/m1", admin, nil).wants(204, nil)
	}
	var set api.GroupMembersReply
	body := api.GroupMembers{Machines: []string{"m2", "nobody", "m1", "m2", "nobody"}}
	for range 2 {
		b.do(http.MethodPut, path+"/machines", admin, body).wants(200, &set)
		if set.Machines != 2 || fmt.Sprint(set.Unknown) != "[nobody]" {
			t.Errorf("%+v", set)
		}
	}
	if rows := b.do(http.MethodGet, path+"/machines?format=csv", viewer, nil).table(); len(rows) != 3 || rows[1][0] != "m1" || rows[2][0] != "m2" {
		t.Error(rows)
	}
	if rows := b.do(http.MethodGet, "/api/groups?format=csv", viewer, nil).table(); len(rows) != 2 || rows[1][0] != name || rows[1][1] != "2" {
		t.Error(rows)
	}
	b.do(http.MethodPut, path+"/machines", admin, api.GroupMembers{Machines: []string{}}).wants(200, &set)
	if got := b.machinesSeen(viewer, path+"/machines"); got != "" || set.Machines != 0 {
		t.Error(got, set)
	}

	// Renaming, and what is in its way.
	b.do(http.MethodPut, "/api/groups/other", admin, nil).wants(201, nil)
	b.do(http.MethodPatch, path, admin, map[string]string{"name": "other"}).refused(409, api.CodeGroupExists)
	b.do(http.MethodPatch, path, admin, map[string]string{"name": "Reception"}).wants(200, &g)
	b.do(http.MethodPatch, "/api/groups/Reception", admin, map[string]string{"name": "Reception"}).wants(200, &g)
	b.do(http.MethodGet, path, viewer, nil).refused(404, api.CodeNotFound)
	var page api.GroupList
	b.do(http.MethodGet, "/api/groups?limit=1", viewer, nil).wants(200, &page)
	if len(page.Groups) != 1 || page.Groups[0].Name != "Reception" {
		t.Errorf("%+v", page)
	}
	b.do(http.MethodGet, "/api/groups?limit=1&cursor="+page.NextCursor, viewer, nil).wants(200, &page)
	if len(page.Groups) != 1 || page.Groups[0].Name != "other" {
		t.Errorf("%+v", page)
	}
	b.do(http.MethodDelete, "/api/groups/Reception", admin, nil).wants(204, nil)
	b.do(http.MethodDelete, "/api/groups/Reception", admin, nil).refused(404, api.CodeNotFound)
}

// A list of which nothing is known is of something else, and takes no machine out
// of its group; one that names some that have not reported yet may be put again.
func TestGroupKeepsItsMachines(t *testing.T) {
	b := newBench(t, newDatabase(t))
	admin := b.token(store.RoleAdmin)
	b.send(b.host("h"), minute("m1", 0), minute("m2", 0))
	b.group("g", "m1", "m2")
	const path = "/api/groups/g/machines"
	put := func(ids ...string) reply {
		return b.do(http.MethodPut, path, admin, api.GroupMembers{Machines: ids})
	}
	for _, ids := range [][]string{{"nope"}, {"n2", "n1", "n2"}} {
		put(ids...).refused(404, api.CodeNotFound)
		if got := b.machinesSeen(admin, path); got != "m1 m2" {
			t.Errorf("after %q the group has %s", ids, got)
		}
	}
	var r api.GroupMembersReply
	put("n2", "m2", "n1", "n1").wants(200, &r)
	if got := b.machinesSeen(admin, path); got != "m2" || r.Machines != 1 || !slices.Equal(r.Unknown, []string{"n1", "n2"}) {
		t.Errorf("%s, %+v", got, r)
	}
	b.do(http.MethodPut, path, admin, []byte(`{"machines":[]}`)).wants(200, &r)
	if r.Machines != 0 || b.machinesSeen(admin, path) != "" {
		t.Errorf("%+v", r)
	}
	put("nope").refused(404, api.CodeNotFound)
}

func TestBadGroups(t *testing.T) {
	b := newBench(t, newDatabase(t))
	viewer, admin := b.token(store.RoleViewer), b.token(store.RoleAdmin)
	b.do(http.MethodPut, "/api/groups/g", admin, nil).wants(201, nil)
	for _, name := range []string{"%00", "%2E%2E", "%20x", "a%0Ab", "%ff", strings.Repeat("x", 129)} {
		b.do(http.MethodPut, "/api/groups/"+name, admin, nil).refused(400, api.CodeBadRequest)
		b.do(http.MethodGet, "/api/groups/"+name, viewer, nil).refused(404, api.CodeNotFound)
		b.do(http.MethodGet, "/api/groups/"+name+"/machines", viewer, nil).refused(404, api.CodeNotFound)
		b.do(http.MethodGet, "/api/machines?group="+name, viewer, nil).refused(404, api.CodeNotFound)
		b.do(http.MethodDelete, "/api/groups/"+name, admin, nil).refused(404, api.CodeNotFound)
		b.do(http.MethodPatch, "/api/groups/"+name, admin, map[string]string{"name": "y"}).refused(404, api.CodeNotFound)
		b.do(http.MethodPut, "/api/groups/"+name+"/machines/m", admin, nil).refused(404, api.CodeNotFound)
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
		b.do(r.method, r.path, admin, []byte(r.body)).refused(400, api.CodeBadRequest)
	}
	huge := append([]byte(`{"machines":["`), bytes.Repeat([]byte("x"), 9<<20)...)
	b.do(http.MethodPut, "/api/groups/g/machines", admin, huge).refused(413, api.CodeTooLarge)
	b.do(http.MethodPut, "/api/groups/none/machines", admin, api.GroupMembers{Machines: []string{"m"}}).refused(404, api.CodeNotFound)
	b.do(http.MethodPut, "/api/groups/g/machines/none", admin, nil).refused(404, api.CodeNotFound)
	b.do(http.MethodDelete, "/api/groups/g/machines/none", admin, nil).refused(404, api.CodeNotFound)
	for _, path := range []string{"/api/groups", "/api/groups/g/machines"} {
		b.do(http.MethodGet, path, viewer, nil, "Accept", "image/png").refused(406, api.CodeNotAcceptable)
	}
}

// What is out of a limited token's scope looks like what does not exist, on every
// way to it, and stays so when its groups are gone.
func TestLimitedToken(t *testing.T) {
	b := newBench(t, newDatabase(t))
	host, admin := b.host("h"), b.token(store.RoleAdmin)
	b.send(host, minute("in", 0), minute("out", 0), minute("second", 0))
	for group, machine := range map[string]string{"mine": "in", "theirs": "out", "shared": "second"} {
		b.do(http.MethodPut, "/api/groups/"+group, admin, nil).wants(201, nil)
		b.do(http.MethodPut, "/api/groups/"+group+"/machines/"+machine, admin, nil).wants(204, nil)
	}
	token := b.limited("mine", "shared")
	const span = "start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	paths := []string{
		"/api/machines/%s", "/api/activity/%s/summary?date=2024-01-15", "/api/activity/%s/timeline?date=2024-01-15",
		"/api/activity/%s/events?" + span, "/api/activity/%s/events?format=csv&" + span,
	}
	groups := []string{"/api/groups/%s", "/api/groups/%s/machines", "/api/groups/%s/machines?format=csv", "/api/machines?group=%s", "/api/machines?format=csv&group=%s"}
	same := func(path, seen, hidden, none string) {
		t.Helper()
		b.do(http.MethodGet, fmt.Sprintf(path, seen), token, nil).wants(200, nil)
		r, missing := b.do(http.MethodGet, fmt.Sprintf(path, hidden), token, nil), b.do(http.MethodGet, fmt.Sprintf(path, none), token, nil)
		r.refused(404, api.CodeNotFound)
		if string(r.body) != string(missing.body) || r.status != missing.status {
			t.Errorf("%s differs from %s", r.body, missing.body)
		}
	}
	for _, path := range paths {
		same(path, "in", "out", "none")
	}
	for _, path := range groups {
		same(path, "mine", "theirs", "none")
	}
	if got := b.machinesSeen(token, "/api/machines"); got != "in second" {
		t.Error(got)
	}
	if rows := b.do(http.MethodGet, "/api/machines?format=csv", token, nil).table(); len(rows) != 3 {
		t.Error(rows)
	}
	var list api.GroupList
	b.do(http.MethodGet, "/api/groups", token, nil).wants(200, &list)
	if len(list.Groups) != 2 || list.Groups[0].Name != "mine" {
		t.Errorf("%+v", list)
	}
	b.do(http.MethodPut, "/api/groups/mine/machines/out", token, nil).refused(403, api.CodeForbidden)
	// Changes hold at once, renaming keeps the limit, and without groups nothing is left.
	b.do(http.MethodDelete, "/api/groups/shared/machines/second", admin, nil).wants(204, nil)
	b.do(http.MethodPatch, "/api/groups/mine", admin, map[string]string{"name": "ours"}).wants(200, nil)
	if got := b.machinesSeen(token, "/api/machines"); got != "in" {
		t.Error(got)
	}
	for _, group := range []string{"ours", "shared"} {
		b.do(http.MethodDelete, "/api/groups/"+group, admin, nil).wants(204, nil)
	}
	// A group of that name made anew is another one.
	b.do(http.MethodPut, "/api/groups/ours", admin, nil).wants(201, nil)
	b.do(http.MethodPut, "/api/groups/ours/machines/in", admin, nil).wants(204, nil)
	if got := b.machinesSeen(token, "/api/machines"); got != "" {
		t.Errorf("a token without groups sees %s", got)
	}
	b.do(http.MethodGet, "/api/machines/in", token, nil).refused(404, api.CodeNotFound)
}

// Any name that the server takes comes back as it is and is found by itself.
func FuzzGroupName(f *testing.F) {
	for _, name := range []string{"a", "Приёмная", "a/b", "..", "%2F", "a b", " a", "\x00", "\xff", "é", "é", strings.Repeat("x", 129)} {
		f.Add(name)
	}
	b := newBench(f, newDatabase(f))
	admin := b.token(store.RoleAdmin)
	f.Fuzz(func(t *testing.T, name string) {
		path := "/api/groups/" + url.PathEscape(name)
		b := *b
		b.t = t
		r := b.do(http.MethodPut, path, admin, nil)
		if r.status != 201 {
			if r.status != 400 && r.status != 404 && r.status != 405 {
				t.Fatalf("%q: %d %s", name, r.status, r.body)
			}
			return
		}
		var g api.Group
		if err := json.Unmarshal(r.body, &g); err != nil || g.Name != name || !utf8.ValidString(name) || len(name) > api.MaxGroupBytes {
			t.Errorf("%q became %q (%v)", name, g.Name, err)
		}
		b.do(http.MethodGet, path, admin, nil).wants(200, &g)
		if err := b.store.RemoveGroup(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
}
