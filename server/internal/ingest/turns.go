package ingest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

const (
	// hostRequests is how many requests with events a host may have at once:
	// trackerd has one, and a few that were cut off may not have ended yet. So
	// a host that floods takes neither the memory nor the places of all others.
	hostRequests = 4
	// bodiesBytes bounds the bodies of all hosts' requests, as they announce
	// them, from the first byte to the reply: 64 of the largest.
	bodiesBytes = 256 << 20
	// leastBody is what the shortest request counts for, in bytes.
	leastBody = 4 << 10
	// turnWait is how long a request waits until its host's others have ended,
	// or for memory.
	turnWait = 2 * time.Second
)

// turns admits requests with events before their bodies are read.
type turns struct {
	memory *semaphore.Weighted

	mu sync.Mutex
	// hosts are those that have requests, by row.
	hosts map[int64]*hostTurns
}

type hostTurns struct {
	free chan struct{}
	// users are the requests that have one or wait for one.
	users int
}

func newTurns() *turns {
	return &turns{memory: semaphore.NewWeighted(bodiesBytes), hosts: map[int64]*hostTurns{}}
}

// take waits for a host's turn with a body of that length, which is below zero
// where the request does not say, and gives what ends it; or the refusal.
func (t *turns) take(ctx context.Context, host, length int64) (end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	h := t.join(host)
	select {
	case h.free <- struct{}{}:
	case <-ctx.Done():
		t.leave(host, h)
		e := problem.New(http.StatusTooManyRequests, api.CodeRateLimited,
			"This host has too many requests at once; send one batch after the other.")
		e.RetryAfter = turnWait
		return nil, e
	}
	size := weight(length)
	if err := t.memory.Acquire(ctx, size); err != nil {
		<-h.free
		t.leave(host, h)
		return nil, problem.Unavailable(errBusy)
	}
	return func() {
		t.memory.Release(size)
		<-h.free
		t.leave(host, h)
	}, nil
}

// weight is how many bytes a request counts for.
func weight(length int64) int64 {
	if length < 0 || length > api.MaxBodyBytes {
		return api.MaxBodyBytes
	}
	return max(length, leastBody)
}

func (t *turns) join(host int64) *hostTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.hosts[host]
	if h == nil {
		h = &hostTurns{free: make(chan struct{}, hostRequests)}
		t.hosts[host] = h
	}
	h.users++
	return h
}

// leave forgets a host without requests.
func (t *turns) leave(host int64, h *hostTurns) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(t.hosts, host)
	}
}
