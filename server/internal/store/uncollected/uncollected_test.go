package uncollected_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

var noon = time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)

func spanOf(machine string, hour int, reason api.NotCollectedReason) api.NotCollected {
	start := noon.Add(time.Duration(hour) * time.Hour)
	return api.NotCollected{MachineID: machine, Start: start, End: start.Add(time.Hour), Reason: reason}
}

// A span is there once, whoever sends it how often, and only of machines that the host
// has; a machine that was moved is the other host's from then on.
func TestSpansAreThereOnce(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, noon)
	host := storetest.AddHost(t, s)
	storetest.Accepted(t, s, host, []api.Event{{MachineID: "m", Timestamp: noon}}, 1)
	list := []api.NotCollected{
		spanOf("m", -3, api.NotCollectedHours), spanOf("none", -3, api.NotCollectedHours), spanOf("m", -3, api.NotCollectedPause),
		spanOf("m", -3, api.NotCollectedHours), spanOf("m", -2, api.NotCollectedHours),
	}
	for round, want := range []string{"{3 1 [] [1] []}", "{0 4 [] [1] []}"} {
		if got, err := s.NotCollected.Write(t.Context(), host, list); err != nil || fmt.Sprint(got) != want {
			t.Errorf("round %d: %v, %v; want %s", round, got, err, want)
		}
	}
	if got, err := s.NotCollected.Write(t.Context(), host+1, list); err != nil || fmt.Sprint(got) != "{0 0 [0 2 3 4] [1] []}" {
		t.Errorf("another host: %v, %v", got, err)
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM not_collected"); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// Spans go with the roll-ups of their time.
func TestSpansAreDroppedWithRollups(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{Rollups: 48 * time.Hour}, noon)
	host := storetest.AddHost(t, s)
	storetest.Accepted(t, s, host, []api.Event{{MachineID: "m", Timestamp: noon}}, 1)
	list := []api.NotCollected{spanOf("m", -50, api.NotCollectedPause), spanOf("m", -49, api.NotCollectedPause), spanOf("m", -48, api.NotCollectedPause)}
	if _, err := s.NotCollected.Write(t.Context(), host, list); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Ask[string](t, url, "SELECT string_agg(to_char(start_at AT TIME ZONE 'UTC', 'DD HH24'), ', ' ORDER BY start_at) FROM not_collected"); got != "12 11, 12 12" {
		t.Errorf("kept: %s", got)
	}
}

// Of a machine that was moved to another host that one's spans are taken from then on, and
// no longer the earlier host's; what that had told stays.
func TestSpansOfAMovedMachine(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, noon)
	from := storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('old', '', '') RETURNING id")
	to := storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('new', '', '') RETURNING id")
	storetest.Accepted(t, s, from, []api.Event{{MachineID: "m", Timestamp: noon}}, 1)
	told, later := spanOf("m", -3, api.NotCollectedPause), spanOf("m", -2, api.NotCollectedHours)
	for _, step := range []struct {
		move string
		host int64
		list []api.NotCollected
		want string
	}{
		{"", from, []api.NotCollected{told}, "{1 0 [] [] []}"},
		{"", to, []api.NotCollected{later}, "{0 0 [0] [] []}"},
		{"new", from, []api.NotCollected{told, later}, "{0 0 [0 1] [] []}"},
		{"", to, []api.NotCollected{told, later}, "{1 1 [] [] []}"},
		{"old", to, []api.NotCollected{later}, "{0 0 [0] [] []}"},
		{"", from, []api.NotCollected{told, later}, "{0 2 [] [] []}"},
	} {
		if step.move != "" {
			if _, err := s.Dictionary.Move(t.Context(), []string{"m"}, step.move); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.NotCollected.Write(t.Context(), step.host, step.list); err != nil || fmt.Sprint(got) != step.want {
			t.Errorf("%+v: %v, %v", step, got, err)
		}
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM not_collected"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}
