package people_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/storetest"
)

// together reports whether accounts are one person's.
func (o *office) together(ids ...string) bool {
	o.t.Helper()
	first := o.personOf(ids[0]).ID
	for _, id := range ids[1:] {
		if o.personOf(id).ID != first {
			return false
		}
	}
	return true
}

// load reads all accounts, hosts and groups into the model, but for whose they are.
func (o *office) load() {
	o.t.Helper()
	conn := storetest.Connect(o.t, o.url)
	clear(o.accounts)
	clear(o.groups)
	clear(o.persons)
	clear(o.person)
	clear(o.home)
	rows, err := conn.Query(o.t.Context(), `SELECT m.machine_id, h.host_id, h.kind = 'user', coalesce(a.name, ''), m.id, a.named_late, a.unruled, coalesce(a.hand, ''), a.home, a.person
		FROM machine m JOIN host h ON h.id = m.host JOIN account a ON a.machine = m.id`)
	if err != nil {
		o.t.Fatal(err)
	}
	for rows.Next() {
		var a told
		var home, person int64
		var one bool
		if err := rows.Scan(&a.id, &a.host, &one, &a.user, &a.made, &a.late, &a.unruled, &a.hand, &home, &person); err != nil {
			o.t.Fatal(err)
		}
		o.accounts[a.id], o.home[a.id], o.person[a.id], o.persons[a.host] = &a, home, person, one
	}
	list, err := o.s.Policies.HostGroups(o.t.Context())
	if err != nil || rows.Err() != nil {
		o.t.Fatal(err, rows.Err())
	}
	for _, g := range list {
		o.groups[g.Name] = &ruledGroup{map[string]bool{}, g.SameDirectory}
		for _, h := range g.Hosts {
			o.groups[g.Name].hosts[h] = true
		}
	}
	o.settle()
}

