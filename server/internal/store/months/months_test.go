package months_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// now is after March, in which clocks change.
var now = time.Date(2026, 4, 3, 12, 0, 0, 0, time.UTC)

var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// all is the scope of an administrator.
var all = directory.Scope{}

// calendar returns a month in a zone.
func calendar(tb testing.TB, first time.Time, zone string) months.Calendar {
	tb.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		tb.Fatal(err)
	}
	c := months.Calendar{Zone: zone}
	for d := first; ; d = d.AddDate(0, 0, 1) {
		c.Bounds = append(c.Bounds, time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, loc).UTC())
		if d.Month() != first.Month() {
			return c
		}
		c.Dates = append(c.Dates, d)
	}
}

// office is a database with accounts m0 to m5, of which even ones are in a group.
type office struct {
	*storetest.Store
	t    *testing.T
	url  string
	host int64
}

func newOffice(t *testing.T) *office {
	t.Helper()
	return officeOn(t, storetest.NewDatabase(t))
}

func officeOn(t *testing.T, url string) *office {
	t.Helper()
	o := &office{t: t, url: url}
	o.Store = storetest.OpenCompacting(t, o.url, now)
	o.host = storetest.AddHost(t, o.Store)
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// random sends events of six accounts over the days around a month: hours that overlap, gaps,
// records of an hour that reach into the next day.
func (o *office) random(r *rand.Rand, first time.Time) {
	o.t.Helper()
	for i := range 6 {
		var list []api.Event
		for at := first.Add(-30 * time.Hour); at.Before(first.AddDate(0, 1, 1).Add(6 * time.Hour)); {
			e := storetest.SomeEvent(r, first)
			length := []int64{60, 300, 1800, 3600}[r.IntN(4)]
			e.MachineID, e.Timestamp, e.IntervalSec, e.CollectedSeconds = fmt.Sprintf("m%d", i), at, &length, nil
			if r.IntN(3) == 0 {
				connected := r.IntN(2) == 0
				e.Connected = &connected
			}
			list = append(list, e)
			at = at.Add(time.Duration(length) * time.Second)
			if r.IntN(3) == 0 {
				at = at.Add(time.Duration(r.IntN(300)) * time.Minute)
			}
		}
		for part := range slices.Chunk(list, 500) {
			storetest.Accepted(o.t, o.Store, o.host, part, len(part))
		}
		span := api.NotCollected{MachineID: list[0].MachineID, Start: first.AddDate(0, 0, i), End: first.AddDate(0, 0, i).Add(7 * time.Hour), Reason: api.NotCollectedHours}
		if w, err := o.NotCollected.Write(o.t.Context(), o.host, []api.NotCollected{span}); err != nil || w.Accepted != 1 {
			o.t.Fatal(w, err)
		}
	}
}

// group makes a group of accounts.
func (o *office) group(name string, machines ...string) directory.Scope {
	o.t.Helper()
	_, _, err := o.AddGroup(o.t.Context(), name)
	o.must(err)
	_, _, err = o.SetMembers(o.t.Context(), name, machines)
	o.must(err)
	g, err := o.GroupByName(o.t.Context(), all, name)
	o.must(err)
	return directory.OfGroups([]int32{g.Key})
}

func (o *office) person(machineID string) int64 {
	o.t.Helper()
	list, err := o.People.List(o.t.Context(), people.Filter{MachineID: machineID, Limit: 1})
	if err != nil || len(list) != 1 {
		o.t.Fatal(list, err)
	}
	return list[0].ID
}

func (o *office) join(to string, accounts ...string) {
	o.t.Helper()
	_, err := o.People.Join(o.t.Context(), o.person(to), accounts)
	o.must(err)
}

// close closes a month.
func (o *office) close(of months.Of, zone string) months.Closing {
	o.t.Helper()
	c, err := o.Months.Close(o.t.Context(), all, of, calendar(o.t, of.First, zone))
	o.must(err)
	return c
}

// page reads all of a closing.
func (o *office) page(of months.Of) months.Page {
	o.t.Helper()
	p, err := o.Months.Page(o.t.Context(), all, of, 0, 1000)
	o.must(err)
	return p
}

// changed lists what is other now, as person:day.
func changed(p *months.Page) []string {
	list := []string{}
	for i := range p.People {
		for d := range p.Dates {
			if c := p.Changed(i, d); c == nil || *c {
				list = append(list, fmt.Sprintf("%d:%d", p.People[i].Person, d))
			}
		}
	}
	return list
}

// What is kept is what the live answers are at that time, whoever is joined to whom, in zones
// west and east and where clocks change, before and after compaction.
func TestClosingIsAsTheLiveAnswers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	o := newOffice(t)
	o.random(r, march)
	even := o.group("even", "m0", "m2", "m4")
	o.join("m0", "m1", "m2")
	for i, zone := range []string{"Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu", "America/St_Johns"} {
		switch i {
		case 1:
			_, err := o.People.Part(t.Context(), o.person("m0"), "m1")
			o.must(err)
		case 2:
			storetest.Compact(t, o.Store)
		case 3:
			_, err := o.PackRollups(t.Context())
			o.must(err)
		}
		for _, group := range []string{"", "even"} {
			of := months.Of{First: march, Group: group}
			o.close(of, zone)
			p := o.page(of)
			if !p.Intact || p.Now == nil || len(changed(&p)) != 0 || len(p.Dates) != 31 || int64(len(p.People)) != p.Closing.People {
				t.Errorf("%s %q: intact %v, changed %v, %d dates", zone, group, p.Intact, changed(&p), len(p.Dates))
			}
			scope := all
			if group != "" {
				scope = even
			}
			o.compare(&p, scope)
			o.must(o.Months.Open(t.Context(), all, of))
		}
	}
}

