package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/directory"
)

// Lines collects what is logged.
type Lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write takes a line.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Count returns how often a text was logged.
func (l *Lines) Count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// Replicated is a store on a primary with a streaming replica, which is in use.
type Replicated struct {
	*Store
	t                *testing.T
	Primary, Standby *pgtest.Cluster
	Log              *Lines
	host             int64
	start            time.Time
}

// NewReplicated starts a primary and its replica, and waits until that is in use.
func NewReplicated(t *testing.T, settings ...string) *Replicated {
	t.Helper()
	r := &Replicated{t: t, Log: &Lines{}, start: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	r.Primary = pgtest.Start(t)
	r.Standby = pgtest.Standby(t, r.Primary, settings...)
	r.Store = open(t, r.Primary.URL("postgres"), Options{
		ReplicaURL: r.Standby.URL("postgres"), ReplicaLag: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(r.Log, nil)), Now: func() time.Time { return r.start },
	})
	if err := r.Prepare(t.Context(), func(error) {}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.RunReplica(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	r.host = AddHost(t, r.Store)
	r.WriteAt(0)
	r.Used(true)
	return r
}

// WriteAt stores an event of a minute.
func (r *Replicated) WriteAt(minute int) {
	r.t.Helper()
	_, err := r.WriteEvents(r.t.Context(), Batch{Host: r.host, Events: []api.Event{{
		MachineID: "m", Timestamp: r.start.Add(time.Duration(minute) * time.Minute), KeyCount: 1, ActiveApp: "a",
	}}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// Used waits until the replica is in use, or no longer.
func (r *Replicated) Used(yes bool) {
	r.t.Helper()
	pgtest.Await(r.t, fmt.Sprintf("the replica's use: %v", yes), func() bool { return r.ReplicaState().InUse == yes })
}

// Count returns how many events there are for whoever asks.
func (r *Replicated) Count() int {
	r.t.Helper()
	page, err := r.Events(r.t.Context(), directory.Scope{}, "m", r.start, r.start.Add(time.Hour), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(page.Events)
}
