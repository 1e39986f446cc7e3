package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// leadersMax is how many groups are committed at once: while one waits for
	// the disk another computes. More only make the groups smaller.
	leadersMax = 2
	// leaderEvents or leaderBatches must wait for one more leader to pay: small
	// batches cost least in one large group, while a core lies idle when a group
	// waits for the disk.
	leaderEvents  = 500
	leaderBatches = 8
	// groupEvents is how many events end a group: more don't go faster, and
	// all wait for the last.
	groupEvents = 5000
	// spreadEvents is groupEvents where the database is spread: a statement that visits
	// several nodes takes about as long for a thousand events as for ten.
	spreadEvents = 20_000
	// groupBytes ends a group, too, by the bytes of its texts: some 40,000
	// usual events. A few hosts with titles of the largest size would
	// otherwise make groups that take longer than groupTimeout, and fail all
	// who are in them.
	groupBytes = 4 << 20
	// leaderPatience is after how long a group under way is slow: others don't
	// wait for it then.
	leaderPatience = 250 * time.Millisecond
	// spreadLeaderEvents and spreadPatience are leaderEvents and leaderPatience where the
	// database is spread. A second group's statements cost there what some thousand events do, so
	// it pays only where it has more of them, to pack while the first is written.
	spreadLeaderEvents = 5000
	spreadPatience     = time.Second
	// queuedEvents bounds what waits for a leader, some 100 MB of usual
	// events; beyond it callers are asked to come back.
	queuedEvents = 100_000
	// groupTimeout bounds committing a group; a host tries again on 503.
	groupTimeout = 10 * time.Second
)

// errQueueFull means that too much waits to be written.
var errQueueFull = fmt.Errorf("%w: too many events wait to be written", db.ErrUnavailable)

// errAbandoned means that the call that wrote for others ended without a word.
var errAbandoned = errors.New("writing a group of batches ended without a result")

// group commits batches that arrive together in one transaction. It has no loop
// of its own: a call that finds a place free leads, it writes its own batch and
// all that wait, and then hands its place to one of those that came meanwhile.
type group struct {
	write func(context.Context, []Batch) ([]Written, error)
	// spread reports whether the database is spread over several nodes.
	spread func() bool

	mu      sync.Mutex
	leaders int
	// began is when the newest group under way did.
	began time.Time
	// busy counts, by host, the batches in groups under way. A host has batches
	// in one group at once: whose batches are slow, of many compacted hours,
	// would otherwise have all leaders' places.
	busy  map[int64]int
	queue []*waiter
	// queued counts the queue's events.
	queued int
}

// waiter is a batch that waits to be written.
type waiter struct {
	batch Batch
	// bytes are those of its texts.
	bytes int
	// lead is closed to make its call a leader; result comes otherwise.
	lead   chan struct{}
	result chan outcome
}

type outcome struct {
	written Written
	err     error
}

func newGroup(write func(context.Context, []Batch) ([]Written, error)) *group {
	return &group{write: write, spread: func() bool { return false }, busy: map[int64]int{}}
}

func (g *group) do(ctx context.Context, b Batch) (Written, error) {
	w := &waiter{batch: b, bytes: textBytes(b.Events), lead: make(chan struct{}), result: make(chan outcome, 1)}
	if err := g.enter(w); err != nil {
		return Written{}, err
	}
	gone := ctx.Done()
	for {
		select {
		case <-w.lead:
			g.leadWith(ctx, w)
			w.lead = nil
		case out := <-w.result:
			return out.written, out.err
		case <-gone:
			if g.leave(w) {
				return Written{}, fmt.Errorf("waiting to be written: %w: %w", db.ErrUnavailable, ctx.Err())
			}
			// It is being written: a moment more shows what became of it.
			gone = nil
		}
	}
}

// enter takes a free leader's place or queues.
func (g *group) enter(w *waiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(w.batch.Events)
	if g.leaders == 0 || g.leaders < leadersMax && g.busy[w.batch.Host] == 0 && g.pays(1, n) {
		g.leaders++
		g.began = time.Now()
		g.busy[w.batch.Host]++
		close(w.lead)
		return nil
	}
	if g.queued+n > queuedEvents {
		return errQueueFull
	}
	g.queue, g.queued = append(g.queue, w), g.queued+n
	return nil
}

