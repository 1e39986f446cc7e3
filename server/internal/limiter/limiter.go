// Package limiter lets each caller have a few requests at once, so that one that
// floods takes neither the memory nor the places of all others.
package limiter

import (
	"context"
	"sync"
	"time"
)

// Limiter admits the requests of callers, distinguished by K.
type Limiter[K comparable] struct {
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
func New[K comparable](places int, wait time.Duration) *Limiter[K] {
	return &Limiter[K]{places: places, wait: wait, callers: map[K]*caller{}}
}

// Take waits for a caller's turn, and returns what ends it; or false where none came.
func (l *Limiter[K]) Take(ctx context.Context, k K) (end func(), ok bool) {
	c := l.join(k)
	end = func() {
		<-c.free
		l.leave(k, c)
	}
	select {
	case c.free <- struct{}{}:
		return end, true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, l.wait)
	defer cancel()
	select {
	case c.free <- struct{}{}:
		return end, true
	case <-ctx.Done():
		l.leave(k, c)
		return nil, false
	}
}

func (l *Limiter[K]) join(k K) *caller {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[k]
	if c == nil {
		c = &caller{free: make(chan struct{}, l.places)}
		l.callers[k] = c
	}
	c.users++
	return c
}

// leave forgets a caller without requests.
func (l *Limiter[K]) leave(k K, c *caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.users--; c.users == 0 {
		delete(l.callers, k)
	}
}
