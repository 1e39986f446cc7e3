package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"activity-tracker.example/server/internal/store/db"
)

const (
	// groupLooks is how many looks are committed together at most; all wait for the
	// last.
	groupLooks = 256
	// queuedLooks bounds what waits, some 100 MB where each is about 100,000 machines.
	queuedLooks = 5000
	// groupTimeout bounds committing a group; whoever looks may ask again.
	groupTimeout = 5 * time.Second
)

// errAbandoned means that the call that wrote for others ended without a word.
var errAbandoned = errors.New("writing who looked ended without a result")

// group commits looks that come together in one transaction. As with events, a call that
// finds the leader's place free writes its own look and all that wait, and hands the
// place on.
type group struct {
	write func(context.Context, []Look) error

	mu      sync.Mutex
	leading bool
	queue   []*waiter
}

// waiter is a look that waits to be written.
type waiter struct {
	look Look
	// lead is closed to make its call the leader; result comes otherwise.
	lead   chan struct{}
	result chan error
}

func (g *group) do(ctx context.Context, look Look) error {
	w := &waiter{look: look, lead: make(chan struct{}), result: make(chan error, 1)}
	if err := g.enter(w); err != nil {
		return err
	}
	gone := ctx.Done()
	for {
		select {
		case <-w.lead:
			g.leadWith(ctx, w)
			w.lead = nil
		case err := <-w.result:
			return err
		case <-gone:
			if g.leave(w) {
				return fmt.Errorf("waiting to be written: %w: %w", db.ErrUnavailable, ctx.Err())
			}
			// It is being written, or leads.
			gone = nil
		}
	}
}

// enter takes the leader's place if it is free, or queues.
func (g *group) enter(w *waiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.leading {
		g.leading = true
		close(w.lead)
		return nil
	}
	if len(g.queue) >= queuedLooks {
		return errTooMany
	}
	g.queue = append(g.queue, w)
	return nil
}

// leave takes a waiter out of the queue, if it is still there.
func (g *group) leave(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.queue {
		if other == w {
			g.queue = append(g.queue[:i:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

// leadWith writes w and what waits, and then hands the place over.
func (g *group) leadWith(ctx context.Context, w *waiter) {
	members := g.gather(w)
	err := errAbandoned
	// Whatever happens to this call, the others get an answer and the place is free.
	defer func() {
		for _, m := range members {
			m.result <- err
		}
		g.handOver()
	}()
	looks := make([]Look, len(members))
	for i, m := range members {
		looks[i] = m.look
	}
	// The others' looks must not end with this caller's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
	defer cancel()
	err = g.write(ctx, looks)
}

// gather takes what fits into one group with w from the queue.
func (g *group) gather(w *waiter) []*waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.queue), groupLooks-1)
	members := append([]*waiter{w}, g.queue[:n]...)
	g.queue = append([]*waiter(nil), g.queue[n:]...)
	return members
}

// handOver makes the first that waits the leader.
func (g *group) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.leading = false
		return
	}
	close(g.queue[0].lead)
	g.queue = g.queue[1:]
}
