package query_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// segments are a person's of one hour, in words.
func segments(t *testing.T, s *storetest.Store, person int64, from time.Time) string {
	t.Helper()
	got, err := s.PersonMinutes(t.Context(), directory.Scope{}, person, from, from.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for one := range got.Grid.Segments() {
		text += fmt.Sprintf("%s %s, ", one.Start.Format("15:04"), one.State)
		if one.Paused {
			text += "paused, "
		}
	}
	return text
}

// What is not collected fills the minutes of which nothing is recorded, of each account
// alone: a record and another account's record come first.
func TestNotCollectedIsAState(t *testing.T) {
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, storetest.NewDatabase(t), now)
	host, ten := storetest.AddHost(t, s), now.Add(-2*time.Hour)
	minute := func(machine string, m int, idle bool) api.Event {
		return api.Event{MachineID: machine, Timestamp: ten.Add(time.Duration(m) * time.Minute), IsIdle: idle}
	}
	storetest.Accepted(t, s, host, []api.Event{minute("a", 0, false), minute("a", 1, true), minute("b", 30, false)}, 3)
	// It begins within a minute that has a record; another one ends as the hour begins, and
	// one as long as one may be reaches into it from the day before.
	span := func(machine string, from, to time.Duration) api.NotCollected {
		return api.NotCollected{MachineID: machine, Start: ten.Add(from), End: ten.Add(to), Reason: api.NotCollectedHours}
	}
	list := []api.NotCollected{
		span("a", time.Minute+30*time.Second, 40*time.Minute), span("a", -3*time.Hour, 0), span("b", -24*time.Hour+50*time.Minute, 50*time.Minute+time.Second),
	}
	if w, err := s.NotCollected.Write(t.Context(), host, list); err != nil || w.Accepted != 3 {
		t.Fatal(w, err)
	}
	of := func(machine string) int64 {
		found, err := s.People.List(t.Context(), people.Filter{MachineID: machine, Limit: 1})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0].ID
	}
	alone := "10:00 active, 10:01 no_input, 10:02 not_collected, 10:40 unknown, "
	if got := segments(t, s, of("a"), ten); got != alone {
		t.Errorf("alone: %s", got)
	}
	if _, err := s.People.Join(t.Context(), of("a"), []string{"b"}); err != nil {
		t.Fatal(err)
	}
	joined := "10:00 active, 10:01 no_input, 10:02 not_collected, 10:30 active, 10:31 not_collected, 10:51 unknown, "
	if got := segments(t, s, of("a"), ten); got != joined {
		t.Errorf("joined: %s", got)
	}
	// A pause at one account is the person's reason, whatever the other's is, and hides no
	// record.
	pause := span("b", 29*time.Minute, 33*time.Minute)
	pause.Reason = api.NotCollectedPause
	if w, err := s.NotCollected.Write(t.Context(), host, []api.NotCollected{pause}); err != nil || w.Accepted != 1 {
		t.Fatal(w, err)
	}
	paused := "10:00 active, 10:01 no_input, 10:02 not_collected, 10:29 not_collected, paused, 10:30 active, 10:31 not_collected, paused, " +
		"10:33 not_collected, 10:51 unknown, "
	if got := segments(t, s, of("a"), ten); got != paused {
		t.Errorf("paused: %s", got)
	}
}
