package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Who doesn't read is let go and holds up nobody.
func TestWatcherThatIsSlowIsLetGo(t *testing.T) {
	b := New(nil, Options{})
	slow, err := b.Watch("slow")
	if err != nil {
		t.Fatal(err)
	}
	quick, err := b.Watch("quick")
	if err != nil {
		t.Fatal(err)
	}
	const n = maxPending + 3
	for i := range n {
		b.publish([]*Item{{Key: int32(i)}})
		if m := <-quick.Messages; m.Snapshot != (i == 0) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	got := 0
	for range slow.Messages {
		got++
	}
	if got != maxPending || b.Watchers() != 1 {
		t.Errorf("%d messages, %d watchers", got, b.Watchers())
	}
	b.Leave(slow)
	b.Leave(quick)
	if b.Watchers() != 0 {
		t.Error("somebody stayed")
	}
}

func TestWatchersAreBounded(t *testing.T) {
	b := New(nil, Options{})
	for i := range maxWatchers {
		if _, err := b.Watch(fmt.Sprint(i / maxWatchersOfToken)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Watch("another"); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

// Run ends with its context, and all watching with it.
func TestRunEnds(t *testing.T) {
	d, err := db.Open(t.Context(), "postgres://nobody@127.0.0.1:1/none", db.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b := New(query.New(d, nil), Options{Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	w, err := b.Watch("x")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if m, open := <-w.Messages; open {
		t.Errorf("%+v", m)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := b.Watch("x"); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	now := time.Now()
	on, off := true, false
	for _, test := range []struct {
		ago       time.Duration
		idle      bool
		connected *bool
		locked    *bool
		want      api.MachineStatus
	}{
		{0, false, nil, nil, api.MachineActive},
		{0, true, &on, &off, api.MachineIdle},
		{0, false, &off, nil, api.MachineDisconnected},
		{0, true, &off, nil, api.MachineDisconnected},
		{0, true, &on, &on, api.MachineLocked},
		{0, false, nil, &on, api.MachineLocked}, // it was locked right after the last key
		{0, true, &off, &on, api.MachineDisconnected},
		{time.Hour, false, &off, nil, api.MachineOffline},
		{time.Hour, false, &on, &on, api.MachineOffline},
	} {
		m := directory.Machine{LastSeen: now.Add(-test.ago), LastInterval: 60, LastIdle: test.idle, LastConnected: test.connected, LastLocked: test.locked}
		if got := describe(&m, now).Status; got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// rules are work hours of hosts.
type rules policies.HostHours

func (r rules) HostHours(context.Context) (policies.HostHours, error) {
	return policies.HostHours(r), nil
}

// Outside the work hours of its host's policy nothing of a machine is collected, whatever it did
// before, unless it reports all the same.
func TestNotCollected(t *testing.T) {
	held := func(document string) policy.Reply {
		doc, err := policy.Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return policy.Reply{Policies: []policy.Version{{Version: 1, Policy: doc}}}
	}
	hours := rules{Of: map[int64]int{7: 1}, Held: []policy.Reply{{}, held(`{"work_hours": {"tz": "Europe/Moscow", "mon-sun": ["09:00-18:00"]}}`)}}
	evening := time.Date(2026, 11, 26, 15, 5, 0, 0, time.UTC) // 18:05 in Moscow
	for _, c := range []struct {
		host int64
		now  time.Time
		seen time.Time
		does api.MachineStatus
		want api.MachineStatus
	}{
		{7, evening, evening.Add(-5 * time.Minute), api.MachineActive, api.MachineNotCollected},
		{7, evening, evening.Add(-4 * time.Minute), api.MachineActive, api.MachineActive}, // its last minute was after six
		{7, evening, evening.Add(-4 * time.Minute), api.MachineOffline, api.MachineNotCollected},
		{7, evening.Add(-time.Hour), evening.Add(-time.Hour), api.MachineIdle, api.MachineIdle},
		{7, evening.Add(-time.Hour), evening.Add(-9 * time.Hour), api.MachineOffline, api.MachineOffline},
		{8, evening, evening.Add(-5 * time.Minute), api.MachineLocked, api.MachineLocked}, // it has no work hours
	} {
		var closed closing
		if err := closed.bring(t.Context(), hours, c.now); err != nil {
			t.Fatal(err)
		}
		if got := closed.status(&directory.Machine{Host: c.host, LastSeen: c.seen}, c.does); got != c.want {
			t.Errorf("host %d at %v, seen %v: %s", c.host, c.now, c.seen, got)
		}
	}
	var none closing
	if err := none.bring(t.Context(), nil, evening); err != nil || none.status(&directory.Machine{Host: 7}, api.MachineOffline) != api.MachineOffline {
		t.Error("without rules something is not collected", err)
	}
}
