package people_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/storetest"
)

// told is an account as the model of the rule knows it; person and home are in the bench's.
type told struct {
	id, host, user string
	// made is in which order it was made.
	made          int
	late, unruled bool
	// hand is joined, parted or nothing.
	hand string
}

// ruledGroup is a host group of the model.
type ruledGroup struct {
	hosts map[string]bool
	ruled bool
}

// office is a bench with hosts, groups of them, and accounts with user names.
type office struct {
	*bench
	url      string
	hosts    map[string]int64
	persons  map[string]bool // hosts where one person measures themselves
	accounts map[string]*told
	groups   map[string]*ruledGroup
	minute   int
	made     int
	heard    int64 // the last entry of the audit log that was looked at
}

var (
	hostIDs   = []string{"h0", "h1", "h2", "h3"}
	userNames = []string{"ann", "ann", "bob", "bob", "Ann", `DOM\ann`, "root", "", ""}
)

func newOffice(t *testing.T, seed uint64) *office {
	t.Helper()
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	o := &office{
		bench: &bench{
			t: t, s: storetest.OpenAt(t, url, partition.Retention{}, now), r: rand.New(rand.NewPCG(seed, 2)), now: now,
			model: model{map[string]int64{}, map[string]int64{}, map[string]map[string]bool{}, map[string]map[int64]bool{}, map[int64]string{}},
		},
		url: url, hosts: map[string]int64{}, persons: map[string]bool{}, accounts: map[string]*told{}, groups: map[string]*ruledGroup{},
	}
	for _, g := range groups {
		if _, _, err := o.s.AddGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		o.direct[g], o.people[g] = map[string]bool{}, map[int64]bool{}
	}
	for _, id := range hostIDs {
		o.hosts[id] = storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('"+id+"', '', '') RETURNING id")
	}
	return o
}

// send has a host send an event, later than all before, of an account that may be new.
func (o *office) send(host, id, user string, system bool) {
	o.t.Helper()
	o.minute++
	e := api.Event{MachineID: id, Timestamp: o.now.Add(time.Duration(o.minute) * time.Minute), KeyCount: 1, Username: user, SystemUser: system}
	storetest.Accepted(o.t, o.s, o.hosts[host], []api.Event{e}, 1)
	a, known := o.accounts[id]
	if !known {
		a = &told{id: id, host: host, made: o.made}
		o.made++
		o.accounts[id], o.names = a, append(o.names, id)
		o.home[id] = storetest.Ask[int64](o.t, o.url, "SELECT home FROM account a JOIN machine m ON m.id = a.machine WHERE m.machine_id = '"+id+"'")
		o.person[id] = o.home[id]
	}
	unruled := a.unruled || system || user == "root" || user != "" && a.user != "" && a.user != user
	if unruled && !a.unruled && known {
		o.leaveHome(a)
	}
	if user != "" && a.user == "" {
		a.user, a.late = user, known
	}
	a.unruled = unruled
	o.settle()
}

// leaveHome has an account that no rule goes by any more change homes with the next of those
// that a rule joined to it.
func (o *office) leaveHome(a *told) {
	if o.rule(a) == "" || a.hand != "" || o.person[a.id] != o.home[a.id] {
		return
	}
	home, before := o.home[a.id], maps.Clone(o.home)
	o.succeed(a, home)
	for id, h := range o.home {
		if before[id] != h {
			o.home[a.id] = before[id]
		}
	}
}

