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

// MaxShutdownDelay is more than a load balancer needs to notice; the service and the
// container are given that much more time to end.
const MaxShutdownDelay = 2 * time.Minute

// Leave is the time between being told to stop and stopping: /readyz says at once
// that the server is no longer there for new requests, while it still answers all, so
// that a load balancer takes it out before anybody is refused.
type Leave struct {
	Delay time.Duration
	Log   *slog.Logger
	// Ready is set when the server was ever ready: nobody sends requests to one that
	// was not. Begun is set when it was told to stop.
	Ready, Begun atomic.Bool
}

// Wait returns when the server is to stop: after told ends and the delay, or a second
// signal, or where ctx ends.
func (l *Leave) Wait(ctx, told context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-told.Done():
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	l.Begun.Store(true)
	if l.Delay == 0 || !l.Ready.Load() {
		return nil
	}
	l.Log.Info("told to stop; /readyz answers 503 and all else goes on meanwhile", "for", l.Delay)
	Notify(l.Log, "STOPPING=1", "answering for "+l.Delay.String()+" more, and 503 on /readyz")
	select {
	case <-ctx.Done():
	case <-again:
		l.Log.Info("told again to stop: stopping now")
	case <-time.After(l.Delay):
	}
	return nil
}

// unlessLeaving is a look whether the server is ready that also knows of leaving.
func (l *Leave) unlessLeaving(ready func(context.Context) error) func(context.Context) error {
	if l == nil {
		return ready
	}
	return func(ctx context.Context) error {
		if l.Begun.Load() {
			return httpserver.ErrStopping
		}
		return ready(ctx)
	}
}
