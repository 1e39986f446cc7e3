package ingest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

const (
	// hostRequests is how many requests with events a host may have at once:
	// trackerd has one, and a few that were cut off may not have ended yet. So
	// a host that floods takes neither the memory nor the places of all others.
	hostRequests = 4
	// turnWait is how long a request waits until its host's others have ended.
	turnWait = 2 * time.Second
)

// turns admits requests with events before their bodies are read.
type turns struct {
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
	return &turns{hosts: map[int64]*hostTurns{}}
}

// take waits for a host's turn, and gives what ends it; or the refusal.
func (t *turns) take(ctx context.Context, host int64) (end func(), err error) {
	h := t.join(host)
	end = func() {
		<-h.free
		t.leave(host, h)
	}
	select {
	case h.free <- struct{}{}:
		return end, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	select {
	case h.free <- struct{}{}:
		return end, nil
	case <-ctx.Done():
		t.leave(host, h)
		e := problem.New(http.StatusTooManyRequests, api.CodeRateLimited,
			"This host has too many requests at once; send one batch after the other.")
		e.RetryAfter = turnWait
		return nil, e
	}
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
