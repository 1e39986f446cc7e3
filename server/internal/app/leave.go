package app

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"activity-tracker.example/server/internal/httpserver"
)

// leave is the time between being asked to stop and stopping: /readyz answers at
// once that the server is no longer there for new requests, while it still answers all, so
// that a load balancer takes it out before anybody is refused.
type leave struct {
	delay time.Duration
	log   *slog.Logger
	// ready is set when the server was ever ready: nobody sends requests to one that
	// was not. begun is set when it was asked to stop.
	ready, begun atomic.Bool
}

// wait returns when the server is to stop: after asked ends and the delay, or a second
// signal, or where ctx ends.
func (l *leave) wait(ctx, asked context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-asked.Done():
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	l.begun.Store(true)
	if l.delay == 0 || !l.ready.Load() {
		return nil
	}
	l.log.Info("told to stop; /readyz answers 503 and all else goes on meanwhile", "for", l.delay)
	Notify(l.log, "STOPPING=1", "answering for "+l.delay.String()+" more, and 503 on /readyz")
	select {
	case <-ctx.Done():
	case <-again:
		l.log.Info("told again to stop: stopping now")
	case <-time.After(l.delay):
	}
	return nil
}

// unlessLeaving is a look whether the server is ready that also knows of leaving.
func (l *leave) unlessLeaving(ready func(context.Context) error) func(context.Context) error {
	if l == nil {
		return ready
	}
	return func(ctx context.Context) error {
		if l.begun.Load() {
			return httpserver.ErrStopping
		}
		return ready(ctx)
	}
}
