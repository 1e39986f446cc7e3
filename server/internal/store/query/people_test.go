package query_test

import (
	"reflect"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/storetest"
)

// checkMany checks that answers about many people at once, page by page, are those about
// each, which checkPerson holds against the model; and that a group narrows as a scope does.
func checkMany(t *testing.T, s *storetest.Store, f people.Filter, day time.Time) {
	t.Helper()
	from, to := day.Add(19*time.Hour), day.Add(32*time.Hour)
	bounds := []time.Time{from, from.Add(3 * time.Hour), from.Add(4 * time.Hour), to}
	var seen []int64
	for f.Limit = 2; ; {
		list, more, err := s.PeopleMinutes(t.Context(), f, from, to)
		if err != nil || len(list) > 2 {
			t.Fatal(len(list), err)
		}
		sums, others, err := s.SumPeople(t.Context(), f, bounds, true)
		if err != nil || len(sums) != len(list) || others != more {
			t.Fatal(len(sums), others, more, err)
		}
		times, _, err := s.SumPeople(t.Context(), f, bounds, false)
		if err != nil || len(times) != len(list) {
			t.Fatal(len(times), err)
		}
		for i := range list {
			checkOneOfMany(t, s, f.Scope, bounds, &list[i], &sums[i], &times[i])
			seen, f.After = append(seen, list[i].ID), list[i].ID
		}
		if !more {
			break
		}
	}
	all, err := s.People.List(t.Context(), people.Filter{Scope: f.Scope, Limit: 10})
	if err != nil || len(all) != len(seen) {
		t.Fatalf("%d of %d people, %v", len(seen), len(all), err)
	}
}

func checkOneOfMany(t *testing.T, s *storetest.Store, scope directory.Scope, bounds []time.Time, many *query.PersonTime, sums, times *query.PersonSums) {
	t.Helper()
	one, err := s.PersonMinutes(t.Context(), scope, many.ID, bounds[0], bounds[len(bounds)-1])
	if err != nil || !reflect.DeepEqual(one, *many) {
		t.Fatalf("person %d: %v, not the same of many as of one", many.ID, err)
	}
	of, err := s.PersonActivity(t.Context(), scope, many.ID, bounds, 0)
	activity := of.Spans
	if err != nil || len(sums.Sums) != len(activity) || !reflect.DeepEqual(sums.Person, one.Person) || sums.Estimated {
		t.Fatalf("%+v, %v", sums, err)
	}
	for i := range activity {
		if !reflect.DeepEqual(sums.Sums[i], activity[i].Sums) {
			t.Fatalf("person %d, span %d: %+v, want %+v", many.ID, i, sums.Sums[i], activity[i].Sums)
		}
		if got := times.Sums[i]; !reflect.DeepEqual(got, timesOf(&activity[i].Sums)) {
			t.Fatalf("person %d, span %d without counts: %+v", many.ID, i, got)
		}
	}
}

// timesOf are sums without counts.
func timesOf(s *query.Sums) query.Sums {
	return query.Sums{ActiveSeconds: s.ActiveSeconds, IdleSeconds: s.IdleSeconds, First: s.First, Last: s.Last}
}
