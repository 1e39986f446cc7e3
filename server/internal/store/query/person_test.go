package query_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
)

// plainMinute is a minute of the plain model.
type plainMinute struct {
	rank   int
	active int64
}

// plain computes a minute of a person straight from the contract, with the
// records of each account apart.
func plain(at time.Time, accounts [][]api.Event) (m plainMinute) {
	for _, events := range accounts {
		var own plainMinute
		for _, e := range events {
			begin, end := e.Timestamp, e.Timestamp.Add(time.Duration(e.Interval())*time.Second)
			if !begin.Before(at.Add(time.Minute)) || !end.After(at) {
				continue
			}
			active := e.Interval() * 1000
			if e.CollectedSeconds != nil {
				active = *e.CollectedSeconds * 1000
			}
			if e.ActiveSeconds != nil {
				active = min(active, int64(*e.ActiveSeconds*1000+0.5))
			} else if e.IsIdle {
				active = 0
			}
			// Spread evenly: how much lies before each border.
			share := func(t time.Time) int64 {
				if t.Before(begin) {
					t = begin
				}
				if t.After(end) {
					t = end
				}
				return active * t.Sub(begin).Microseconds() / end.Sub(begin).Microseconds()
			}
			part, rank := share(at.Add(time.Minute))-share(at), 4
			switch {
			case part > 0:
				rank = 5
			case e.Connected != nil && !*e.Connected:
				rank = 2
			case e.Locked != nil && *e.Locked:
				rank = 3
			}
			own.rank, own.active = max(own.rank, rank), min(own.active+part, 60_000)
		}
		m.rank, m.active = max(m.rank, own.rank), max(m.active, own.active)
	}
	return m
}

// dense returns events of an account over some hours: mostly whole minutes, some of
// other lengths and not on the grid.
func dense(r *rand.Rand, machine string, from time.Time, hours int) []api.Event {
	var list []api.Event
	for at := from; at.Before(from.Add(time.Duration(hours) * time.Hour)); {
		e := storetest.SomeEvent(r, from)
		length := []int64{60, 60, 60, 60, 20, 300, 1800}[r.IntN(7)]
		e.MachineID, e.Timestamp, e.IntervalSec = machine, at, &length
		if e.ActiveSeconds != nil {
			active := float64(r.Int64N(length*1000+1)) / 1000
			e.ActiveSeconds = &active
		}
		if e.CollectedSeconds = nil; r.IntN(4) == 0 {
			collected := r.Int64N(length + 1)
			e.CollectedSeconds = &collected
		}
		if r.IntN(3) == 0 {
			connected := r.IntN(2) == 0
			e.Connected = &connected
		}
		list = append(list, e)
		at = at.Add(time.Duration(length) * time.Second)
		switch r.IntN(6) {
		case 0:
			at = at.Add(time.Duration(r.IntN(90)) * time.Minute)
		case 1:
			at = at.Add(time.Duration(r.IntN(100)) * time.Second)
		}
	}
	return list
}