// Accounts that are made, named and renamed on two servers while hosts come under the rule
// and out of it, and an administrator joins and parts, are in the end with whom the model
// has them: nothing is missed, and nobody waits for another who waits for them.
func TestRuleRacesWithIngest(t *testing.T) {
	o := newOffice(t, 7)
	other := storetest.OpenAt(t, o.url, partition.Retention{}, o.now)
	o.send("h0", "first", "ann", false)
	ctx := t.Context()
	failed := make(chan error, 100)
	var wg sync.WaitGroup
	ingest := func(w int) error {
		s := []*storetest.Store{o.s, other}[w%2]
		for i := range 40 {
			host := hostIDs[(w+i)%len(hostIDs)]
			e := api.Event{MachineID: fmt.Sprintf("%s-%d", host, i%17), Timestamp: o.now.Add(time.Duration(60*w+i) * time.Minute), Username: pick(o.rand(w, i), userNames)}
			if _, err := s.WriteEvents(ctx, storetest.Batch{Host: o.hosts[host], Events: []api.Event{e}}); err != nil {
				return err
			}
		}
		return nil
	}
	rule := func(w int) error {
		for i := range 25 {
			r := o.rand(w, i)
			same := r.IntN(3) > 0
			err := o.s.Policies.SetHostGroup(ctx, policies.HostGroupChange{Name: string(rune('A' + w%2)), Hosts: hostIDs[r.IntN(2) : 2+r.IntN(3)], SameDirectory: &same})
			if err != nil && !errors.Is(err, policies.ErrRulesOfHost) {
				return err
			}
		}
		return nil
	}
	administer := func(w int) error {
		for i := range 40 {
			list, err := o.s.People.List(ctx, people.Filter{Limit: 100})
			if err != nil {
				return err
			}
			p, q := pick(o.rand(w, i), list), pick(o.rand(w, i+1000), list)
			account := q.Accounts[0].MachineID
			if i%2 == 0 {
				_, err = o.s.People.Join(ctx, p.ID, []string{account})
			} else if _, err = o.s.People.Part(ctx, q.ID, account); err != nil {
				err = nil // another has it by now
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for w := range 4 {
		for _, do := range []func(int) error{ingest, rule, administer} {
			wg.Go(func() {
				if err := do(w); err != nil {
					failed <- err
				}
			})
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	o.load()
	o.check()
	o.consistent()
}

func (o *office) rand(w, i int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(w), uint64(i)))
}

// state is all that is seen of people and groups.
func (o *office) state() any {
	o.t.Helper()
	list, err := o.s.People.List(o.t.Context(), people.Filter{Limit: 1000})
	if err != nil {
		o.t.Fatal(err)
	}
	all := []any{list}
	for _, g := range groups {
		members, err := o.s.Machines(o.t.Context(), directory.MachineFilter{Group: g, Limit: 1000})
		if err != nil {
			o.t.Fatal(err)
		}
		inside, err := o.s.People.GroupPeople(o.t.Context(), directory.Scope{}, g, 0, 1000)
		if err != nil {
			o.t.Fatal(err)
		}
		all = append(all, members, inside)
	}
	return all
}

// The rule, taken back, leaves people, labels and groups as they were, whatever was joined by
// hand; a preview lists what it does, and does nothing.
func TestRuleTakenBackLeavesNothing(t *testing.T) {
	o := newOffice(t, 8)
	ctx := t.Context()
	for i, a := range []struct{ host, user string }{
		{"h0", "ann"}, {"h1", "ann"}, {"h2", "ann"}, {"h3", "ann"}, {"h0", "bob"}, {"h1", "bob"}, {"h1", "bob"}, {"h0", "carl"}, {"h1", "dora"}, {"h2", ""}, {"h0", "eva"}, {"h1", "eva"},
	} {
		o.send(a.host, fmt.Sprintf("m%02d", i), a.user, false)
	}
	for i, id := range []string{"m00", "m01", "m04", "m08"} {
		if _, err := o.s.People.SetLabel(ctx, directory.Scope{}, o.person[id], id); err != nil {
			t.Fatal(err)
		}
		if err := o.s.People.AddToGroup(ctx, groups[i%3], o.person[id]); err != nil {
			t.Fatal(err)
		}
		o.people[groups[i%3]][o.person[id]] = true
	}
	storetest.Ask[string](t, o.url, fmt.Sprintf("INSERT INTO app_user (id, login, role, person) VALUES ('usr_1', 'boss', 'viewer', %d) RETURNING id", o.person["m00"]))
	o.join(o.person["m08"], "m05") // bob and dora are one
	o.join(o.person["m02"], "m09")
	o.join(o.person["m10"], "m07")
	o.part("m11")
	o.set("A", nil, "h0", "h1", "h2")
	before := o.state()
	for range 3 {
		preview, err := o.s.Policies.PreviewNames(ctx, policies.HostGroupChange{Name: "A", Hosts: []string{"h0", "h1", "h2"}})
		if err != nil || !reflect.DeepEqual(o.state(), before) {
			t.Fatal("a preview changed something", err)
		}
		// ann: who has company leads; bob: with dora. eva was parted.
		want := []api.NamePreview{
			{Username: "ann", Person: fmt.Sprintf("p%d", o.person["m02"]), Joined: []string{"m00", "m01", "m02"}, Apart: []string{}, Aside: []api.PersonAside{
				{Person: fmt.Sprintf("p%d", o.home["m00"]), Label: "m00", Groups: []string{groups[0]}, Users: []string{"boss"}},
				{Person: fmt.Sprintf("p%d", o.home["m01"]), Label: "m01", Groups: []string{groups[1]}, Users: []string{}},
			}},
			{Username: "bob", Person: fmt.Sprintf("p%d", o.person["m05"]), Label: "m08", Joined: []string{"m04", "m05", "m06"}, Apart: []string{}, Aside: []api.PersonAside{
				{Person: fmt.Sprintf("p%d", o.home["m04"]), Label: "m04", Groups: []string{groups[2]}, Users: []string{}},
			}},
			{Username: "eva", Joined: []string{}, Apart: []string{"m10", "m11"}, Aside: []api.PersonAside{}},
		}
		if preview.People != 2 || preview.Accounts != 4 || !reflect.DeepEqual(preview.Names, want) {
			t.Errorf("%+v", preview)
		}
		o.set("A", new(true), "h0", "h1", "h2")
		o.check()
		if !o.together("m00", "m01", "m02", "m09") || !o.together("m04", "m05", "m06", "m08") || o.together("m10", "m11") {
			t.Error("the rule joined others")
		}
		o.set("A", nil, "h0", "h1", "h2")
		o.set("A", nil, "h0", "h1")
		o.check()
		o.set("A", new(true), "h0", "h1", "h2")
		o.set("A", new(false), "h0", "h1", "h2")
		if after := o.state(); !reflect.DeepEqual(after, before) {
			t.Fatalf("%+v\nwas\n%+v", after, before)
		}
	}
	o.consistent()
}

// Hosts outside the group have nothing of the rule, nor has who measures only themselves;
// who is root on a host of it takes over nobody who is there, and an account of two users is
// under no rule.
func TestRootOfAnotherHostTakesNobodyOver(t *testing.T) {
	o := newOffice(t, 9)
	// mallory's own, where a login of theirs is tied, before victor's on a host of the group.
	o.send("h1", "early", "", false)
	o.send("h1", "mallory", "mallory", false)
	o.send("h3", "laptop", "mallory", false)
	o.join(o.person["early"], "laptop")
	own, company := o.person["mallory"], o.person["early"]
	o.set("A", new(true), "h0", "h1")
	o.send("h0", "victor", "victor", false)
	victor := o.person["victor"]
	still := func(what string) {
		t.Helper()
		o.check()
		if o.personOf("victor").ID != victor {
			t.Error("victor was taken over by", what)
		}
	}

	o.send("h2", "outside", "victor", false) // a host that is not in the group
	still("a host outside")
	if o.together("victor", "outside") {
		t.Error("a host outside came to victor")
	}
	e := api.Event{MachineID: "victor", Timestamp: o.now.Add(48 * time.Hour), Username: "mallory"}
	for _, host := range []string{"h1", "h2"} {
		if w, err := o.s.WriteEvents(t.Context(), storetest.Batch{Host: o.hosts[host], Events: []api.Event{e}}); err != nil || len(w.Foreign) != 1 {
			t.Error("another host names victor's account:", w, err)
		}
	}
	o.send("h1", "mallory", "victor", false) // of the group, but the account had another name
	still("an account that was renamed")
	if o.together("victor", "mallory") || o.person["mallory"] != own {
		t.Error("mallory's person came to have victor's")
	}
	o.send("h1", "early", "victor", false) // named at last, with an account joined by hand, and older
	still("an account that was named late")
	if o.together("victor", "early") || o.person["early"] != company {
		t.Error("the person of who was named late came to have victor's")
	}
	for i := range 50 {
		o.send("h1", "mallory", []string{"victor", "mallory"}[i%2], false)
	}
	still("one who goes on renaming")

	// Who measures themselves on a host that is put into the group.
	o.persons["h3"] = true
	storetest.Ask[int64](t, o.url, "UPDATE host SET kind = 'user' WHERE host_id = 'h3' RETURNING id")
	o.set("A", new(true), "h0", "h1", "h3")
	o.send("h3", "claimed", "victor", false)
	still("one person's host")
	if o.together("victor", "claimed") {
		t.Error("who measures themselves came to victor")
	}

	o.check()
	o.consistent()
}

// Whose account was the first of a name, and is said to be another's or the system's later,
// takes neither the label nor the groups along: they stay with the others.
func TestFirstOfANameLeavesThePerson(t *testing.T) {
	for _, system := range []bool{false, true} {
		o := newOffice(t, 15)
		o.set("A", new(true), "h0", "h1")
		o.send("h1", "mallory", "victor", false)
		o.send("h0", "victor", "victor", false)
		o.send("h0", "third", "victor", false)
		person := o.person["victor"]
		if _, err := o.s.People.SetLabel(t.Context(), directory.Scope{}, person, "Victor"); err != nil {
			t.Fatal(err)
		}
		if err := o.s.People.AddToGroup(t.Context(), groups[0], person); err != nil {
			t.Fatal(err)
		}
		o.send("h1", "mallory", map[bool]string{false: "zzz", true: "victor"}[system], system)
		for _, id := range []string{"victor", "third"} {
			if p := o.personOf(id); p.ID != person || p.Label != "Victor" {
				t.Errorf("%s is %d %q, not %d", id, p.ID, p.Label, person)
			}
		}
		if p := o.personOf("mallory"); p.ID == person || p.Label != "" {
			t.Errorf("mallory is %d %q", p.ID, p.Label)
		}
		if members := storetest.Ask[string](t, o.url, "SELECT string_agg(machine_id, ' ' ORDER BY machine_id) FROM group_member"); members != "third victor" {
			t.Errorf("the group has %s", members)
		}
		o.send("h1", "mallory", "victor", false) // naming it back changes nothing
		if o.together("victor", "mallory") {
			t.Error("mallory came back")
		}
		o.consistent()
	}
}

// Users of the system are under no rule: by their name, and by their number as their host has
// it, whenever it reports so.
func TestSystemUsersStayApart(t *testing.T) {
	o := newOffice(t, 14)
	o.set("A", new(true), "h0", "h1")
	for i, user := range []string{"root", "postgres", "_chrony", "systemd-network", "backup"} {
		a, b := fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)
		o.sendSystem("h0", a, user, false)
		o.sendSystem("h1", b, user, false)
		if o.together(a, b) {
			t.Errorf("%s is one person", user)
		}
	}
	o.send("h0", "s0", "service", true)
	o.send("h1", "s1", "service", false)
	o.send("h1", "s2", "scanner", false)
	o.send("h0", "s3", "scanner", false)
	if o.together("s0", "s1") || !o.together("s2", "s3") {
		t.Error("a system user is a namesake's")
	}
	o.send("h0", "s3", "scanner", true)
	if o.together("s2", "s3") {
		t.Error("a system user is still a namesake's")
	}
	o.check()
	o.consistent()
}

// sendSystem sends an event of a user whose name is the system's.
func (o *office) sendSystem(host, id, user string, system bool) {
	o.t.Helper()
	o.send(host, id, user, system)
	o.accounts[id].unruled = true
	o.settle()
}

// What an administrator parts stays parted, whatever comes after, and who remains keeps
// person, label and group.
func TestPartingOutlastsTheRule(t *testing.T) {
	o := newOffice(t, 10)
	ctx := t.Context()
	o.set("A", new(true), "h0", "h1", "h2")
	for _, host := range []string{"h0", "h1", "h2"} {
		o.send(host, "ann-"+host, "ann", false)
	}
	ann := o.person["ann-h0"]
	if _, err := o.s.People.SetLabel(ctx, directory.Scope{}, ann, "Ann"); err != nil {
		t.Fatal(err)
	}
	if err := o.s.People.AddToGroup(ctx, "g0", ann); err != nil {
		t.Fatal(err)
	}
	o.people["g0"][ann] = true
	o.part("ann-h0")
	o.check()
	for _, again := range []func(){
		func() { o.send("h0", "ann-h0", "ann", false) },
		func() { o.send("h1", "ann-h1-new", "ann", false) },
		func() { o.set("A", new(false), "h0", "h1", "h2") },
		func() { o.set("A", new(true), "h0", "h1", "h2") },
		func() { o.set("A", nil, "h1", "h2") },
		func() { o.set("A", new(true), "h0", "h1", "h2") },
	} {
		again()
		o.check()
		if o.together("ann-h0", "ann-h1") {
			t.Fatal("the rule joined it again")
		}
	}
	if p := o.personOf("ann-h2"); p.ID != ann || p.Label != "Ann" || !slices.Equal(idsOf(p), []string{"ann-h1", "ann-h1-new", "ann-h2"}) {
		t.Errorf("%+v", p)
	}
	o.join(ann, "ann-h0")
	o.check()
	o.consistent()
}

// A person has no more accounts by the rule than by hand: others stay apart, ingest goes on,
// and who has room again gets them.
func TestRuleStopsAtTooManyAccounts(t *testing.T) {
	o := newOffice(t, 11)
	o.set("A", new(true), "h0", "h1")
	var list []api.Event
	for i := range people.MaxAccounts + 5 {
		list = append(list, api.Event{MachineID: fmt.Sprintf("m%03d", i), Timestamp: o.now, Username: "ann"})
	}
	storetest.Accepted(t, o.s, o.hosts["h0"], list, len(list))
	has := func(want int, without ...string) people.Person {
		t.Helper()
		p := o.personOf("m001")
		for _, id := range without {
			if slices.Contains(idsOf(p), id) {
				t.Errorf("%s is among them", id)
			}
		}
		if len(p.Accounts) != want {
			t.Errorf("%d accounts, want %d", len(p.Accounts), want)
		}
		return p
	}
	p := has(people.MaxAccounts, "m100", "m104")
	storetest.Accepted(t, o.s, o.hosts["h2"], []api.Event{{MachineID: "other", Timestamp: o.now, Username: "x"}}, 1)
	if _, err := o.s.People.Join(t.Context(), p.ID, []string{"other"}); err != nil {
		t.Fatal(err) // what the rule brings makes room
	}
	has(people.MaxAccounts, "m099", "m100")
	for _, id := range []string{"m050", "other"} {
		if _, err := o.s.People.Part(t.Context(), p.ID, id); err != nil {
			t.Fatal(err)
		}
	}
	has(people.MaxAccounts, "m050", "m101")
	if _, err := o.s.Erasures.Erase(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if p := o.personOf("m101"); !slices.Equal(idsOf(p), []string{"m101", "m102", "m103", "m104"}) {
		t.Errorf("%v are left", idsOf(p))
	}
	o.consistent()
}

// Somebody who was erased begins anew, and is joined by their name anew.
func TestErasedBeginAnewUnderTheRule(t *testing.T) {
	o := newOffice(t, 12)
	o.set("A", new(true), "h0", "h1")
	o.send("h0", "a0", "ann", false)
	o.send("h1", "a1", "ann", false)
	before := o.person["a0"]
	o.erase(before)
	o.send("h1", "a1", "ann", false)
	o.send("h0", "a0", "ann", false)
	o.check()
	if !o.together("a0", "a1") || o.person["a0"] == before {
		t.Error("they did not begin anew")
	}
	o.consistent()
}

// Accounts of before the rule's columns, and of servers of before, have no name until an
// event comes that changes it; a host's accounts under no rule cost nobody a lock.
func TestNamingNeedsNoLockWithoutARule(t *testing.T) {
	o := newOffice(t, 13)
	o.send("h0", "a", "", false)
	conn := storetest.Connect(t, o.url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", int64(0x7472_6163_6b61)); err != nil {
		t.Fatal(err)
	}
	o.send("h0", "a", "ann", false)
	o.send("h0", "a", "bob", false)
	o.send("h0", "b", "ann", false)
}

// What the rule joins and sends home is in the audit log, whoever caused it: who confirmed it,
// or a host that names an account. Of somebody erased nothing is.
func TestWhatRulesMoveIsAudited(t *testing.T) {
	o := newOffice(t, 9)
	for i, host := range []string{"h0", "h1", "h2"} {
		o.send(host, fmt.Sprintf("m%d", i), "ann", false)
	}
	o.send("h1", "m3", "", false)
	o.set("A", new(true), "h0", "h1")
	to := strconv.FormatInt(o.home["m0"], 10)
	joined := func(ids string) string {
		return fmt.Sprintf(`person.joined_by_rule %s {"host_group":"A","machine_ids":"%s"}`, to, ids)
	}
	o.audited(joined("m1"))
	o.set("A", new(true), "h0", "h1", "h2")
	o.audited(joined("m2"))
	o.send("h1", "m3", "ann", false)
	o.audited(joined("m3"))
	o.set("A", new(true), "h0", "h1")
	o.audited(fmt.Sprintf(`person.parted_by_rule %s {"machine_ids":"m2"}`, to))
	o.set("A", new(true), "h0", "h1", "h2")
	o.erase(o.person["m0"])
	o.audited()
}

// audited writes down what rules moved, and checks that it is that since it was last asked.
func (o *office) audited(want ...string) {
	o.t.Helper()
	// Who exports has them written down, and has moved nothing.
	ctx := audit.As(o.t.Context(), audit.Actor{Kind: audit.User, ID: "1", Name: "anna"})
	for more := true; more; {
		var err error
		if more, err = o.s.People.WriteMoves(ctx); err != nil {
			o.t.Fatal(err)
		}
	}
	list, err := o.s.Audit.List(o.t.Context(), 1<<62, 1000)
	if err != nil {
		o.t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Backward(list) {
		if e.Seq > o.heard && strings.HasSuffix(e.What, "_by_rule") {
			got = append(got, fmt.Sprintf("%s %s %s", e.What, e.SubjectID, *e.Details))
			if e.ActorKind != audit.Server || e.ActorID != "" || *e.ActorName != "" {
				o.t.Errorf("%s is written down as done by %s %s %q, want the server", e.What, e.ActorKind, e.ActorID, *e.ActorName)
			}
		}
	}
	if o.heard = list[0].Seq; !slices.Equal(got, want) {
		o.t.Errorf("written down is %q, want %q", got, want)
	}
}

// Of two servers the second waits for what the first has begun to write down: who exports
// finds it in the log, and no move of an account comes before an earlier one.
func TestMovesFollowEachOther(t *testing.T) {
	o := newOffice(t, 10)
	other := storetest.OpenAt(t, o.url, partition.Retention{}, o.now)
	o.send("h0", "m0", "ann", false)
	o.send("h1", "m1", "ann", false)
	o.set("A", new(true), "h0", "h1")
	conn, ctx := storetest.Connect(t, o.url), t.Context()
	chain, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else is writing into the log.
	if _, err := chain.Exec(ctx, "SELECT pg_advisory_xact_lock(128034608999276)"); err != nil {
		t.Fatal(err)
	}
	written := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for i, s := range []*storetest.Store{o.s, other} {
		go func() {
			_, err := s.People.WriteMoves(ctx)
			written[i] <- err
		}()
		for waiting := 0; waiting <= i; {
			select {
			case err := <-written[i]:
				t.Fatalf("server %d did not wait: %v", i, err)
			default:
			}
			if err := chain.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := chain.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-written[0], <-written[1]); err != nil {
		t.Fatal(err)
	}
	o.audited(fmt.Sprintf(`person.joined_by_rule %d {"host_group":"A","machine_ids":"m1"}`, o.home["m0"]))
}
