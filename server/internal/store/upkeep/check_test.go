package upkeep_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Duplicates, late events, two servers and many calls at once leave roll-ups that
// are the sums of their events, and every event is answered for.
func TestRollupsAreExact(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	stores := []*storetest.Store{storetest.OpenAt(t, url, partition.Retention{}, now), storetest.OpenAt(t, url, partition.Retention{}, now)}
	host := storetest.AddHost(t, stores[0])
	var mu sync.Mutex
	accepted, duplicates, sent := 0, 0, 0
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 20 {
				var events []api.Event
				for range 1 + r.IntN(30) {
					events = append(events, storetest.SomeEvent(r, now))
				}
				w, err := stores[worker%2].WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				accepted, duplicates, sent = accepted+w.Accepted, duplicates+w.Duplicates, sent+len(events)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event"); n != accepted || accepted+duplicates != sent {
		t.Errorf("%d events, %d accepted and %d duplicates of %d", n, accepted, duplicates, sent)
	}
	check := func(repair bool, wrong int) {
		t.Helper()
		c, err := stores[0].CheckRollups(t.Context(), repair)
		if err != nil || c.Wrong != wrong || c.Events != accepted || c.Machines != 6 || c.Rollups == 0 {
			t.Errorf("%+v %v, want %d wrong", c, err, wrong)
		}
	}
	check(false, 0)
	conn := storetest.Connect(t, url)
	for _, sql := range []string{
		"UPDATE rollup SET app_ms[1] = app_ms[1] + 1 WHERE (machine, bucket) = (SELECT machine, bucket FROM rollup WHERE cardinality(apps) > 0 ORDER BY 1, 2 LIMIT 1)",
		"DELETE FROM rollup WHERE (machine, bucket) = (SELECT machine, bucket FROM rollup ORDER BY 1 DESC, 2 LIMIT 1)",
		"INSERT INTO rollup SELECT bucket - interval '7 days', machine, 1, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, '{}', '{}' FROM rollup LIMIT 1",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		repair bool
		wrong  int
	}{{false, 3}, {true, 3}, {false, 0}} {
		c, err := stores[1].CheckRollups(t.Context(), step.repair)
		if err != nil || c.Wrong != step.wrong || c.Repaired != step.repair {
			t.Errorf("%+v: %+v %v", step, c, err)
		}
	}
}

// What an older server stored, or adds while both run, divides into active and open
// time by an estimate, which repairing makes exact.
func TestEstimatedRollups(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	at := now.AddDate(0, 0, -5)
	event := func(minute int, active float64) api.Event {
		return api.Event{
			MachineID: "m", Timestamp: at.Add(time.Duration(minute) * time.Minute), ActiveSeconds: &active,
			Focus: []api.Focus{{App: "front", Seconds: 45, ActiveSeconds: &active}, {App: "back", Seconds: 15, ActiveSeconds: new(0.0)}},
		}
	}
	storetest.Accepted(t, s, host, []api.Event{event(0, 30), event(20, 30), event(40, 45)}, 3)
	conn := storetest.Connect(t, url)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	look := func(want bool, front, back float64) {
		t.Helper()
		activity, err := s.Activity(t.Context(), directory.Scope{}, "m", []time.Time{at, now}, 9)
		if err != nil {
			t.Fatal(err)
		}
		sum := map[string]float64{}
		for _, a := range activity[0].Apps {
			sum[a.App] = a.Active
			if a.Active+a.Open != map[string]float64{"front": 180, "back": 60}[a.App] {
				t.Errorf("all of %+v is not what it had the focus", a)
			}
		}
		if activity[0].Estimated != want || sum["front"] != front || sum["back"] != back {
			t.Errorf("estimated %v: %v, want %v: %v and %v", activity[0].Estimated, sum, want, front, back)
		}
	}
	// As an older server left it, but for one.
	exec("UPDATE rollup SET app_active_ms = '{}' WHERE bucket < '2026-05-09 12:30Z'")
	// It is added to by this server, and stays as it is.
	storetest.Accepted(t, s, host, []api.Event{event(21, 30)}, 1)
	for range 2 {
		// Of the first 30 of 60 s, of the second 60 of 120 s.
		look(true, 22.5+45+45, 7.5+15)
		storetest.Exact(t, s, 4)
		if _, err := s.PackRollups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM rollup_day"); n != 1 {
		t.Errorf("%d days are packed", n)
	}
	for _, step := range []struct {
		repair    bool
		estimated int
	}{{false, 2}, {true, 2}, {false, 0}} {
		c, err := s.CheckRollups(t.Context(), step.repair)
		if err != nil || c.Wrong != 0 || c.Estimated != step.estimated || c.Repaired != step.repair {
			t.Errorf("%+v: %+v %v", step, c, err)
		}
	}
	look(false, 30+30+30+45, 0)
}

// An older server joins the applications of a full roll-up and leaves active times as
// they were, where both may come to be as many although they no longer belong together.
// No application then has more active time than time: such a day could not be read
// once it is packed, nor repaired.
func TestJoinedByAnOlderServer(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	at := now.AddDate(0, 0, -5)
	storetest.Accepted(t, s, host, []api.Event{{MachineID: "m", Timestamp: at, Focus: []api.Focus{
		{App: "first", Seconds: 40}, {App: "second", Seconds: 20},
	}}}, 1)
	// What it had no time of is in the place of what had much.
	conn := storetest.Connect(t, url)
	if _, err := conn.Exec(t.Context(), "UPDATE rollup SET app_active_ms = ARRAY[20000, 40000]"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		activity, err := s.Activity(t.Context(), directory.Scope{}, "m", []time.Time{at, now}, 9)
		if err != nil {
			t.Fatal(err)
		}
		if !activity[0].Estimated || len(activity[0].Apps) != 2 {
			t.Errorf("%+v", activity[0])
		}
		for _, a := range activity[0].Apps {
			if a.Active < 0 || a.Open < 0 || a.Active+a.Open != map[string]float64{"first": 40, "second": 20}[a.App] {
				t.Errorf("%+v", a)
			}
		}
		if _, err := s.PackRollups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{1, 0} {
		if c, err := s.CheckRollups(t.Context(), true); err != nil || c.Wrong != 0 || c.Estimated != want {
			t.Errorf("%+v %v, want %d estimated", c, err, want)
		}
	}
}