// compare compares a closing with the answers about a person's day and its sums.
func (o *office) compare(p *months.Page, scope directory.Scope) {
	o.t.Helper()
	list, _, err := o.SumPeople(o.t.Context(), people.Filter{Scope: scope, Limit: 1000}, p.Bounds, true)
	if err != nil || len(list) != len(p.People) || len(list) == 0 {
		o.t.Fatal(len(list), len(p.People), err)
	}
	recorded := 0
	for i := range list {
		if list[i].ID != p.People[i].Person || !reflect.DeepEqual(list[i].Keys(), p.People[i].Machines) || list[i].Partial != p.People[i].Partial {
			o.t.Fatalf("%+v, want %+v", p.People[i], list[i].Person)
		}
		for d := range p.Dates {
			live, err := o.PersonMinutes(o.t.Context(), scope, list[i].ID, p.Bounds[d], p.Bounds[d+1])
			o.must(err)
			var want query.Figures
			for s := range live.Grid.Segments() {
				length := s.End.Sub(s.Start).Milliseconds()
				switch s.State {
				case minutes.Active:
					want.ActiveMS, want.NoInputMS = want.ActiveMS+s.ActiveMS, want.NoInputMS+length-s.ActiveMS
				case minutes.NoInput:
					want.NoInputMS += length
				case minutes.Locked:
					want.LockedMS += length
				case minutes.Disconnected:
					want.DisconnectedMS += length
				case minutes.NotCollected:
					want.NotCollectedMS += length
				default:
					want.UnknownMS += length
				}
			}
			sums := list[i].Sums[d]
			want.First, want.Last = sums.First, sums.Last
			got, _ := p.People[i].Day(d)
			if !sameFigures(got, want) {
				o.t.Fatalf("%s, person %d on %s: %+v, want %+v", p.TZ, list[i].ID, p.Dates[d], got, want)
			}
			idle := got.NoInputMS + got.LockedMS + got.DisconnectedMS
			if got.ActiveMS != int64(sums.ActiveSeconds*1000+0.5) || idle != int64(sums.IdleSeconds*1000+0.5) ||
				got.ActiveMS+idle+got.NotCollectedMS+got.UnknownMS != p.Bounds[d+1].Sub(p.Bounds[d]).Milliseconds() {
				o.t.Fatalf("%+v does not add up to %+v", got, sums)
			}
			if got.ActiveMS > 0 && got.First != nil {
				recorded++
			}
		}
	}
	if recorded < 20 {
		o.t.Errorf("only %d days with activity", recorded)
	}
}

func sameFigures(a, b query.Figures) bool {
	same := func(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }
	first, last := same(a.First, b.First), same(a.Last, b.Last)
	a.First, a.Last, b.First, b.Last = nil, nil, nil, nil
	return first && last && a == b
}

