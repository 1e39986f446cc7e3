// Package turns lets each caller have a few requests at once, so that one that
// floods takes neither the memory nor the places of all others.
package turns

import (
	"context"
	"sync"
	"time"
)

// Turns admits the requests of callers, told apart by K.
type Turns[K comparable] struct {
	places int
	wait   time.Duration

	mu sync.Mutex
	// callers are those that have requests.
	callers map[K]*caller
}

type caller struct {
	free chan struct{}
	// users are the requests that have a place or wait for one.
	users int
}

// New lets each caller have so many requests at once; one more waits that long.
func New[K comparable](places int, wait time.Duration) *Turns[K] {
	return &Turns[K]{places: places, wait: wait, callers: map[K]*caller{}}
}

// Take waits for a caller's turn, and gives what ends it; or false where none came.
func (t *Turns[K]) Take(ctx context.Context, k K) (end func(), ok bool) {
	c := t.join(k)
	end = func() {
		<-c.free
		t.leave(k, c)
	}
	select {
	case c.free <- struct{}{}:
		return end, true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	select {
	case c.free <- struct{}{}:
		return end, true
	case <-ctx.Done():
		t.leave(k, c)
		return nil, false
	}
}

func (t *Turns[K]) join(k K) *caller {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.callers[k]
	if c == nil {
		c = &caller{free: make(chan struct{}, t.places)}
		t.callers[k] = c
	}
	c.users++
	return c
}

// leave forgets a caller without requests.
func (t *Turns[K]) leave(k K, c *caller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.users--; c.users == 0 {
		delete(t.callers, k)
	}
}
