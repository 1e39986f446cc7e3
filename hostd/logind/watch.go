package logind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// coalesce is how long signals are gathered before the list is read: a
	// login makes several within this time.
	coalesce = 50 * time.Millisecond
	// minGap is the least time between two listings, so that a
	// user who logs in and out in a loop costs little.
	minGap = 200 * time.Millisecond
	// gapShare is how many times as long as a listing took it is waited for until
	// the next one: with 300 sessions, which log in within seconds, listings would
	// take a third of the machine from those who log in.
	gapShare = 9
	// maxGap is the longest such wait.
	maxGap = 3 * time.Second
	// resync is how often the list is read although nothing was heard: the
	// safety net under signals, which do not carry State.
	resync = 60 * time.Second
	// maxReconnect is the longest wait before connecting to the bus again.
	maxReconnect = 30 * time.Second
	// firstReconnect is the first such wait; it doubles.
	firstReconnect = 250 * time.Millisecond
	// staleAfter is for how long a list counts as fresh in Healthy.
	staleAfter = 2*resync + callTimeout
)

// settle returns after how long the list is read again since the last sign of a
// change. Session properties send no signals under xrdp: "opening" becomes
// "active" after 0.15 s, a display may be set later, and after a helper's end
// "closing" shows a moment later.
func settle() []time.Duration {
	return []time.Duration{
		300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second,
	}
}

// Watcher keeps a list of logind's sessions up to date. Make one with
// NewWatcher.
type Watcher struct {
	log     *slog.Logger
	address string // of the bus; empty means the system's
	refresh chan struct{}
	settle  []time.Duration // see settle
	// progress is called by the loop whenever it turns, at least once a resync.
	progress func()

	mu     sync.Mutex
	readAt time.Time // of the last complete list
	lastE  error     // why there is no newer one; nil after success
}

// NewWatcher makes a watcher of the system bus's logind. It does nothing until
// Run.
func NewWatcher(log *slog.Logger) *Watcher {
	return &Watcher{
		log: log, refresh: make(chan struct{}, 1), settle: settle(), progress: func() {},
		lastE: errors.New("logind has not been read yet"),
	}
}

// OnProgress has f called whenever the watcher's loop turns, at least once a
// minute, also while the bus is away. Call it before Run.
func (w *Watcher) OnProgress(f func()) { w.progress = f }

// Refresh asks for the list to be read again soon, and a few times in the half
// minute after. It never blocks.
func (w *Watcher) Refresh() {
	select {
	case w.refresh <- struct{}{}:
	default:
	}
}

// Healthy returns nil while the list is fresh, or why it is not.
func (w *Watcher) Healthy() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.lastE != nil:
		return fmt.Errorf("the list of sessions is not up to date: %w", w.lastE)
	case time.Since(w.readAt) > staleAfter:
		return fmt.Errorf("the list of sessions was last read at %s", w.readAt.Format(time.RFC3339))
	}
	return nil
}

func (w *Watcher) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastE = err
	if err == nil {
		w.readAt = time.Now()
	}
}

// Run sends the whole list of sessions to out: once at the start, after each
// possible change, and every resync. A list that the reader has not taken is
// replaced by the next one. It connects again by itself when the bus or logind
// goes away, and returns nil when ctx ends.
func (w *Watcher) Run(ctx context.Context, out chan<- []Session) error {
	delay := firstReconnect
	for {
		began := time.Now()
		err := w.serve(ctx, out)
		if err == nil { // ctx ended
			return nil
		}
		w.note(err)
		w.progress()
		if time.Since(began) > maxReconnect {
			delay = firstReconnect
		}
		w.log.Warn("logind is out of reach, trying again", "error", err, "delay", delay)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		delay = min(2*delay, maxReconnect)
	}
}

// serve watches over one connection until it fails or ctx ends.
func (w *Watcher) serve(ctx context.Context, out chan<- []Session) error {
	b, err := connect(ctx, w.address)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer b.close()
	sched := newSchedule(time.Now(), w.settle)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var pending []Session
	var send chan<- []Session // nil while there is nothing to send
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.conn.Context().Done():
			if ctx.Err() != nil {
				return nil
			}
			return errors.New("the system bus closed the connection")
		case send <- pending:
			send = nil
			continue
		case <-b.sig.poke:
			sched.poked(time.Now())
		case <-w.refresh:
			sched.poked(time.Now())
		case <-timer.C:
			began := time.Now()
			list, err := w.read(ctx, b)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			pending, send = list, out
			sched.read(began, time.Now())
		}
		timer.Reset(time.Until(sched.next))
	}
}

func (w *Watcher) read(ctx context.Context, b *bus) ([]Session, error) {
	list, bad, err := b.sessions(ctx)
	if err != nil {
		return nil, err
	}
	if bad > 0 {
		w.log.Warn("sessions that make no sense are left out", "sessions", bad)
	}
	w.note(nil)
	w.progress()
	return list, nil
}

// schedule is when the list is read next.
type schedule struct {
	next     time.Time
	lastRead time.Time
	gap      time.Duration // between lastRead and the next listing, at least
	lastPoke time.Time
	settle   []time.Duration
	step     int // of settle, since lastPoke
}

func newSchedule(now time.Time, settle []time.Duration) *schedule {
	return &schedule{next: now, gap: minGap, lastPoke: now, settle: settle}
}

// poked brings the next listing forward. It never moves it back, or a stream
// of signals would keep the list from being read.
func (s *schedule) poked(now time.Time) {
	s.lastPoke, s.step = now, 0
	at := later(now.Add(coalesce), s.lastRead.Add(s.gap))
	if at.Before(s.next) {
		s.next = at
	}
}

// read notes that the list has been read from began until now.
func (s *schedule) read(began, now time.Time) {
	s.lastRead, s.gap = now, min(max(minGap, gapShare*now.Sub(began)), maxGap)
	for ; s.step < len(s.settle); s.step++ {
		if at := s.lastPoke.Add(s.settle[s.step]); at.After(now) {
			s.step++
			s.next = later(at, now.Add(s.gap))
			return
		}
	}
	s.next = now.Add(resync)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
