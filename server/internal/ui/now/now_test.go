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

// many are 100,000 machines in 200 groups.
func many(tb testing.TB, machines int) (items []*live.Item, groups []query.GroupMembers) {
	tb.Helper()
	for i := range machines {
		items = append(items, &live.Item{Key: int32(i), Machine: api.LiveMachine{
			MachineID: fmt.Sprint("office-", i), Username: fmt.Sprint("user ", i), Hostname: "office", Status: order()[i%len(order())],
		}})
	}
	const all = 200
	for g := range all {
		one := query.GroupMembers{Key: int32(g), Name: fmt.Sprint("group ", g), People: 500}
		for i := g; i < machines; i += all + 1 { // the last ones are in none
			one.Machines = append(one.Machines, int32(i))
		}
		groups = append(groups, one)
	}
	return items, groups
}

// Each group has its counts, as have accounts that are in none; who is limited to some groups
// sees those.
func TestOverview(t *testing.T) {
	items, groups := many(t, 1005)
	var s view
	s.overview(t.Context(), directory.Scope{}, groups, items)
	if len(s.Overview) != 201 || s.Overview[0].N != 5 || s.Overview[200].Name != "" || s.Overview[200].N != 5 {
		t.Errorf("%d: %+v %+v", len(s.Overview), s.Overview[0], s.Overview[len(s.Overview)-1])
	}
	n := 0
	for _, g := range s.Overview {
		for i, c := range g.Counts {
			if c.N > 0 && place(api.MachineStatus(c.State)) != i {
				t.Errorf("%s is at %d", c.State, i)
			}
			n += c.N
		}
	}
	if n != len(items) {
		t.Errorf("%d are counted", n)
	}
	s = view{}
	s.overview(t.Context(), directory.OfGroups([]int32{3}), groups, items[:10])
	if len(s.Overview) != 2 || s.Overview[0].Name != "group 3" || s.Overview[0].N != 1 {
		t.Errorf("%+v", s.Overview)
	}
}

// The counts of a few people show what each of them does, and are written down.
func TestOverviewOfFew(t *testing.T) {
	items, groups := many(t, 1005)
	groups[7].People = access.Anonymous - 1
	ctx, seen := access.Collect(t.Context())
	var s view
	s.overview(ctx, directory.Scope{}, groups, items)
	if got := seen.Take().Len(); got != len(groups[7].Machines) {
		t.Errorf("%d are written down", got)
	}
}

func BenchmarkOverview(b *testing.B) {
	items, groups := many(b, 100_000)
	for b.Loop() {
		var s view
		s.overview(b.Context(), directory.Scope{}, groups, items)
	}
}
