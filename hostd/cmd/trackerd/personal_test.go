package main

import (
	"strings"
	"testing"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
)

// Without the rights for a seat's devices the rest of the session is measured, and
// it is reported that its input is not.
func TestWithoutSeats(t *testing.T) {
	key := logind.SessionKey{ID: "2"}
	got := withoutSeats(roster.Result{Tracked: []roster.Tracked{
		{Key: key, Source: roster.SourceWayland, Username: "ann"}, {Key: key, Source: roster.SourceSeat, Username: "ann"},
	}})
	if len(got.Tracked) != 1 || got.Tracked[0].Source != roster.SourceWayland {
		t.Errorf("tracked are %+v", got.Tracked)
	}
	if len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Text, "session 2") || got.Refused[0].Advice == "" {
		t.Errorf("refused are %+v", got.Refused)
	}
}
