package upkeep_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Duplicates, late events, two servers and many calls at once leave roll-ups as
// their events say, and every event is answered for.
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
