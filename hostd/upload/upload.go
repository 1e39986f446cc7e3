// Package upload sends the sealed events to the server and removes from the
// buffer exactly what the server confirmed that it has, or will never take.
//
// Everything that the server answers is checked before it is believed: an
// answer that does not add up deletes nothing.
package upload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// maxBatch is how many events one request carries: a minute of a large
	// host fits in one, and one that fails costs little to repeat. The server
	// takes up to api.MaxBatchEvents.
	maxBatch = 1000
	// maxBatchBytes bounds a batch before compression: half of what the
	// server inflates.
	maxBatchBytes = api.MaxInflatedBytes / 2
	// maxSuspects is how many events may be held back at once because the
	// server refused them as a whole; with more, it is the server that is
	// broken.
	maxSuspects = 100
	// fastSuspects is how many of them are found without a pause in between:
	// events that spoil a request are rare, so more than a few point at the
	// server.
	fastSuspects = 3
)

// Queue is what the uploader needs of a buffer.
type Queue interface {
	Peek(limit int, maxBytes int64, skip func(seq uint64) bool) ([]buffer.Item, error)
	Settle(done []buffer.Place, refused []buffer.Refusal) error
	Later() map[buffer.Group]buffer.Tally
	PeekLater(g buffer.Group, limit int, maxBytes int64) ([]buffer.Item, error)
	Status() buffer.Status
}

// Options of an Uploader.
type Options struct {
	// Period is how often what was sealed is sent.
	Period time.Duration
	// Hostname is what the server shows the host by; empty: as it enrolled.
	Hostname string
	// Policy is called with the revision of the server's policies that its reply names,
	// if it names one; it must not block, and may be nil.
	Policy func(revision int64)
	// Client speaks to the server; nil means outbound's usual one.
	Client *http.Client
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random returns a number in [0, 1); nil means math/rand's.
	Random func() float64
	// Progress is called each time the loop comes round, at least every
	// heartbeat (10 s) and RequestTimeout (3 min); it may be nil.
	Progress func()
}

// State is in a word what the uploader is doing.
type State string

// The states of an Uploader.
const (
	StateUnenrolled   State = "not_enrolled"
	StateWaiting      State = "waiting" // for the next time to send
	StateSending      State = "sending"
	StateBackoff      State = "backing_off"
	StateUnauthorized State = "unauthorized"
)

// Status is how uploading goes.
type Status struct {
	State State
	// LastSuccess is when the server last took a batch; zero: not yet.
	LastSuccess time.Time
	// LastError is why the last request failed, and when; empty after success.
	LastError   string
	LastErrorAt time.Time
	// NextTry is when the next request is due.
	NextTry time.Time
	// Waiting events.
	Waiting int
	// Dead is how many events were refused for good, by code.
	Dead map[string]int
	// Later are the groups of events that the server may take later.
	Later []Group
	// HeldBack events made a request fail and wait for another to succeed.
	HeldBack int
	// Accepted, Duplicates and Rejected are counted since the start.
	Accepted, Duplicates, Rejected uint64
}

// Uploader sends what waits in a Queue.
type Uploader struct {
	queue  Queue
	target func() (outbound.Target, bool)
	o      Options
	wake   chan struct{}

	// Only Run's goroutine uses these.
	limit    int                    // events in a request
	patience time.Duration          // with a server that does not answer
	suspects map[uint64]buffer.Item // held back, by seq
	fails    int                    // in a row
	failedTo outbound.Target        // where the last failure was
	tries    map[buffer.Group]*try  // of what waits for later
	triedAt  outbound.Target        // where
	newFirst bool                   // since a try has failed, until nothing new waits

	mu     sync.Mutex
	status Status
	picks  []func(buffer.Group) bool // what TryLater asked for
	// nextTries are when the groups are tried that wait for later.
	nextTries map[buffer.Group]time.Time
}

// New makes an Uploader; target is asked before each request and returns false
// while the host is not enrolled.
func New(queue Queue, target func() (outbound.Target, bool), o Options) *Uploader {
	if o.Client == nil {
		o.Client = outbound.NewClient(outbound.Options{}, RequestTimeout)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Progress == nil {
		o.Progress = func() {}
	}
	return &Uploader{
		queue: queue, target: target, o: o, wake: make(chan struct{}, 1),
		limit: maxBatch, patience: usualPatience, suspects: map[uint64]buffer.Item{}, tries: map[buffer.Group]*try{},
	}
}

// Wake asks for an upload now, such as after an enrolment. It never blocks. It
// does not shorten a pause that the server asked for.
func (u *Uploader) Wake() {
	select {
	case u.wake <- struct{}{}:
	default: // it was asked already
	}
}

// Status may be asked at any time.
func (u *Uploader) Status() Status {
	q, later := u.queue.Status(), u.queue.Later()
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.status
	s.Waiting, s.Dead, s.Later = q.Waiting, q.Dead, u.laterGroups(later)
	return s
}

// Run uploads until ctx ends.
func (u *Uploader) Run(ctx context.Context) error {
	// A random phase, so that the hosts of one organisation, which a power cut
	// may start together, do not all send at the same moment.
	pause := pause{until: u.o.Now().Add(u.part(u.o.Period)), state: StateWaiting}
	for u.wait(ctx, pause) {
		pause = u.round(ctx)
	}
	return nil
}

// pause is what to wait for.
type pause struct {
	until time.Time
	state State
	// asked is true where the server named the time: Wake does not cut it short,
	// unless another server is to be spoken to.
	asked bool
}

// heartbeat is how often a wait comes up for air: for the watchdog, and so
// that a clock that was set does not stretch it.
const heartbeat = 10 * time.Second

// wait returns true when it is time, false when ctx ends.
func (u *Uploader) wait(ctx context.Context, p pause) bool {
	u.mu.Lock()
	u.status.NextTry, u.status.State = p.until, p.state
	u.status.HeldBack = len(u.suspects)
	u.mu.Unlock()
	left := p.until.Sub(u.o.Now())
	for {
		u.o.Progress()
		if ctx.Err() != nil {
			return false
		}
		if left = min(left, p.until.Sub(u.o.Now())); left <= 0 {
			return true
		}
		step := min(left, heartbeat)
		t := time.NewTimer(step)
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-u.wake:
			t.Stop()
			if now, ok := u.target(); !p.asked || ok && now != u.failedTo {
				return true
			}
		case <-t.C:
			left -= step
		}
	}
}

