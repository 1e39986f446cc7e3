package byperson_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// A day that is read once is what its parts are, also where it is not over and something is
// known of what comes.
func TestWholeDay(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 30, 0, time.UTC)
	s := storetest.OpenCompacting(t, storetest.NewDatabase(t), now)
	host := storetest.AddHost(t, s)
	var events []api.Event
	for i := range 90 {
		e := api.Event{MachineID: "a", Timestamp: now.Add(-time.Duration(i)*5*time.Minute - time.Hour), ActiveApp: []string{"editor", "mail", "web"}[i%3]}
		e.KeyCount, e.MouseClicks, e.ScrollCount, e.IsIdle = int64(i), int64(2*i), int64(3*i), i%4 == 0
		events = append(events, e)
	}
	storetest.Accepted(t, s, host, events, len(events))
	span := api.NotCollected{MachineID: "a", Start: now.Add(-30 * time.Minute), End: now.Add(time.Minute), Reason: api.NotCollectedPause}
	if w, err := s.NotCollected.Write(t.Context(), host, []api.NotCollected{span}); err != nil || w.Accepted != 1 {
		t.Fatal(w, err)
	}
	found, err := s.People.List(t.Context(), people.Filter{MachineID: "a", Limit: 1})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	day, err := report.ParseDay("2026-05-14", "Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	r, all := byperson.New(s.Reader, func() time.Time { return now }), directory.Scope{}
	q := byperson.PersonDayQuestion{Person: report.PersonID(found[0].ID), Day: day}
	whole, err := r.WholeDay(t.Context(), all, q)
	if err != nil {
		t.Fatal(err)
	}
	summary, err := r.Summary(t.Context(), all, q)
	if err != nil || !reflect.DeepEqual(whole.Summary, summary) || summary.KeyCount == 0 {
		t.Errorf("%v, summed up as %+v, not as %+v", err, whole.Summary, summary)
	}
	timeline, err := r.Timeline(t.Context(), all, q)
	if err != nil || !reflect.DeepEqual(whole.Hours, timeline.Hours) {
		t.Errorf("%v, hours %+v, not %+v", err, whole.Hours, timeline.Hours)
	}
	segments, err := r.PersonDay(t.Context(), all, q)
	got := slices.Collect(whole.Segments)
	if err != nil || !reflect.DeepEqual(got, segments.Segments) || !got[len(got)-1].End.Equal(now.Truncate(time.Minute)) || got[len(got)-1].Reason != api.NotCollectedPause {
		t.Errorf("%v, segments %+v, not %+v", err, got, segments.Segments)
	}
}

// A date that a zone left out has no hours, and nothing was done on it.
func TestDayThatWasLeftOut(t *testing.T) {
	s := storetest.OpenCompacting(t, storetest.NewDatabase(t), time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC))
	host := storetest.AddHost(t, s)
	storetest.Accepted(t, s, host, []api.Event{{MachineID: "a", Timestamp: time.Date(2026, 5, 14, 11, 0, 0, 0, time.UTC)}}, 1)
	day, err := report.ParseDay("2011-12-30", "Pacific/Apia")
	if err != nil {
		t.Fatal(err)
	}
	r := byperson.New(s.Reader, time.Now)
	whole, err := r.WholeDay(t.Context(), directory.Scope{}, byperson.PersonDayQuestion{Person: 1, Day: day})
	if err != nil || len(whole.Hours) != 0 || len(slices.Collect(whole.Segments)) != 0 || whole.Summary.KeyCount != 0 {
		t.Errorf("%+v, %v", whole, err)
	}
	if _, err = r.WholeDay(t.Context(), directory.Scope{}, byperson.PersonDayQuestion{Person: 999, Day: day}); !errors.Is(err, people.ErrNone) {
		t.Errorf("%v of nobody", err)
	}
}
