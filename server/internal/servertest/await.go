package servertest

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// awaitEvery is how often a condition is looked at.
const awaitEvery = 20 * time.Millisecond

// Await waits for a condition.
func Await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			tb.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// AwaitReady waits until the server is ready.
func (b *Bench) AwaitReady() {
	b.T.Helper()
	Await(b.T, "the server", b.Ready)
}

// Ready reports whether the server is ready.
func (b *Bench) Ready() bool {
	r, err := b.Try(http.MethodGet, "/readyz", "", nil)
	return err == nil && r.Status == http.StatusOK
}

// FreePort returns an address that nobody listens on.
func FreePort(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// At reads a time; a mistake is the year 1, which the server refuses.
func At(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text)
	return t
}

// Minute returns an event with one key, i minutes after the beginning of 2024-01-15.
func Minute(machine string, i int) api.Event {
	return api.Event{MachineID: machine, Timestamp: At("2024-01-15T00:00:00Z").Add(time.Duration(i) * time.Minute), KeyCount: 1}
}