// round sends until nothing is left or something fails, and returns what to wait
// for then.
func (u *Uploader) round(ctx context.Context) pause {
	for {
		u.o.Progress()
		next := u.o.Now().Add(u.o.Period)
		target, ok := u.target()
		if !ok {
			return pause{until: next, state: StateUnenrolled}
		}
		u.setState(StateSending)
		items, err := u.next(target)
		if err != nil {
			return u.failed(target, fmt.Errorf("reading what is to be sent: %w", err), 0)
		}
		if len(items) == 0 {
			clear(u.suspects) // nothing else can vouch for the server: try them again next time
			u.fails = 0
			return pause{until: u.sooner(next), state: StateWaiting}
		}
		verdict, err := u.send(ctx, target, items)
		u.newFirst = u.newFirst || err != nil && items[0].Group != (buffer.Group{})
		switch {
		case ctx.Err() != nil:
			return pause{}
		case err == nil:
			u.limit = min(u.limit+u.limit/4+1, maxBatch) // slowly: it was cut for a reason
			if err := u.retrySuspects(ctx, target); err != nil {
				return u.failed(target, err, 0)
			}
			if u.nothingToSend() {
				return pause{until: u.sooner(next), state: StateWaiting}
			}
		case verdict.tooMuch && len(items) > 1:
			u.limit = (len(items) + 1) / 2 // halve until it fits, or the culprit stands alone
		case verdict.tooMuch && items[0].Group != (buffer.Group{}):
			u.fail(items[0].Group) // it goes on waiting with its group
			return u.failed(target, err, 0)
		case verdict.tooMuch && len(u.suspects) < maxSuspects:
			u.suspect(items[0])
			if len(u.suspects) > fastSuspects {
				return u.failed(target, err, 0)
			}
		case verdict.timedOut:
			u.o.Client.CloseIdleConnections() // another connection may fare better
			u.limit = max(min(u.limit, len(items))/2, minTimedOut)
			return u.failed(target, fmt.Errorf("%w; batches have at most %d events now", err, u.limit), 0)
		default:
			return u.failed(target, err, verdict.retryAfter)
		}
	}
}

func (u *Uploader) suspected(seq uint64) bool {
	_, held := u.suspects[seq]
	return held
}

// suspect holds back an event that alone makes a request fail. It is condemned
// only if it fails again right after the server has taken another: one that
// refuses everything, such as a proxy in between, must not empty the buffer.
func (u *Uploader) suspect(it buffer.Item) {
	u.suspects[it.Seq] = it
	u.limit = maxBatch
}

// retrySuspects sends the events that were held back, each alone, now that the
// server has taken another. The refused ones become dead letters.
func (u *Uploader) retrySuspects(ctx context.Context, target outbound.Target) error {
	for seq, it := range u.suspects {
		u.o.Progress()
		v, err := u.send(ctx, target, []buffer.Item{it})
		if err != nil && !v.tooMuch {
			return err
		}
		if err != nil {
			u.o.Log.Warn("the server refuses an event; it is kept as a dead letter", "code", v.code)
			if err := u.queue.Settle(nil, []buffer.Refusal{{Place: it.Place, Code: v.code, Message: v.message}}); err != nil {
				return fmt.Errorf("keeping a refused event: %w", err)
			}
		}
		delete(u.suspects, seq)
	}
	return nil
}

// send sends one batch and settles it.
func (u *Uploader) send(ctx context.Context, target outbound.Target, items []buffer.Item) (verdict, error) {
	body, n, err := encode(items)
	if err != nil {
		return verdict{}, err
	}
	if len(body) > api.MaxBodyBytes {
		return verdict{tooMuch: true, code: string(api.CodeTooLarge), message: "larger than a request may be"},
			errors.New("the batch is larger than a request may be")
	}
	reply, v, err := u.post(ctx, target, body, n)
	if err != nil {
		return v, err
	}
	if reply.PolicyRevision != nil && u.o.Policy != nil {
		u.o.Policy(*reply.PolicyRevision)
	}
	done, refused := settle(items, reply)
	if err := u.queue.Settle(done, refused); err != nil {
		err = fmt.Errorf("removing what the server has: %w", err)
		if len(refused) > 0 { // a full disk takes no refused event, until removing has made room
			err = errors.Join(err, u.queue.Settle(done, nil))
		}
		return verdict{}, err
	}
	u.fails = 0
	u.learn(done, refused)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.LastSuccess, u.status.LastError = u.o.Now(), ""
	u.status.Accepted += uint64(reply.Accepted)
	u.status.Duplicates += uint64(reply.Duplicates)
	u.status.Rejected += uint64(len(reply.Rejected))
	return verdict{}, nil
}

func (u *Uploader) setState(s State) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.State = s
}
