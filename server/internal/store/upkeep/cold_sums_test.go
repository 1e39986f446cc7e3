package upkeep_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
)

// Whether roll-ups are packed or not, late events or not, the answers are the same
// and the check finds them right, in every order of things.
func TestPackedRollupsAnswerTheSame(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	r := rand.New(rand.NewPCG(5, 6))
	const machines, days = 3, 40
	write := func(n int) {
		t.Helper()
		var events []api.Event
		for range n {
			at := now.Add(-time.Duration(r.Int64N(days*24*60)) * time.Minute)
			active := float64(r.IntN(60000)) / 1000
			events = append(events, api.Event{
				MachineID: fmt.Sprintf("m%d", r.IntN(machines)), Timestamp: at, KeyCount: r.Int64N(3), MouseClicks: r.Int64N(9),
				MouseDistancePx: r.Int64N(4000), ActiveSeconds: &active, Focus: []api.Focus{
					{App: fmt.Sprint("a", r.IntN(4)), Seconds: 1.5}, {App: fmt.Sprint("b", r.IntN(9)), Seconds: float64(r.IntN(40))},
				},
			})
		}
		if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	// Bounds that cut days, hours and nothing at all.
	var bounds []time.Time
	for at := now.AddDate(0, 0, -days-1); at.Before(now.AddDate(0, 0, 1)); at = at.Add(time.Duration(r.Int64N(200)) * codec.BucketLength) {
		bounds = append(bounds, at)
	}
	look := func() (all [][]query.Activity) {
		t.Helper()
		for m := range machines {
			activity, err := s.Activity(t.Context(), directory.Scope{}, fmt.Sprintf("m%d", m), bounds, 3)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, activity)
		}
		if c, err := s.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
			t.Fatalf("%+v, %v", c, err)
		}
		return all
	}
	const unpacked = "SELECT count(*) FROM rollup WHERE bucket < '2026-05-14'"
	for round := range 3 {
		write(2000 / (1 + 10*round))
		before := look()
		loose := storetest.Ask[int](t, url, unpacked)
		n, err := s.PackRollups(t.Context())
		if err != nil || n == 0 || int(n) != loose || storetest.Ask[int](t, url, unpacked) != 0 {
			t.Fatalf("round %d: %d of %d packed: %v", round, n, loose, err)
		}
		if after := look(); !reflect.DeepEqual(before, after) {
			t.Fatalf("round %d: other answers", round)
		}
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('rollup_20260401')"); n != 0 {
		t.Error("an empty partition of roll-ups is left")
	}
	before := look()
	// What is wrong in a packed day is found, and repaired.
	conn := storetest.Connect(t, url)
	rows, err := conn.Query(t.Context(), "SELECT day, body, minutes FROM rollup_day WHERE machine = 2 AND day < '2026-04-20'")
	if err != nil {
		t.Fatal(err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Day           time.Time
		Body, Minutes []byte
	}])
	if err != nil || len(others) == 0 {
		t.Fatal(others, err)
	}
	for _, o := range others {
		if _, err := conn.Exec(t.Context(), "UPDATE rollup_day SET body = $2, minutes = $3 WHERE machine = 1 AND day = $1", o.Day, o.Body, o.Minutes); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.CheckRollups(t.Context(), true)
	if err != nil || c.Wrong == 0 || !c.Repaired {
		t.Fatalf("%+v, %v", c, err)
	}
	if after := look(); !reflect.DeepEqual(before, after) {
		t.Error("other answers after the repair")
	}
}

// Servers that pack at once, while events arrive, lose nothing.
func TestPackingWhileEventsArrive(t *testing.T) { storetest.OnBoth(t, packingWhileEventsArrive) }

func packingWhileEventsArrive(t *testing.T, url string) {
	t.Helper()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	stores := []*storetest.Store{storetest.OpenAt(t, url, partition.Retention{}, now), storetest.OpenAt(t, url, partition.Retention{}, now)}
	host := storetest.AddHost(t, stores[0])
	done := make(chan error, 3)
	for i := range 3 {
		go func() {
			for round := range 10 {
				var events []api.Event
				for j := range 100 {
					events = append(events, api.Event{
						MachineID: fmt.Sprintf("m%d", j%7), Timestamp: now.AddDate(0, 0, -j%11).Add(time.Duration(round*3+i) * time.Second), KeyCount: 1, ActiveApp: "a",
					})
				}
				if _, err := stores[i%2].WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for left := 3; left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			left--
		default:
			errs := make(chan error, 2)
			for _, s := range stores {
				go func() {
					_, err := s.PackRollups(t.Context())
					errs <- err
				}()
			}
			for range stores {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		}
	}
	if c, err := stores[0].CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 || c.Events != 3*10*77 {
		t.Errorf("%+v, %v", c, err)
	}
}
