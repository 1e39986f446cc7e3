package servertest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/config"
)

// Serving is a server as the command serve runs it, within the test's process.
type Serving struct {
	Stop context.CancelFunc
	// Done receives how it ended.
	Done chan error
	URL  string
}

// Serve starts a server with these settings, on an address of its own.
func Serve(tb testing.TB, c config.Config) *Serving {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	c.Listen = FreePort(tb)
	if c.MaxConnections == 0 {
		c.MaxConnections = 1000
	}
	if c.ProxyHeader == "" {
		c.ProxyHeader = "x-forwarded-for"
	}
	run := &Serving{Stop: cancel, Done: make(chan error, 1), URL: "http://" + c.Listen}
	go func() { run.Done <- app.Run(ctx, c, "test", slog.New(slog.DiscardHandler)) }()
	tb.Cleanup(func() {
		cancel()
		select {
		case err := <-run.Done:
			if err != nil {
				tb.Error(err)
			}
		default:
		}
	})
	return run
}

// Uploads is events that hosts repeat until they are acknowledged.
type Uploads struct {
	// Acknowledged counts events, Unavailable the answers 503.
	Acknowledged, Unavailable atomic.Int64
}

// Keep has that many workers upload one event after another, until the function that it
// returns has ended and waited for them.
func (u *Uploads) Keep(b *Bench, credential string, workers int, event func(worker, i int) api.Event) (end func()) {
	var running sync.WaitGroup
	stop := make(chan struct{})
	for w := range workers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				u.one(b, credential, event(w, i), stop)
			}
		})
	}
	return func() {
		close(stop)
		running.Wait()
	}
}

// retryEvery is how soon an upload that failed is repeated.
const retryEvery = 50 * time.Millisecond

// one repeats an event, as a host does, until it is acknowledged. After stop is closed
// it goes on with that event without waiting.
func (u *Uploads) one(b *Bench, credential string, e api.Event, stop <-chan struct{}) {
	for {
		r, err := b.Try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: []api.Event{e}})
		switch {
		case err != nil:
			b.T.Error(err)
			return
		case r.Status == http.StatusOK:
			u.Acknowledged.Add(1)
			return
		case r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "":
			b.T.Errorf("status %d, %v: %s", r.Status, r.Header, r.Body)
			return
		}
		u.Unavailable.Add(1)
		select {
		case <-stop:
			// Whether it was stored is open: send it for good.
			stop = nil
		case <-time.After(retryEvery):
		}
	}
}

// Log is a log that many write to.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
