package query_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// worked are events of each minute from a time on, but for some.
func worked(r *rand.Rand, machine string, from time.Time, minutes int) []api.Event {
	var list []api.Event
	for i := range minutes {
		if r.IntN(10) == 0 {
			continue
		}
		e := api.Event{MachineID: machine, Timestamp: from.Add(time.Duration(i) * time.Minute), IntervalSec: new(int64(60))}
		seconds := float64(r.IntN(4) * 20)
		e.ActiveSeconds = &seconds
		list = append(list, e)
	}
	return list
}

// Times are those that the minutes have, whichever of both they come from: minutes are needed
// only of who has records that reach beyond a quarter of an hour, or of two accounts in one.
func TestTimesWithoutMinutes(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, url string) {
		t.Helper()
		now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
		s := storetest.OpenCompacting(t, url, now)
		host, day := storetest.AddHost(t, s), now.Truncate(24*time.Hour).AddDate(0, 0, -8)
		r := rand.New(rand.NewPCG(21, 22))
		var bounds []time.Time // of days in Kathmandu, and an hour of one
		for i := range 5 {
			bounds = append(bounds, day.AddDate(0, 0, i).Add(18*time.Hour+15*time.Minute))
		}
		bounds = slices.Insert(bounds, 2, bounds[1].Add(time.Hour))
		send := func(events ...[]api.Event) {
			t.Helper()
			all := slices.Concat(events...)
			storetest.Accepted(t, s, host, all, len(all))
		}
		long := func(machine string, from time.Time) []api.Event {
			return []api.Event{{MachineID: machine, Timestamp: from, IntervalSec: new(int64(3600)), ActiveSeconds: new(1800.0)}}
		}
		evening := day.AddDate(0, 0, 1).Add(20 * time.Hour)
		send(worked(r, "a", evening, 600), worked(r, "a", evening.AddDate(0, 0, 1), 600)) // over midnight in UTC
		send(worked(r, "b1", evening, 120), worked(r, "b2", evening.Add(2*time.Hour), 120))
		send(worked(r, "c1", evening, 120), worked(r, "c2", evening.Add(115*time.Minute), 120))
		send(worked(r, "d", evening, 100), long("d", evening.Add(3*time.Hour)))
		send(worked(r, "e", evening.AddDate(0, 0, -1), 100), long("e", bounds[0].Add(-30*time.Minute)))
		send(worked(r, "f", bounds[len(bounds)-1], 100)) // after all spans
		person := map[string]int64{}
		for _, one := range []string{"a", "b1", "b2", "c1", "c2", "d", "e", "f"} {
			list, err := s.People.List(t.Context(), people.Filter{MachineID: one, Limit: 1})
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			person[one] = list[0].ID
		}
		for to, account := range map[string]string{"b1": "b2", "c1": "c2"} {
			if _, err := s.People.Join(t.Context(), person[to], []string{account}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, need ...string) {
			t.Helper()
			f := people.Filter{Scope: directory.Scope{}, Limit: 10}
			left, err := s.NeedMinutes(t.Context(), f, bounds)
			if err != nil {
				t.Fatal(err)
			}
			var want []int64
			for _, one := range need {
				want = append(want, person[one])
			}
			if slices.Sort(want); !slices.Equal(left, want) {
				t.Errorf("%s: %v need their minutes, want %v", what, left, want)
			}
			counts, _, err := s.SumPeople(t.Context(), f, bounds, true)
			if err != nil {
				t.Fatal(err)
			}
			times, _, err := s.SumPeople(t.Context(), f, bounds, false)
			if err != nil || len(times) != 6 {
				t.Fatal(len(times), err)
			}
			for i := range times {
				for j := range times[i].Sums {
					if want := timesOf(&counts[i].Sums[j]); !reflect.DeepEqual(times[i].Sums[j], want) {
						t.Errorf("%s: person %d, span %d: %+v, want %+v", what, times[i].ID, j, times[i].Sums[j], want)
					}
				}
			}
			if times[0].Sums[2].ActiveSeconds == 0 || times[0].Sums[2].First == nil {
				t.Errorf("%s: nothing is seen", what)
			}
		}
		pack := func() {
			t.Helper()
			storetest.Compact(t, s)
			if _, err := s.PackRollups(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		check("as stored", "c1", "d", "e")
		pack()
		check("packed", "c1", "d", "e")
		send(worked(r, "a", evening.Add(-60*time.Minute), 15)) // late, in a quarter of its own
		check("with a late quarter", "c1", "d", "e")
		send([]api.Event{{MachineID: "a", Timestamp: evening.Add(20 * time.Second), IntervalSec: new(int64(10)), ActiveSeconds: new(10.0)}})
		check("with a late record", "a", "c1", "d", "e")
		pack()
		check("packed again", "c1", "d", "e")
		bounds[1] = bounds[1].Add(time.Minute)
		check("between quarters", "a", "b1", "c1", "d", "e", "f")
	})
}