// set sets a host group, if that may be, and the model with it.
func (o *office) set(name string, same *bool, hosts ...string) {
	o.t.Helper()
	g := cmp.Or(o.groups[name], &ruledGroup{hosts: map[string]bool{}})
	next := &ruledGroup{hosts: map[string]bool{}, ruled: g.ruled}
	var want error
	for _, h := range hosts {
		next.hosts[h] = true
		if !g.hosts[h] && g.ruled && same == nil {
			want = policies.ErrUnconfirmed
		}
	}
	if same != nil {
		next.ruled = *same
	}
	for other, g := range o.groups {
		for h := range next.hosts {
			if other != name && want == nil && next.ruled && g.ruled && g.hosts[h] {
				want = policies.ErrRulesOfHost
			}
		}
	}
	err := o.s.Policies.SetHostGroup(o.t.Context(), policies.HostGroupChange{Name: name, Hosts: hosts, SameDirectory: same, By: "test"})
	if !errors.Is(err, want) {
		o.t.Fatalf("setting %s to %v: %v, want %v", name, hosts, err, want)
	}
	if want == nil {
		o.groups[name] = next
		o.settle()
	}
}

// rule is the host group whose rule an account is under, if any.
func (o *office) rule(a *told) string {
	if a.user == "" || a.unruled || o.persons[a.host] {
		return ""
	}
	for name, g := range o.groups {
		if g.ruled && g.hosts[a.host] {
			return name
		}
	}
	return ""
}

// settle computes all people of the model anew.
func (o *office) settle() {
	type key struct{ rule, user string }
	due := map[key][]*told{}
	for _, a := range o.accounts {
		if a.hand == "" {
			o.person[a.id] = o.home[a.id]
		}
		if rule := o.rule(a); rule != "" && a.hand != "parted" {
			due[key{rule, a.user}] = append(due[key{rule, a.user}], a)
		}
	}
	company := func(a *told) bool {
		for _, other := range o.accounts {
			if other != a && other.hand == "joined" && o.person[other.id] == o.home[a.id] {
				return true
			}
		}
		return false
	}
	for _, list := range due {
		first := slices.MinFunc(list, func(a, b *told) int {
			rank := func(a *told) int {
				n := 0
				if a.late {
					n += 2
				}
				if a.hand == "" && !company(a) {
					n++
				}
				return n
			}
			return cmp.Or(rank(a)-rank(b), a.made-b.made)
		})
		target := o.person[first.id]
		for _, a := range list {
			if a.hand == "" && !company(a) {
				o.person[a.id] = target
			}
		}
	}
}

// join joins accounts to a person, by hand.
func (o *office) join(person int64, ids ...string) {
	o.t.Helper()
	if _, err := o.s.People.Join(o.t.Context(), person, ids); err != nil {
		o.t.Fatal(err)
	}
	for _, id := range ids {
		o.accounts[id].hand, o.person[id] = "joined", person
	}
	o.settle()
}

// part parts an account from whoever has it, by hand.
func (o *office) part(id string) {
	o.t.Helper()
	of := o.person[id]
	parted, err := o.s.People.Part(o.t.Context(), of, id)
	if err != nil {
		o.t.Fatal(err)
	}
	if o.home[id] == of {
		if len(o.bench.accounts(of)) > 1 {
			o.home[id] = parted.ID
			o.succeed(o.accounts[id], of)
		}
	}
	o.accounts[id].hand, o.person[id] = "parted", o.home[id]
	o.settle()
}

// succeed has the next of a person's accounts be at home there whose rule is one's that
// leaves.
func (o *office) succeed(leaves *told, of int64) {
	var next *told
	for _, id := range o.bench.accounts(of) {
		switch a := o.accounts[id]; {
		case a == leaves:
		case a.hand == "joined":
			return
		case a.user != leaves.user || o.rule(a) != o.rule(leaves) || o.rule(a) == "":
		case next == nil || cmp.Or(map[bool]int{true: 1}[a.late]-map[bool]int{true: 1}[next.late], a.made-next.made) < 0:
			next = a
		}
	}
	if next == nil {
		return
	}
	home := o.home[next.id]
	for _, in := range o.people {
		if in[home] {
			return
		}
	}
	if len(o.bench.accounts(home)) == 0 {
		o.home[next.id] = of
	}
}