// What comes late changes nothing that is closed, and is reported; who leaves the group stays
// in what was closed; opening again forgets it.
func TestWhatComesLater(t *testing.T) {
	o := newOffice(t)
	at := march.AddDate(0, 0, 9).Add(8 * time.Hour)
	events := []api.Event{{MachineID: "m0", Timestamp: at, KeyCount: 1}, {MachineID: "m1", Timestamp: at}, {MachineID: "m2", Timestamp: at}}
	storetest.Accepted(t, o.Store, o.host, events, 3)
	own := o.group("own", "m0", "m1")
	foreign := o.group("foreign", "m2")
	of := months.Of{First: march, Group: "own"}
	as := audit.As(t.Context(), audit.Actor{Kind: audit.Command, ID: "7", Name: "someone"})
	closed, err := o.Months.Close(as, own, of, calendar(t, march, "Europe/Moscow"))
	if err != nil || closed.People != 2 || closed.Group != "own" || closed.ActorKind != audit.Command || closed.ActorID != "7" || closed.TZ != "Europe/Moscow" || !closed.ClosedAt.Equal(now) {
		t.Fatal(closed, err)
	}
	before := o.page(of)
	if got, _ := before.People[0].Day(9); got.ActiveMS != 60_000 || got.First == nil || !got.First.Equal(at) || got.UnknownMS != 24*3600_000-60_000 {
		t.Errorf("%+v", got)
	}
	if _, err := o.Months.Close(t.Context(), all, of, calendar(t, march, "UTC")); !errors.Is(err, months.ErrClosed) {
		t.Error(err)
	}
	// Late: a record, a joined account, somebody who leaves.
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "m1", Timestamp: at.Add(time.Minute), IsIdle: true}}, 1)
	o.join("m0", "m2")
	o.group("own", "m1")
	after := o.page(of)
	if !reflect.DeepEqual(before.People, after.People) || !after.Intact {
		t.Errorf("%+v\n%+v", before.People, after.People)
	}
	if got, want := changed(&after), []string{fmt.Sprintf("%d:9", o.person("m1"))}; !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
	// Others don't see it, whatever they ask.
	for _, scope := range []directory.Scope{foreign, directory.Nothing(), directory.OfMachines([]int32{1})} {
		for _, group := range []string{"own", "", "nowhere"} {
			q := months.Of{First: march, Group: group}
			if _, err := o.Months.Page(t.Context(), scope, q, 0, 10); !errors.Is(err, directory.ErrNoGroup) {
				t.Error(group, err)
			}
			if err := o.Months.Open(t.Context(), scope, q); !errors.Is(err, directory.ErrNoGroup) {
				t.Error(group, err)
			}
			if _, err := o.Months.Close(t.Context(), scope, q, calendar(t, march, "UTC")); !errors.Is(err, directory.ErrNoGroup) {
				t.Error(group, err)
			}
		}
		if list, err := o.Months.List(t.Context(), scope, march, now, 1<<62, 10); err != nil || len(list) != 0 {
			t.Error(list, err)
		}
	}
	if list, err := o.Months.List(t.Context(), own, march, now, 1<<62, 10); err != nil || len(list) != 1 || list[0].ID != closed.ID || string(list[0].Digest) != string(closed.Digest) {
		t.Error(list, err)
	}
	if err := o.RemoveGroup(t.Context(), "own"); !errors.Is(err, directory.ErrClosedMonths) {
		t.Error(err)
	}
	// Not what is not over, nor in that zone.
	o.group("nobody")
	if c := o.close(months.Of{First: march, Group: "nobody"}, "UTC"); c.People != 0 || !o.page(months.Of{First: march, Group: "nobody"}).Intact {
		t.Errorf("%+v", c)
	}
	for _, first := range []time.Time{march.AddDate(0, 1, 0), march.AddDate(0, 2, 0)} {
		if _, err := o.Months.Close(t.Context(), all, months.Of{First: first}, calendar(t, first, "UTC")); !errors.Is(err, months.ErrNotOver) {
			t.Error(err)
		}
	}
	o.must(o.Months.Open(as, own, of))
	if _, err := o.Months.Page(t.Context(), all, of, 0, 10); !errors.Is(err, months.ErrNone) {
		t.Error(err)
	}
	if err := o.Months.Open(as, own, of); !errors.Is(err, months.ErrNone) {
		t.Error(err)
	}
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM month_person"); n != 0 {
		t.Error(n, "rows are left")
	}
	o.must(o.RemoveGroup(t.Context(), "own"))
	o.audited("month.closed", "month.closed", "month.opened")
}

