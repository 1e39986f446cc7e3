package now

import (
	"fmt"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// many are groups of five accounts, and five that are in none.
func many(groups int) *live.Overview {
	o := &live.Overview{All: live.Counts{}, Alone: live.Counts{api.MachineActive: 2, api.MachineOffline: 3}, AloneKeys: []int32{1, 2, 3, 4, 5}}
	for g := range groups {
		one := live.GroupCounts{Counts: live.Counts{api.MachineIdle: 1, api.MachineLocked: 4}}
		one.GroupMembers = query.GroupMembers{Key: int32(g), Name: fmt.Sprint("group ", g), People: access.Anonymous}
		for i := range 5 {
			one.Machines = append(one.Machines, int32(10+5*g+i))
		}
		o.Groups = append(o.Groups, one)
	}
	return o
}

// Each group has its counts, as have accounts that are in none; who is limited to some groups
// sees those.
func TestOverview(t *testing.T) {
	counted := many(200)
	var s view
	s.overview(t.Context(), directory.Scope{}, counted)
	if len(s.Overview) != 201 || s.Overview[0].N != 5 || s.Overview[200].Name != "" || s.Overview[200].N != 5 {
		t.Errorf("%d: %+v %+v", len(s.Overview), s.Overview[0], s.Overview[len(s.Overview)-1])
	}
	if counts := s.Overview[7].Counts; counts[1].N != 1 || counts[2].N != 4 || counts[2].State != string(api.MachineLocked) {
		t.Errorf("%+v", counts)
	}
	s = view{}
	s.overview(t.Context(), directory.OfGroups([]int32{3}), counted)
	if len(s.Overview) != 1 || s.Overview[0].Name != "group 3" || s.Overview[0].N != 5 {
		t.Errorf("%+v", s.Overview)
	}
}

// The counts of a few people show what each of them does, and are written down.
func TestOverviewOfFew(t *testing.T) {
	counted := many(10)
	counted.Groups[7].People = access.Anonymous - 1
	ctx, seen := access.Collect(t.Context())
	var s view
	s.overview(ctx, directory.Scope{}, counted)
	if got := seen.Take().Len(); got != len(counted.Groups[7].Machines) {
		t.Errorf("%d are written down", got)
	}
	counted.AloneKeys = counted.AloneKeys[:access.Anonymous-1]
	s.overview(ctx, directory.Scope{}, counted)
	if got := seen.Take().Len(); got != len(counted.Groups[7].Machines)+len(counted.AloneKeys) {
		t.Errorf("%d are written down", got)
	}
}