// Whatever accounts, records, joins and partings there are, a person's minutes, sums and
// events are those of a plain model, before and after compaction and packing, and in
// part for who may see a part.
func TestPersonIsAsTheModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, storetest.NewDatabase(t), now)
	host, day := storetest.AddHost(t, s), now.Truncate(24*time.Hour).AddDate(0, 0, -8)
	of, home := map[string]int64{}, map[string]int64{}
	events := map[string][]api.Event{}
	var names []string
	for i := range 5 {
		name := fmt.Sprintf("m%d", i)
		names, events[name] = append(names, name), dense(r, name, day.Add(20*time.Hour), 10)
		storetest.Accepted(t, s, host, events[name], len(events[name]))
		list, err := s.People.List(t.Context(), people.Filter{MachineID: name, Limit: 1})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		of[name], home[name] = list[0].ID, list[0].ID
	}
	for _, g := range []string{"even", "none"} {
		if _, _, err := s.AddGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.SetMembers(t.Context(), "even", []string{"m0", "m2", "m4"}); err != nil {
		t.Fatal(err)
	}
	even, err := s.GroupByName(t.Context(), directory.Scope{}, "even")
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		for _, person := range home {
			var all, part [][]api.Event
			for i, name := range names {
				if of[name] == person {
					all = append(all, events[name])
					if i%2 == 0 {
						part = append(part, events[name])
					}
				}
			}
			checkPerson(t, s, directory.Scope{}, person, day, all, false)
			checkPerson(t, s, directory.OfGroups([]int32{even.Key}), person, day, part, len(part) < len(all))
		}
		checkMany(t, s, people.Filter{}, day)
		checkMany(t, s, people.Filter{Scope: directory.OfGroups([]int32{even.Key})}, day)
	}
	check()
	for round := range 6 {
		name, to := names[r.IntN(5)], home[names[r.IntN(5)]]
		if r.IntN(2) == 0 || round == 0 {
			if _, err := s.People.Join(t.Context(), to, []string{name}); err != nil {
				t.Fatal(err)
			}
			of[name] = to
		} else if of[name] != home[name] {
			if _, err := s.People.Part(t.Context(), of[name], name); err != nil {
				t.Fatal(err)
			}
			of[name] = home[name]
		}
		switch round {
		case 2:
			storetest.Compact(t, s)
		case 3:
			if _, err := s.PackRollups(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		check()
	}
}

func checkPerson(t *testing.T, s *storetest.Store, scope directory.Scope, person int64, day time.Time, accounts [][]api.Event, partial bool) {
	t.Helper()
	from, to := day.Add(19*time.Hour), day.Add(32*time.Hour)
	if scope.Limited() && len(accounts) == 0 {
		if _, err := s.PersonMinutes(t.Context(), scope, person, from, to); err == nil {
			t.Errorf("person %d is seen by who may see none of the accounts", person)
		}
		return
	}
	got, err := s.PersonMinutes(t.Context(), scope, person, from, to)
	if err != nil || got.Partial != partial || got.Estimated {
		t.Fatalf("%+v, %v", got, err)
	}
	var active, idle int64
	for i, m := range got.Grid.List {
		at := from.Add(time.Duration(i) * time.Minute)
		want := plain(at, accounts)
		if int(m.State) != want.rank || int64(m.ActiveMS) != want.active {
			t.Fatalf("person %d at %v: %+v, want %+v", person, at, m, want)
		}
		active += int64(m.ActiveMS)
		if want.rank > 1 {
			idle += 60_000 - want.active
		}
	}
	checkSums(t, s, scope, person, []time.Time{from, from.Add(3 * time.Hour), to}, accounts, active, idle)
	checkEvents(t, s, scope, person, from, to, accounts, partial)
}

// checkSums checks that sums add up to what is known of all, and counts to those of the
// events.
func checkSums(t *testing.T, s *storetest.Store, scope directory.Scope, person int64, bounds []time.Time, accounts [][]api.Event, active, idle int64) {
	t.Helper()
	of, err := s.PersonActivity(t.Context(), scope, person, bounds, 3)
	activity := of.Spans
	if err != nil || len(activity) != len(bounds)-1 {
		t.Fatal(activity, err)
	}
	var keys, events, gotActive, gotIdle int64
	for _, one := range activity {
		keys, events = keys+one.Counts[api.Keys], events+one.Events
		gotActive, gotIdle = gotActive+int64(one.ActiveSeconds*1000+0.5), gotIdle+int64(one.IdleSeconds*1000+0.5)
	}
	var wantKeys, wantEvents int64
	for _, list := range accounts {
		for _, e := range list {
			if !e.Timestamp.Before(bounds[0]) && e.Timestamp.Before(bounds[len(bounds)-1]) {
				wantKeys, wantEvents = wantKeys+e.KeyCount, wantEvents+1
			}
		}
	}
	if keys != wantKeys || events != wantEvents || gotActive != active || gotIdle != idle {
		t.Fatalf("%d keys, %d events, %d active, %d idle; want %d, %d, %d, %d", keys, events, gotActive, gotIdle, wantKeys, wantEvents, active, idle)
	}
	whole, err := s.PersonActivity(t.Context(), scope, person, []time.Time{bounds[0], bounds[len(bounds)-1]}, 3)
	if err != nil || !reflect.DeepEqual(of.Whole, whole.Whole) || !reflect.DeepEqual(whole.Whole, whole.Spans[0]) || !reflect.DeepEqual(of.PersonTime, whole.PersonTime) {
		t.Fatalf("%v, %+v of all spans together, %+v of one", err, of.Whole, whole.Whole)
	}
}

// checkEvents reads a person's events page by page.
func checkEvents(t *testing.T, s *storetest.Store, scope directory.Scope, person int64, from, to time.Time, accounts [][]api.Event, partial bool) {
	t.Helper()
	var got, want []string
	for place := (query.PersonPlace{At: from}); ; {
		page, err := s.PersonEvents(t.Context(), scope, person, place, to, 70)
		if err != nil || len(page.Events) > 70 || page.Partial != partial {
			t.Fatal(len(page.Events), page.Partial, err)
		}
		for _, e := range page.Events {
			got = append(got, e.Timestamp.Format(time.RFC3339Nano)+" "+e.MachineID)
		}
		if !page.More {
			break
		}
		last := page.Events[len(page.Events)-1]
		place = query.PersonPlace{At: last.Timestamp, After: last.MachineID}
	}
	for _, list := range accounts {
		for _, e := range list {
			if !e.Timestamp.Before(from) && e.Timestamp.Before(to) {
				want = append(want, e.Timestamp.Format(time.RFC3339Nano)+" "+e.MachineID)
			}
		}
	}
	slices.Sort(want)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

// Roll-ups of an older server have no minutes: these are made of events while they are
// kept, by a repair for good, and estimated otherwise.
func TestPersonOfAnOlderServer(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host, at := storetest.AddHost(t, s), now.AddDate(0, 0, -40).Truncate(time.Hour)
	var events []api.Event
	for i, active := range []float64{60, 30, 60} {
		e := api.Event{MachineID: fmt.Sprintf("m%d", i%2), Timestamp: at.Add(time.Duration(i) * time.Minute), ActiveSeconds: &active}
		events = append(events, e)
	}
	storetest.Accepted(t, s, host, events, 3)
	if _, err := s.People.Join(t.Context(), 1, []string{"m1"}); err != nil {
		t.Fatal(err)
	}
	ask := func(keep time.Duration) (query.PersonTime, int64, int64) {
		t.Helper()
		s := storetest.OpenAt(t, url, partition.Retention{Events: keep}, now)
		got, err := s.PersonMinutes(t.Context(), directory.Scope{}, 1, at, at.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		active, idle := got.Grid.Sum(at, at.Add(time.Hour))
		return got, active, idle
	}
	exact := func(what string, keep time.Duration) {
		t.Helper()
		if got, active, idle := ask(keep); got.Estimated || active != 150_000 || idle != 30_000 || got.Grid.List[1].ActiveMS != 30_000 || got.Grid.List[3].State != minutes.Unknown {
			t.Errorf("%s: %d %d %+v", what, active, idle, got)
		}
	}
	exact("as stored", 0)
	exact("without events", 24*time.Hour)
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "UPDATE rollup SET minutes = ''"); err != nil {
		t.Fatal(err)
	}
	exact("of events", 0)
	// The first one's 120 seconds are more than the other's 30.
	if got, active, idle := ask(24 * time.Hour); !got.Estimated || active != 120_000 || idle != 15*60_000-120_000 || got.Grid.List[15].State != minutes.Unknown {
		t.Errorf("%d %d %+v", active, idle, got)
	}
	for i, want := range []int{2, 0} {
		c, err := s.CheckRollups(t.Context(), true)
		if err != nil || c.Wrong != 0 || c.Estimated != want {
			t.Errorf("%d: %+v, %v", i, c, err)
		}
	}
	exact("repaired", 24*time.Hour)
	// A minute that is not the events' is found.
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "UPDATE rollup SET minutes = '\\x01010a01' WHERE machine = 2"); err != nil {
		t.Fatal(err)
	}
	if c, err := s.CheckRollups(t.Context(), false); err != nil || c.Wrong != 1 || c.Estimated != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