// audited checks what of months the audit log has, and that it is whole.
func (o *office) audited(want ...string) {
	o.t.Helper()
	entries, err := o.Audit.List(o.t.Context(), 1<<62, 1000)
	o.must(err)
	var got []string
	for _, e := range slices.Backward(entries) {
		if e.SubjectID == "2026-03" {
			got = append(got, e.What)
		}
	}
	if !slices.Equal(got, want) {
		o.t.Errorf("%v, want %v", got, want)
	}
	if v, err := o.Audit.Verify(o.t.Context()); err != nil || v.Wrong != "" {
		o.t.Error(v, err)
	}
}

// A month whose sums are dropped, or will be before long, is neither closed nor compared.
func TestNotKept(t *testing.T) {
	o := newOffice(t)
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "m0", Timestamp: march.Add(time.Hour)}}, 1)
	of := months.Of{First: march}
	o.close(of, "UTC")
	later := march.AddDate(0, 3, 0)
	s := storetest.OpenAt(t, o.url, partition.Retention{Rollups: 24 * time.Hour}, later)
	p, err := s.Months.Page(t.Context(), all, of, 0, 10)
	if err != nil || len(p.People) != 1 || p.Changed(0, 0) != nil || !p.Intact {
		t.Errorf("%+v, %v", p, err)
	}
	february := march.AddDate(0, -1, 0)
	if _, err := s.Months.Close(t.Context(), all, months.Of{First: february}, calendar(t, february, "UTC")); !errors.Is(err, months.ErrNotKept) {
		t.Error(err)
	}
	// Another server, which keeps all, knows of it too.
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p = o.page(of); p.Changed(0, 0) != nil || p.People[0].ActiveMS[0] != 60_000 {
		t.Errorf("%+v", p)
	}
	if _, err := o.Months.Close(t.Context(), all, months.Of{First: february}, calendar(t, february, "UTC")); !errors.Is(err, months.ErrNotKept) {
		t.Error(err)
	}
}