// pays reports whether one more leader pays for what waits and some more batches and
// events. g.mu is held.
func (g *group) pays(batches, events int) bool {
	if g.spread() {
		return g.ready(events, spreadLeaderEvents) || time.Since(g.began) > spreadPatience
	}
	return len(g.queue)+batches >= leaderBatches || g.queued+events >= leaderEvents || g.slow()
}

// ready reports whether a leader could take so many events, of hosts that no group under way
// has, with some more. g.mu is held.
func (g *group) ready(more, events int) bool {
	if g.queued+more < events {
		return false
	}
	for _, w := range g.queue {
		if g.busy[w.batch.Host] == 0 {
			more += len(w.batch.Events)
		}
		if more >= events {
			return true
		}
	}
	return more >= events
}

// slow reports whether the newest group takes long. g.mu is held.
func (g *group) slow() bool { return time.Since(g.began) > leaderPatience }

// leave takes a waiter out of the queue, if it is still there.
func (g *group) leave(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.queue {
		if other == w {
			g.queue = append(g.queue[:i:i], g.queue[i+1:]...)
			g.queued -= len(w.batch.Events)
			return true
		}
	}
	return false
}

// leadWith writes w and what waits, and then hands the place over.
func (g *group) leadWith(ctx context.Context, w *waiter) {
	members := g.gather(w)
	// Whatever happens to this call, the others get an answer and the place
	// is free again. A result that was sent stays the first.
	defer func() {
		for _, m := range members {
			select {
			case m.result <- outcome{err: errAbandoned}:
			default:
			}
		}
		g.handOver(members)
	}()
	// The others' batches must not end with this caller's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
	defer cancel()
	g.writeAll(ctx, members)
}

// gather takes from the queue what fits into one group with w.
func (g *group) gather(w *waiter) []*waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := []*waiter{w}
	most := groupEvents
	if g.spread() {
		most = spreadEvents
	}
	events, size := len(w.batch.Events), w.bytes
	var left []*waiter
	for i, next := range g.queue {
		n := len(next.batch.Events)
		if events+n > most || size+next.bytes > groupBytes {
			left = append(left, g.queue[i:]...)
			break
		}
		// One of the same host may be here already, and in no other group.
		if g.busy[next.batch.Host] > 0 && next.batch.Host != w.batch.Host {
			left = append(left, next)
			continue
		}
		members = append(members, next)
		g.queued -= n
		events, size = events+n, size+next.bytes
	}
	g.queue = left
	for _, m := range members[1:] {
		g.busy[m.batch.Host]++
	}
	return members
}

// textBytes adds up the events' texts.
func textBytes(events []api.Event) int {
	size := 0
	for i := range events {
		e := &events[i]
		size += len(e.ActiveApp) + len(e.ActiveWindow)
		for j := range e.Focus {
			size += len(e.Focus[j].App) + len(e.Focus[j].Title)
		}
	}
	return size
}

// handOver ends a group, and hands its place to the first that waits for it.
func (g *group) handOver(members []*waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range members {
		if g.busy[m.batch.Host]--; g.busy[m.batch.Host] == 0 {
			delete(g.busy, m.batch.Host)
		}
	}
	i := slices.IndexFunc(g.queue, func(w *waiter) bool { return g.busy[w.batch.Host] == 0 })
	if i < 0 || g.leaders > 1 && !g.pays(0, 0) {
		g.leaders--
		return
	}
	next := g.queue[i]
	g.queue = slices.Delete(g.queue, i, i+1)
	g.queued -= len(next.batch.Events)
	g.began = time.Now()
	g.busy[next.batch.Host]++
	close(next.lead)
}

// writeAll writes the members' batches together, and one by one where the
// database refuses them together, so that one bad batch fails no other.
func (g *group) writeAll(ctx context.Context, members []*waiter) {
	batches := make([]Batch, len(members))
	for i, m := range members {
		batches[i] = m.batch
	}
	written, err := g.write(ctx, batches)
	if err == nil {
		for i, m := range members {
			m.result <- outcome{written: written[i]}
		}
		return
	}
	if len(members) == 1 || errors.Is(err, db.ErrUnavailable) {
		for _, m := range members {
			m.result <- outcome{err: err}
		}
		return
	}
	for i, m := range members {
		written, err := g.write(ctx, batches[i:i+1])
		if err != nil {
			m.result <- outcome{err: err}
			continue
		}
		m.result <- outcome{written: written[0]}
	}
}
