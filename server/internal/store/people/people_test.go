package people_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// model is what the database is to hold: plain maps, changed by the same calls.
type model struct {
	// person and home are whose an account is, and was made with.
	person, home map[string]int64
	// direct and brought are the groups' accounts and people.
	direct map[string]map[string]bool
	people map[string]map[int64]bool
	labels map[int64]string
}

// members are the accounts that a group holds.
func (m *model) members(group string) []string {
	held := maps.Clone(m.direct[group])
	for account, person := range m.person {
		if m.people[group][person] {
			held[account] = true
		}
	}
	return slices.Sorted(maps.Keys(held))
}

func (m *model) accounts(person int64) []string {
	var list []string
	for account, of := range m.person {
		if of == person {
			list = append(list, account)
		}
	}
	slices.Sort(list)
	return list
}

// bench is a store with accounts, groups and the model of both.
type bench struct {
	t     *testing.T
	s     *storetest.Store
	r     *rand.Rand
	host  int64
	now   time.Time
	names []string
	model
}

var groups = []string{"g0", "g1", "g2"}

func newBench(t *testing.T, seed uint64) *bench {
	t.Helper()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	b := &bench{
		t: t, s: storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, now), r: rand.New(rand.NewPCG(seed, 1)), now: now,
		model: model{map[string]int64{}, map[string]int64{}, map[string]map[string]bool{}, map[string]map[int64]bool{}, map[int64]string{}},
	}
	b.host = storetest.AddHost(t, b.s)
	for _, g := range groups {
		if _, _, err := b.s.AddGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		b.direct[g], b.people[g] = map[string]bool{}, map[int64]bool{}
	}
	for range 4 {
		b.account()
	}
	return b
}

// account has a new account report.
func (b *bench) account() {
	b.t.Helper()
	name := fmt.Sprintf("m%02d", len(b.names))
	e := storetest.SomeEvent(b.r, b.now)
	e.MachineID = name
	storetest.Accepted(b.t, b.s, b.host, []api.Event{e}, 1)
	b.names = append(b.names, name)
	b.person[name] = b.personOf(name).ID
	b.home[name] = b.person[name]
}

func (b *bench) personOf(name string) people.Person {
	b.t.Helper()
	list, err := b.s.People.List(b.t.Context(), people.Filter{MachineID: name, Limit: 2})
	if err != nil || len(list) != 1 {
		b.t.Fatalf("%s: %+v, %v", name, list, err)
	}
	return list[0]
}

// any returns an account and a person, both at random.
func (b *bench) any() (string, int64) {
	homes := slices.Sorted(maps.Values(b.home))
	return b.names[b.r.IntN(len(b.names))], homes[b.r.IntN(len(homes))]
}