// Who is erased is gone from all closed months, and others' figures are as they were.
func TestErased(t *testing.T) {
	o := newOffice(t)
	o.random(rand.New(rand.NewPCG(1, 2)), march)
	o.group("even", "m0", "m2", "m4")
	o.join("m0", "m1")
	of, everybody := months.Of{First: march, Group: "even"}, months.Of{First: march}
	o.close(of, "UTC")
	o.close(everybody, "UTC")
	before, of0 := o.page(of), o.person("m0")
	c, err := o.Erasures.Erase(t.Context(), of0)
	if err != nil || c.Months != 2 {
		t.Fatal(c, err)
	}
	if got, err := o.Erasures.ByID(t.Context(), c.ID); err != nil || got.Months != 2 {
		t.Error(got, err)
	}
	for _, q := range []months.Of{of, everybody} {
		after := o.page(q)
		if !after.Intact || len(changed(&after)) != 0 {
			t.Errorf("%q: not intact, or changed: %v", q.Group, changed(&after))
		}
		if slices.ContainsFunc(after.People, func(p months.Person) bool { return p.Person == of0 }) {
			t.Errorf("%q still has who was erased", q.Group)
		}
		if q == of && !reflect.DeepEqual(after.People, before.People[1:]) {
			t.Errorf("%+v\n%+v", before.People, after.People)
		}
	}
	// What somebody changes by hand is found.
	for i, sql := range []string{
		"UPDATE month_person SET active_ms[3] = active_ms[3] + 60000 WHERE person = 3", "UPDATE month SET tz = 'Asia/Tokyo'", "UPDATE month_person SET label = 'x' WHERE person = 5",
		"UPDATE month_person SET unknown_ms = '{}'", "UPDATE month SET bounds = '{}', dates = '{}'", "UPDATE month SET digests = ''",
	} {
		p := o.page(of)
		if p.Intact != (i == 0) {
			t.Errorf("%d: %v", i, p.Intact)
		}
		if _, err := storetest.Connect(t, o.url).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// paused runs do while a closing of everybody waits for a table, in the transaction that keeps
// it waiting, and returns when both are through.
func (o *office) paused(table string, do func(context.Context, pgx.Tx)) {
	o.t.Helper()
	ctx, conn := o.t.Context(), storetest.Connect(o.t, o.url)
	tx, err := conn.Begin(ctx)
	o.must(err)
	_, err = tx.Exec(ctx, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	o.must(err)
	var closing sync.WaitGroup
	closing.Go(func() {
		if _, err := o.Months.Close(ctx, all, months.Of{First: march}, calendar(o.t, march, "UTC")); err != nil {
			o.t.Error(err)
		}
	})
	o.awaitLock(ctx, table)
	do(ctx, tx)
	o.must(tx.Commit(ctx))
	closing.Wait()
}

// awaitLock waits until somebody waits for a table.
func (o *office) awaitLock(ctx context.Context, table string) {
	o.t.Helper()
	o.awaitLocks(ctx, table, 1)
}

// awaitLocks waits until so many do.
func (o *office) awaitLocks(ctx context.Context, table string, many int) {
	o.t.Helper()
	watch := storetest.Connect(o.t, o.url)
	for waiting := 0; waiting < many; {
		o.must(watch.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass", table).Scan(&waiting))
	}
}

// What is committed while a month is being closed is not in it.
func TestClosingIsOneState(t *testing.T) {
	o := newOffice(t)
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "m0", Timestamp: march.Add(time.Hour)}}, 1)
	o.paused("host", func(ctx context.Context, tx pgx.Tx) {
		_, err := tx.Exec(ctx, "INSERT INTO not_collected (machine, start_at, end_at, reason) SELECT id, $1, $2, 'hours' FROM machine", march, march.Add(time.Hour))
		o.must(err)
	})
	p := o.page(months.Of{First: march})
	if c := p.Changed(0, 0); p.People[0].NotCollectedMS[0] != 0 || c == nil || !*c {
		t.Errorf("%+v, changed %v", p.People[0], c)
	}
}

// Where nodes have no state in common, events wait while a month is being closed, and are
// stored afterwards; on one node nobody waits.
func TestEventsWhileClosing(t *testing.T) { storetest.OnBoth(t, eventsWhileClosing) }

func eventsWhileClosing(t *testing.T, url string) {
	t.Helper()
	o := officeOn(t, url)
	event := func(minute int) []api.Event {
		return []api.Event{{MachineID: "m0", Timestamp: march.Add(time.Duration(minute) * time.Minute)}}
	}
	storetest.Accepted(t, o.Store, o.host, event(0), 1)
	stored := make(chan struct{})
	o.paused("not_collected", func(ctx context.Context, _ pgx.Tx) {
		go func() {
			defer close(stored)
			storetest.Accepted(t, o.Store, o.host, event(1), 1)
		}()
		if o.Spread() {
			o.awaitLock(ctx, "machine")
		} else {
			<-stored
		}
	})
	<-stored
	p := o.page(months.Of{First: march})
	if got := len(p.People); got != 1 || !p.Intact {
		t.Errorf("%d people, intact %v", got, p.Intact)
	}
	if events := storetest.Ask[int64](t, o.url, "SELECT sum(events)::bigint FROM rollup"); events != 2 {
		t.Errorf("%d events", events)
	}
}

// However many wait for a closing, each with a connection, it has those that it needs.
func TestClosingBeforeMany(t *testing.T) {
	url := storetest.NewDatabase(t)
	if !testdb.Elsewhere() {
		testdb.PretendSpread(t, url)
	}
	const connections = 6
	o := officeOn(t, url)
	o.Store = storetest.OpenCompacting(t, fmt.Sprintf("%s&pool_max_conns=%d", url, connections), now)
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "m0", Timestamp: march.Add(time.Hour)}}, 1)
	var writing sync.WaitGroup
	o.paused("machine", func(ctx context.Context, _ pgx.Tx) {
		for i := range 2 * connections {
			writing.Go(func() {
				from := march.Add(time.Duration(2+i) * time.Hour)
				span := api.NotCollected{MachineID: "m0", Start: from, End: from.Add(time.Hour), Reason: api.NotCollectedHours}
				if w, err := o.NotCollected.Write(ctx, o.host, []api.NotCollected{span}); err != nil || w.Accepted != 1 {
					t.Error(w, err)
				}
			})
		}
		o.awaitLocks(ctx, "machine", connections-1)
	})
	writing.Wait()
	if p := o.page(months.Of{First: march}); len(p.People) != 1 || !p.Intact {
		t.Errorf("%+v", p)
	}
}

// Who is erased while a month is being closed is gone from it.
func TestErasedWhileClosing(t *testing.T) {
	o := newOffice(t)
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "m0", Timestamp: march.Add(time.Hour)}, {MachineID: "m1", Timestamp: march.Add(time.Hour)}}, 2)
	id := o.person("m0")
	var erasing sync.WaitGroup
	o.paused("not_collected", func(ctx context.Context, _ pgx.Tx) {
		erased := make(chan struct{})
		erasing.Go(func() {
			defer close(erased)
			if c, err := o.Erasures.Erase(ctx, id); err != nil || c.Months != 1 {
				t.Error(c, err)
			}
		})
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			o.awaitLock(ctx, "month_person")
		}()
		select {
		case <-erased:
			t.Error("it did not wait for the closing")
		case <-waits:
		}
	})
	erasing.Wait()
	if p := o.page(months.Of{First: march}); len(p.People) != 1 || p.People[0].Person == id || !p.Intact {
		t.Errorf("%+v", p.People)
	}
}

