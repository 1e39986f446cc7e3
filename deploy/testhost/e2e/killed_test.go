package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

// TestKilledWhileTyping kills the daemon right after the ends of records, when it
// has read what the record was made of and not written it yet, and then again and
// again. No record may be missing, and none may hold another's time.
func TestKilledWhileTyping(t *testing.T) {
	t.Parallel()
	h := trackedHost(t, debian.Bookworm, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 5, 0, 0, 0)
	began := time.Now()
	stop := keepTyping(t, p)
	const soonAfter, kills = 350 * time.Millisecond, 4
	for range kills {
		h.pause(t, time.Until(nextEnd().Add(soonAfter)))
		h.killTrackerd(t)
		h.pause(t, interval*time.Second)
	}
	const often, times = 2300 * time.Millisecond, 10
	for range times {
		h.pause(t, often)
		h.killTrackerd(t)
	}
	stop()
	ended := time.Now()
	wantTold(t, p)
	wantEveryRecord(t, p.records(t), began, ended)
}

// nextEnd is when the record of now ends.
func nextEnd() time.Time {
	return time.Now().Truncate(interval * time.Second).Add(interval * time.Second)
}

// pause waits for a moment that a test is about.
func (h *host) pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	if t.Context().Err() != nil {
		t.Fatal(t.Context().Err())
	}
}

// wantEveryRecord checks that somebody who worked from one moment to another has
// each record in between, active from its start to its end.
func wantEveryRecord(t *testing.T, events []api.Event, from, until time.Time) {
	t.Helper()
	has := map[time.Time]api.Event{}
	for _, e := range events {
		has[e.Timestamp.UTC()] = e
	}
	const length = interval * time.Second
	records := 0
	for at := from.Truncate(length).Add(length).UTC(); !at.Add(length).After(until); at = at.Add(length) {
		e, ok := has[at]
		if !ok {
			t.Errorf("there is no record of %s", at)
			continue
		}
		records++
		if e.ActiveSeconds == nil || *e.ActiveSeconds < interval-0.1 || e.KeyCount == 0 {
			t.Errorf("the record of %s has %d keys and %s active seconds", at, e.KeyCount, optional(e.ActiveSeconds))
		}
	}
	t.Logf("%d records", records)
}

func optional(f *float64) string {
	if f == nil {
		return "no"
	}
	return fmt.Sprint(*f)
}
