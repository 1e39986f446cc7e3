package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A host that has named as many applications as it may names no new ones: they are
// counted together. What there is it may use, and other hosts go on.
func TestHostInventsApplications(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	event := func(machine string, minute int, apps ...string) api.Event {
		e := api.Event{MachineID: machine, Timestamp: now.Add(time.Duration(minute) * time.Minute), ActiveApp: apps[0]}
		for _, app := range apps {
			e.Focus = append(e.Focus, api.Focus{App: app, Seconds: 1})
		}
		return e
	}
	storetest.Accepted(t, s, host, []api.Event{event("m", 0, "own")}, 1)
	// More at once than it may name.
	var flood []api.Event
	for i := range dictionary.MaxHostApps/api.MaxFocus + 2 {
		var apps []string
		for j := range api.MaxFocus {
			apps = append(apps, fmt.Sprintf("invented %d %d", i, j))
		}
		flood = append(flood, event("m", 1+i, apps...))
	}
	storetest.Accepted(t, s, host, flood, len(flood))
	const named = "SELECT count(*) FROM app WHERE name LIKE 'invented%'"
	if n := storetest.Ask[int64](t, url, named); n != dictionary.MaxHostApps {
		t.Errorf("%d applications were named at once, want %d", n, dictionary.MaxHostApps)
	}
	if got, want := testutil.ToFloat64(s.Dictionary.Collectors()[0]), float64(len(flood)*api.MaxFocus-dictionary.MaxHostApps); got != want {
		t.Errorf("%v applications are counted as joined, want %v", got, want)
	}
	other := storetest.Ask[int64](t, url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('other', '', '') RETURNING id")
	storetest.Accepted(t, s, other, []api.Event{event("o", 0, "theirs")}, 1)
	s.Forget()
	done, err := s.WriteBatches(t.Context(), []storetest.Batch{
		{Host: host, Events: []api.Event{event("m", 1000, "new", "own", "theirs", "both")}},
		{Host: other, Events: []api.Event{event("o", 1000, "both")}},
	})
	if err != nil || done[0].Accepted != 1 || done[1].Accepted != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	page, err := s.Events(t.Context(), directory.Scope{}, "m", now.Add(1000*time.Minute), now.Add(1001*time.Minute), 1)
	if err != nil || len(page.Events) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	var apps []string
	for _, f := range page.Events[0].Focus {
		apps = append(apps, f.App)
	}
	if got, want := strings.Join(apps, ", "), dictionary.OtherApps+", own, theirs, both"; got != want || page.Events[0].ActiveApp != dictionary.OtherApps {
		t.Errorf("%s and %s, want %s", page.Events[0].ActiveApp, got, want)
	}
	storetest.Exact(t, s, len(flood)+4)
}