// However many close, open, erase, join and send at once: each closing is one state, exactly
// as it was then, and nobody who was erased is left in one.
func TestClosingRaces(t *testing.T) {
	o := newOffice(t)
	o.random(rand.New(rand.NewPCG(3, 4)), march)
	o.group("even", "m0", "m2", "m4")
	before := o.homes()
	storetest.Accepted(t, o.Store, o.host, []api.Event{{MachineID: "p1", Timestamp: march}, {MachineID: "p2", Timestamp: march}}, 2)
	pair := []int64{o.person("p1"), o.person("p2")}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	second := storetest.OpenCompacting(t, o.url, now)
	var workers, background sync.WaitGroup
	stop := make(chan struct{})
	background.Go(func() { // joins and parts
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := o.People.Join(ctx, before["m0"], []string{"m2"}); err != nil {
				t.Error(err)
			}
			if _, err := o.People.Part(ctx, before["m0"], "m2"); err != nil {
				t.Error(err)
			}
		}
	})
	background.Go(func() { // sends a pair of records that must be seen both or not
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			at := march.Add(time.Duration(i) * time.Minute)
			events := []api.Event{{MachineID: "p1", Timestamp: at}, {MachineID: "p2", Timestamp: at}}
			if _, err := o.WriteEvents(ctx, storetest.Batch{Host: o.host, Events: events}); err != nil {
				t.Error(err)
			}
		}
	})
	closings := 0
	var mu sync.Mutex
	for i, s := range []*storetest.Store{o.Store, second, o.Store, second} {
		of := months.Of{First: march, Group: []string{"", "even"}[i%2]}
		workers.Go(func() {
			for range 6 {
				_, err := s.Months.Close(ctx, all, of, calendar(t, march, "Europe/Berlin"))
				if err != nil && !errors.Is(err, months.ErrClosed) {
					t.Error(err)
				}
				if p, err := s.Months.Page(ctx, all, of, 0, 1000); err == nil {
					if !p.Intact {
						t.Error("not intact")
					}
					if !o.Spread() { // each person is seen in one state then, not all of them
						checkPair(t, &p, pair)
					}
					mu.Lock()
					closings++
					mu.Unlock()
				} else if !errors.Is(err, months.ErrNone) {
					t.Error(err)
				}
				if err := s.Months.Open(ctx, all, of); err != nil && !errors.Is(err, months.ErrNone) {
					t.Error(err)
				}
			}
		})
	}
	workers.Go(func() {
		for _, m := range []string{"m4", "m5"} {
			if _, err := second.Erasures.Erase(ctx, before[m]); err != nil {
				t.Error(err)
			}
		}
	})
	workers.Wait()
	close(stop)
	background.Wait()
	if closings == 0 {
		t.Error("no closing was read")
	}
	everybody := months.Of{First: march}
	o.close(everybody, "UTC")
	if n := storetest.Ask[int](t, o.url, "SELECT count(*) FROM month_person p WHERE EXISTS (SELECT FROM unnest(machines) m WHERE NOT EXISTS (SELECT FROM machine WHERE id = m))"); n != 0 {
		t.Error(n, "rows of erased people are left")
	}
	if v, err := o.Audit.Verify(t.Context()); err != nil || v.Wrong != "" {
		t.Error(v, err)
	}
}

// homes returns whose the accounts are.
func (o *office) homes() map[string]int64 {
	o.t.Helper()
	of := map[string]int64{}
	for i := range 6 {
		of[fmt.Sprintf("m%d", i)] = o.person(fmt.Sprintf("m%d", i))
	}
	return of
}

// checkPair checks that two people, of whom each minute is written together, were closed with
// as many.
func checkPair(t *testing.T, p *months.Page, pair []int64) {
	t.Helper()
	var of [][]int32
	for i := range p.People {
		if slices.Contains(pair, p.People[i].Person) {
			of = append(of, p.People[i].ActiveMS)
		}
	}
	if len(of) == 2 && !slices.Equal(of[0], of[1]) {
		t.Errorf("of a pair one was closed with %v and the other with %v", of[0], of[1])
	}
}
