package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// A machine has its groups in JSON and in a table, whatever they are called, and
// a limited token none that it may not see.
func TestMachineTellsItsGroups(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer, admin := b.Host("h"), b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	b.Send(host, servertest.Minute("m", 0), servertest.Minute("alone", 0))
	groups := []string{`"quoted", comma`, "+1;=2", "<b>", "=cmd|' /C calc'!A0", "@x;-1", "R&D", "Приёмная / 1"}
	for _, name := range groups {
		path := "/api/groups/" + url.PathEscape(name)
		b.Do(http.MethodPut, path, admin, nil).Wants(201, nil)
		b.Do(http.MethodPut, path+"/machines/m", admin, nil).Wants(204, nil)
	}
	tell := func(token, machine string) []string {
		t.Helper()
		var m api.Machine
		b.Do(http.MethodGet, "/api/machines/"+machine, token, nil).Wants(200, &m)
		var list api.MachineList
		b.Do(http.MethodGet, "/api/machines", token, nil).Wants(200, &list)
		if !slices.ContainsFunc(list.Machines, func(listed api.Machine) bool { return reflect.DeepEqual(listed, m) }) {
			t.Errorf("%+v is not in %+v", m, list)
		}
		return m.Groups
	}
	if got := tell(viewer, "m"); !slices.Equal(got, groups) {
		t.Errorf("%q", got)
	}
	if got := tell(viewer, "alone"); got == nil || len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := tell(b.Limited("<b>", "@x;-1"), "m"); !slices.Equal(got, []string{"<b>", "@x;-1"}) {
		t.Errorf("a limited token learns of %q", got)
	}
	var m api.Machine
	b.Do(http.MethodPatch, "/api/machines/m", admin, map[string]string{"user_label": "x"}).Wants(200, &m)
	if !slices.Equal(m.Groups, groups) {
		t.Errorf("%q", m.Groups)
	}
	rows := b.Do(http.MethodGet, "/api/machines?format=csv", viewer, nil).Table()
	column := slices.Index(rows[0], "groups")
	if len(rows) != 3 || rows[1][column] != "" || rows[2][0] != "m" {
		t.Fatalf("%q", rows)
	}
	if !strings.Contains(rows[2][column], `"R&D"`) || !strings.Contains(rows[2][column], `"<b>"`) {
		t.Errorf("nobody can read %s", rows[2][column])
	}
	var told []string
	if err := json.Unmarshal([]byte(rows[2][column]), &told); err != nil {
		t.Fatalf("%v: %s", err, rows[2][column])
	}
	// What follows a semicolon could run where that separates.
	want := slices.Clone(groups)
	want[1], want[4] = "+1;'=2", "@x;'-1"
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
