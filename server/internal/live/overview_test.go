package live

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/query"
)

// office are machines, every second of which is idle, in groups that some of them are in twice.
func office(machines, groups int) (map[int32]*Item, []query.GroupMembers) {
	items, list := map[int32]*Item{}, make([]query.GroupMembers, groups)
	for i := range machines {
		status := api.MachineActive
		if i%2 == 1 {
			status = api.MachineIdle
		}
		items[int32(i)] = &Item{Key: int32(i), Machine: api.LiveMachine{Status: status}}
	}
	for g := range list {
		list[g] = query.GroupMembers{Key: int32(g), Name: fmt.Sprint("group ", g)}
		for i := g; i < machines; i += groups + 1 { // the last ones are in none
			list[g].Machines = append(list[g].Machines, int32(i))
		}
	}
	list[0].Machines = append(list[0].Machines, list[groups-1].Machines...)
	list[0].Machines = append(list[0].Machines, -1) // it was erased since
	return items, list
}

// Each machine is counted once in all, in each of its groups, and else among those in none.
func TestCounts(t *testing.T) {
	items, groups := office(30, 5) // of 6
	c := newCounting(groups)
	o := c.of(items)
	if want := (Counts{api.MachineActive: 15, api.MachineIdle: 15}); !maps.Equal(o.All, want) {
		t.Errorf("all: %v", o.All)
	}
	if want := (Counts{api.MachineIdle: 5}); !maps.Equal(o.Alone, want) || len(o.AloneKeys) != 5 {
		t.Errorf("alone: %v, %v", o.Alone, o.AloneKeys)
	}
	if want := (Counts{api.MachineActive: 10}); !maps.Equal(o.Groups[0].Counts, want) || o.Groups[1].Name != "group 1" {
		t.Errorf("groups: %v", o.Groups)
	}
}

// Who looks again gets what was shown, until that is old; an overview only once somebody
// wanted one.
func TestLookAgain(t *testing.T) {
	b := New(nil, Options{Poll: time.Minute})
	if got := b.look(false); got.items != nil || !b.wanting() || b.wantsCounts() {
		t.Errorf("before anything was read: %v", got)
	}
	b.items, b.read = map[int32]*Item{7: {Key: 7}}, time.Now()
	b.publish(nil)
	if got := b.look(false); len(got.items) != 1 || got.overview != nil {
		t.Errorf("%v", got)
	}
	b.look(true)
	if !b.wantsCounts() {
		t.Error("nobody wants an overview")
	}
	b.counting.overview = &Overview{}
	b.publish(nil)
	if got := b.look(true); got.overview == nil {
		t.Error("there is no overview")
	}
	b.read = b.read.Add(-3 * time.Minute)
	b.publish(nil)
	if got := b.look(true); got.items != nil || got.overview != nil {
		t.Errorf("of three minutes ago: %v", got)
	}
	b.looked = b.looked.Add(-2 * lookedFor)
	if b.wanting() {
		t.Error("the board goes on though nobody looks")
	}
}

func BenchmarkCounts(b *testing.B) {
	items, groups := office(100_000, 200)
	c := newCounting(groups)
	for b.Loop() {
		c.of(items)
	}
}