// erase erases a person.
func (o *office) erase(person int64) {
	o.t.Helper()
	list := o.bench.accounts(person)
	if len(list) == 0 {
		return
	}
	if _, err := o.s.Erasures.Erase(o.t.Context(), person); err != nil {
		o.t.Fatal(err)
	}
	homes := map[int64]bool{person: true}
	for _, id := range list {
		homes[o.home[id]] = true
		delete(o.accounts, id)
		delete(o.person, id)
		delete(o.home, id)
		for _, g := range groups {
			delete(o.direct[g], id)
		}
	}
	o.names = slices.DeleteFunc(o.names, func(id string) bool { return slices.Contains(list, id) })
	for _, g := range groups {
		delete(o.people[g], person)
		for home := range homes {
			if !slices.Contains(slices.Collect(maps.Values(o.home)), home) && !slices.Contains(slices.Collect(maps.Values(o.person)), home) {
				delete(o.people[g], home)
			}
		}
	}
	o.settle()
}

// anyHost returns a host that has room: one person's has little.
func (o *office) anyHost() string {
	for {
		if host := pick(o.r, hostIDs); !o.persons[host] {
			return host
		}
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// change changes something at random.
func (o *office) change() {
	o.t.Helper()
	ctx := o.t.Context()
	if len(o.names) < 3 {
		o.send(o.anyHost(), fmt.Sprintf("m%03d", o.made), pick(o.r, userNames), false)
		return
	}
	account, person := o.any()
	switch o.r.IntN(16) {
	case 0, 1, 2:
		o.send(o.anyHost(), fmt.Sprintf("m%03d", o.made), pick(o.r, userNames), o.r.IntN(20) == 0)
	case 3, 4:
		a := o.accounts[account]
		o.send(a.host, a.id, cmp.Or(pick(o.r, []string{a.user, a.user, a.user, "bob"}), pick(o.r, userNames)), o.r.IntN(30) == 0)
	case 5:
		other, _ := o.any()
		o.join(person, account, other)
	case 6, 7:
		o.part(account)
	case 8, 9, 10, 11:
		hosts := slices.Clone(hostIDs)
		o.r.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
		o.set(pick(o.r, []string{"A", "B"}), pick(o.r, []*bool{nil, new(true), new(true), new(false)}), hosts[:o.r.IntN(4)]...)
	case 12:
		host := o.anyHost()
		if _, err := o.s.Dictionary.Move(ctx, []string{account}, host); err != nil {
			o.t.Fatal(err)
		}
		o.accounts[account].host = host
		o.settle()
	case 13:
		group := pick(o.r, groups)
		change := o.s.People.AddToGroup
		if o.people[group][person] {
			change = o.s.People.RemoveFromGroup
		}
		if err := change(ctx, group, person); err != nil {
			o.t.Fatal(err)
		}
		if o.people[group][person] = !o.people[group][person]; !o.people[group][person] {
			delete(o.people[group], person)
		}
	case 14:
		o.rare()
	case 15:
		if o.r.IntN(3) == 0 {
			o.erase(o.person[account])
		}
	}
}

// rare removes a host group, or has a host enrolled as one person's or the reverse.
func (o *office) rare() {
	o.t.Helper()
	if o.r.IntN(2) == 0 {
		if name := pick(o.r, []string{"A", "B"}); o.groups[name] != nil {
			if err := o.s.Policies.RemoveHostGroup(o.t.Context(), name); err != nil {
				o.t.Fatal(err)
			}
			delete(o.groups, name)
		}
	} else {
		host := pick(o.r, hostIDs[1:])
		o.persons[host] = !o.persons[host]
		kind := map[bool]string{true: "user", false: "host"}[o.persons[host]]
		storetest.Ask[int64](o.t, o.url, "UPDATE host SET kind = '"+kind+"' WHERE host_id = '"+host+"' RETURNING id")
	}
	o.settle()
}

// Whatever is named, joined, parted, moved, erased and ruled in whatever order, people are
// those of a model that computes all of them anew each time.
func TestRuleIsExact(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	o := newOffice(t, seed)
	for step := range 400 {
		o.change()
		o.check()
		o.consistent()
		if t.Failed() {
			t.Fatal("after step", step)
		}
	}
}