// step changes something at random, here and in the model.
func (b *bench) step() {
	b.t.Helper()
	ctx := b.t.Context()
	account, person := b.any()
	group := groups[b.r.IntN(len(groups))]
	var err error
	switch b.r.IntN(9) {
	case 0:
		b.account()
	case 1, 2:
		other, _ := b.any()
		_, err = b.s.People.Join(ctx, person, []string{account, other})
		b.person[account], b.person[other] = person, person
	case 3, 4:
		err = b.part(account)
	case 5:
		err = b.s.People.AddToGroup(ctx, group, person)
		b.people[group][person] = true
	case 6:
		err = b.s.People.RemoveFromGroup(ctx, group, person)
		delete(b.people[group], person)
	case 7:
		err = b.s.AddMember(ctx, group, account)
		b.direct[group][account] = true
	case 8:
		err = b.s.RemoveMember(ctx, group, account)
		// What is refused changes nothing.
		brought := b.people[group][b.person[account]]
		if !brought {
			delete(b.direct[group], account)
		}
		if brought != errors.Is(err, directory.ErrOfPerson) {
			b.t.Errorf("%s taken out of %s: %v, brought: %v", account, group, err, brought)
		}
		if brought {
			err = nil
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) part(account string) error {
	of := b.person[account]
	parted, err := b.s.People.Part(b.t.Context(), of, account)
	if b.home[account] == of && len(b.accounts(of)) == 1 {
		return err
	}
	if b.home[account] == of {
		b.home[account] = parted.ID
	}
	b.person[account] = b.home[account]
	return err
}

// check compares all that the database holds with the model.
func (b *bench) check() {
	b.t.Helper()
	list, err := b.s.People.List(b.t.Context(), people.Filter{Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	var ids []int64
	for _, p := range list {
		ids = append(ids, p.ID)
		if got := idsOf(p); !slices.Equal(got, b.accounts(p.ID)) || p.Partial {
			b.t.Errorf("person %d has %v, want %v", p.ID, got, b.accounts(p.ID))
		}
	}
	if want := slices.Compact(slices.Sorted(maps.Values(b.person))); !slices.Equal(ids, want) {
		b.t.Errorf("people %v, want %v", ids, want)
	}
	for _, g := range groups {
		b.checkGroup(g)
	}
}

func (b *bench) checkGroup(name string) {
	b.t.Helper()
	ctx := b.t.Context()
	want := b.members(name)
	machines, err := b.s.Machines(ctx, directory.MachineFilter{Group: name, Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for _, m := range machines {
		got = append(got, m.MachineID)
	}
	g, err := b.s.GroupByName(ctx, directory.Scope{}, name)
	if err != nil || !slices.Equal(got, want) || int(g.Machines) != len(want) {
		b.t.Errorf("group %s has %v, counted %d, want %v (%v)", name, got, g.Machines, want, err)
	}
	inside, err := b.s.People.GroupPeople(ctx, directory.Scope{}, name, 0, 1000)
	if err != nil || len(inside) != len(b.people[name]) {
		b.t.Errorf("group %s: people %v, want %v (%v)", name, inside, b.people[name], err)
	}
	// Who is limited to the group sees of each person these accounts and no others.
	seen := map[string]bool{}
	list, err := b.s.People.List(ctx, people.Filter{Scope: directory.OfGroups([]int32{g.Key}), Limit: 1000})
	for _, p := range list {
		for _, id := range idsOf(p) {
			seen[id] = true
		}
		if all := b.accounts(p.ID); p.Partial != (len(all) > len(p.Accounts)) || len(p.Accounts) == 0 {
			b.t.Errorf("limited to %s: %+v, of %v", name, p, all)
		}
	}
	if got := slices.Sorted(maps.Keys(seen)); err != nil || !slices.Equal(got, want) {
		b.t.Errorf("limited to %s: %v, want %v (%v)", name, got, want, err)
	}
}

func idsOf(p people.Person) []string {
	var list []string
	for _, m := range p.Accounts {
		list = append(list, m.MachineID)
	}
	return list
}

// Whatever is joined, parted and grouped in whatever order, the database holds what a
// plain model does.
func TestJoinsAndGroupsAreExact(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	b := newBench(t, seed)
	for range 40 {
		for range 5 {
			b.step()
		}
		b.check()
		if t.Failed() {
			return
		}
	}
}

// What is joined and parted again is as it was, label, group and all.
func TestPartingUndoesJoining(t *testing.T) {
	b := newBench(t, 1)
	ctx := t.Context()
	p0, p1 := b.person["m00"], b.person["m01"]
	if _, err := b.s.People.SetLabel(ctx, directory.Scope{}, p1, "Berta"); err != nil {
		t.Fatal(err)
	}
	if err := b.s.People.AddToGroup(ctx, "g1", p1); err != nil {
		t.Fatal(err)
	}
	b.people["g1"][p1] = true
	before := b.personOf("m01")
	for range 3 {
		joined, err := b.s.People.Join(ctx, p0, []string{"m01"})
		if err != nil || !slices.Equal(idsOf(joined), []string{"m00", "m01"}) {
			t.Fatal(joined, err)
		}
		b.person["m01"] = p0
		b.check()
		if err := b.part("m01"); err != nil {
			t.Fatal(err)
		}
		b.check()
		if after := b.personOf("m01"); after.ID != before.ID || after.Label != "Berta" || !after.CreatedAt.Equal(before.CreatedAt) {
			t.Errorf("%+v, was %+v", after, before)
		}
	}

	// Also where the account was the last that the other person had.
	p2 := b.person["m02"]
	for person, account := range map[int64]string{p0: "m01", p2: "m00"} {
		if _, err := b.s.People.Join(ctx, person, []string{account}); err != nil {
			t.Fatal(err)
		}
		b.person[account] = person
	}
	if err := b.part("m01"); err != nil {
		t.Fatal(err)
	}
	if after := b.personOf("m01"); after.ID != before.ID {
		t.Errorf("%+v, was %+v", after, before)
	}
	b.check()
}

// What can't be is refused as a whole.
func TestRefusals(t *testing.T) {
	b := newBench(t, 2)
	ctx, p0 := t.Context(), b.person["m00"]
	var unknown people.UnknownError
	if _, err := b.s.People.Join(ctx, p0, []string{"m01", "nobody"}); !errors.As(err, &unknown) || !slices.Equal(unknown.MachineIDs, []string{"nobody"}) {
		t.Error(err)
	}
	if _, err := b.s.People.Join(ctx, 1<<40, []string{"m01"}); !errors.Is(err, people.ErrNone) {
		t.Error(err)
	}
	if _, err := b.s.People.Part(ctx, p0, "m01"); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	if err := b.s.People.AddToGroup(ctx, "nowhere", p0); !errors.Is(err, directory.ErrNoGroup) {
		t.Error(err)
	}
	g, err := b.s.GroupByName(ctx, directory.Scope{}, "g0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.People.ByID(ctx, directory.OfGroups([]int32{g.Key}), p0); !errors.Is(err, people.ErrNone) {
		t.Error(err)
	}
	var many []string
	for len(b.names) <= people.MaxAccounts {
		b.account()
	}
	many = append(many, b.names...)
	if _, err := b.s.People.Join(ctx, p0, many); !errors.Is(err, people.ErrTooMany) {
		t.Error(err)
	}
	b.check()
}

// Accounts that are new, join and leave at once, with groups that change and events
// that arrive, are each with one person in the end, and every group is counted.
func TestRacesWithIngest(t *testing.T) {
	b := newBench(t, 3)
	ctx := t.Context()
	var wg sync.WaitGroup
	failed := make(chan error, 100)
	for w := range 6 {
		r := rand.New(rand.NewPCG(uint64(w), 9))
		wg.Go(func() {
			for i := range 30 {
				var err error
				account := b.names[r.IntN(4)]
				switch w % 3 {
				case 0:
					e := storetest.SomeEvent(r, b.now)
					e.MachineID = fmt.Sprintf("new-%d-%d", w, i%7)
					other := storetest.SomeEvent(r, b.now)
					other.MachineID = account
					_, err = b.s.WriteEvents(ctx, storetest.Batch{Host: b.host, Events: []api.Event{e, other}})
				case 1:
					if i%2 == 0 {
						_, err = b.s.People.Join(ctx, b.person[b.names[r.IntN(4)]], []string{account})
					} else {
						p := b.person[b.names[r.IntN(4)]]
						if _, err = b.s.People.Part(ctx, p, account); errors.Is(err, db.ErrNotFound) {
							err = nil
						}
					}
				case 2:
					g := groups[r.IntN(3)]
					switch i % 4 {
					case 0:
						err = b.s.People.AddToGroup(ctx, g, b.person[account])
					case 1:
						err = b.s.AddMember(ctx, g, account)
					case 2:
						err = b.s.People.RemoveFromGroup(ctx, g, b.person[account])
					case 3:
						_, _, err = b.s.SetMembers(ctx, g, b.names[:1+r.IntN(3)])
					}
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	b.consistent()
}

// consistent checks what must hold whatever happened: an account has one person, groups
// hold what their people have, and are counted.
func (b *bench) consistent() {
	b.t.Helper()
	err := b.s.Read(b.t.Context(), "looking", looking(b.t))
	if err != nil {
		b.t.Error(err)
	}
}

// importIsInTheLog checks that an import is written down for each person, once, as what is done
// one by one.
func (b *bench) importIsInTheLog() {
	b.t.Helper()
	changes, err := b.s.Audit.List(b.t.Context(), 1<<62, 100)
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.What, " ", *c.Subject, " ", *c.Details))
	}
	all := strings.Join(got, "; ")
	for _, want := range []string{`person.joined Anna {"machine_ids":"m00, m02"}`, `person.joined  {"machine_ids":"m04"}`, "person.labelled Berta "} {
		if strings.Count(all, want) != 1 {
			b.t.Errorf("lacks %q once: %s, %v", want, all, err)
		}
	}
}

// An import names and joins, all or none, and done again it changes nothing.
func TestImport(t *testing.T) {
	b := newBench(t, 4)
	b.account()
	ctx := t.Context()
	do := func(list ...people.Assignment) (people.Imported, error) { return b.s.People.Import(ctx, list) }
	// m00 and m01 are one person by mistake.
	if _, err := b.s.People.Join(ctx, b.person["m00"], []string{"m01"}); err != nil {
		t.Fatal(err)
	}
	list := []people.Assignment{
		{Label: "Anna", MachineIDs: []string{"m00", "m02"}}, {Label: "Berta", MachineIDs: []string{"m01"}}, {ID: b.person["m03"], MachineIDs: []string{"m04"}},
	}
	if _, err := b.s.People.SetLabel(ctx, directory.Scope{}, b.person["m02"], "Old"); err != nil {
		t.Fatal(err)
	}
	preview, err := b.s.People.PreviewImport(ctx, list)
	if err != nil || preview.People != 3 || preview.Joined != 3 || len(preview.Moved) != 3 || len(preview.Aside) != 1 || preview.Aside[0].Label != "Old" {
		t.Errorf("%+v, %v", preview, err)
	}
	for _, m := range preview.Moved {
		if p := b.personOf(m.MachineID); p.ID != m.From.Person || p.Label == "Anna" {
			t.Errorf("a preview has moved %+v to %+v", m, p)
		}
	}
	for i, joined := range []int{3, 0} {
		if done, err := do(list...); err != nil || done.People != 3 || done.Joined != joined {
			t.Fatalf("%d: %+v, %v", i, done, err)
		}
		anna, berta, last := b.personOf("m00"), b.personOf("m01"), b.personOf("m04")
		if !slices.Equal(idsOf(anna), []string{"m00", "m02"}) || anna.Label != "Anna" || berta.Label != "Berta" || len(berta.Accounts) != 1 ||
			!slices.Equal(idsOf(last), []string{"m03", "m04"}) {
			t.Errorf("%+v %+v %+v", anna, berta, last)
		}
	}
	b.importIsInTheLog()
	var unknown people.UnknownError
	if _, err := do(people.Assignment{Label: "Carla", MachineIDs: []string{"m03"}}, people.Assignment{Label: "Dora", MachineIDs: []string{"nobody"}}); !errors.As(err, &unknown) {
		t.Error(err)
	}
	if p := b.personOf("m03"); p.Label != "" {
		t.Errorf("%+v", p)
	}
	if _, err := do(people.Assignment{ID: 1 << 40, MachineIDs: []string{"m03"}}); !errors.Is(err, people.ErrNone) {
		t.Error(err)
	}
	for _, of := range []string{"m01", "m03"} {
		if _, err := b.s.People.SetLabel(ctx, directory.Scope{}, b.personOf(of).ID, "Anna"); err != nil {
			t.Fatal(err)
		}
	}
	var ambiguous people.AmbiguousError
	if _, err := do(people.Assignment{Label: "Anna", MachineIDs: []string{"m01"}}); !errors.As(err, &ambiguous) {
		t.Error(err)
	}
	b.consistent()
}
