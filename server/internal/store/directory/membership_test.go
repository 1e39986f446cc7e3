package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A machine has its groups, and for a limited token those alone that it is limited
// to, whichever way it comes to the machine.
func TestMembership(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	var events []api.Event
	for i := range 4 {
		events = append(events, api.Event{MachineID: fmt.Sprintf("m%d", i), Timestamp: now, KeyCount: 1})
	}
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	makeGroups(t, s, map[string][]string{"b": {"m1", "m2"}, "ä": {"m1"}, "Z": {"m1", "m2"}, "a": {"m1", "m3"}, "none": {}})
	for _, test := range []struct {
		scope directory.Scope
		want  string
	}{
		{directory.Scope{}, "m0: m1:Z,a,b,ä m2:Z,b m3:a"},
		{scopeOf(t, s, "b", "none"), "m1:b m2:b"},
		{scopeOf(t, s, "a", "Z"), "m1:Z,a m2:Z m3:a"},
		{scopeOf(t, s, "none"), ""},
		{directory.Nothing(), ""},
	} {
		tell := func(m directory.Machine) string { return m.MachineID + ":" + strings.Join(m.Groups, ",") }
		list, err := s.Machines(t.Context(), directory.MachineFilter{Scope: test.scope, Limit: 10})
		var told []string
		for _, m := range list {
			told = append(told, tell(m))
			one, err := s.MachineByID(t.Context(), test.scope, m.MachineID)
			if err != nil || tell(one) != tell(m) {
				t.Errorf("%s became %s (%v)", tell(m), tell(one), err)
			}
			if one, err = s.SetLabel(t.Context(), test.scope, m.MachineID, "label"); err != nil || tell(one) != tell(m) {
				t.Errorf("%s became %s (%v)", tell(m), tell(one), err)
			}
		}
		if got := strings.Join(told, " "); got != test.want || err != nil {
			t.Errorf("%+v: %s, want %s (%v)", test.scope, got, test.want, err)
		}
	}
	// A group's machines have all their groups, not that one alone.
	list, err := s.Machines(t.Context(), directory.MachineFilter{Group: "a", Limit: 10})
	if err != nil || len(list) != 2 || strings.Join(list[0].Groups, ",") != "Z,a,b,ä" {
		t.Errorf("%+v, %v", list, err)
	}
	many := map[string][]string{}
	for i := range directory.MaxMembership + 10 {
		many[fmt.Sprintf("n%03d", i)] = []string{"m0"}
	}
	makeGroups(t, s, many)
	m, err := s.MachineByID(t.Context(), directory.Scope{}, "m0")
	if err != nil || len(m.Groups) != directory.MaxMembership || !slices.IsSorted(m.Groups) {
		t.Errorf("%q, %v", m.Groups, err)
	}
}
