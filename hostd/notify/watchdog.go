package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// Watchdog reports to systemd that the daemon is alive, but only while each of its
// loops makes progress. Make one with NewWatchdog.
type Watchdog struct {
	client   *Client
	interval time.Duration
	now      func() time.Time
	stalled  func(loop string, silence time.Duration)

	mu    sync.Mutex
	loops []*Progress
}

// Progress is one loop's word that it got on. It is safe for concurrent use.
type Progress struct {
	name       string
	maxSilence time.Duration
	now        func() time.Time

	mu   sync.Mutex
	last time.Time
}

// NewWatchdog makes a watchdog that reports every interval through n. An
// interval of zero means that systemd expects nothing, and Run only waits.
func NewWatchdog(n *Client, interval time.Duration) *Watchdog {
	return &Watchdog{client: n, interval: interval, now: time.Now, stalled: func(string, time.Duration) {}}
}

// OnStall has f called with the name of a loop that has been silent for too
// long, each time that this withholds a report. Call it before Run.
func (w *Watchdog) OnStall(f func(loop string, silence time.Duration)) { w.stalled = f }

// WatchdogInterval reports how often systemd wants to hear, from WATCHDOG_USEC
// and WATCHDOG_PID of the environment: a third of the limit, so that two
// reports may be late. Zero means not at all.
func WatchdogInterval() (time.Duration, error) {
	usec := os.Getenv("WATCHDOG_USEC")
	if usec == "" {
		return 0, nil
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("WATCHDOG_USEC %q: want a positive number of microseconds", usec)
	}
	const reportsPerLimit = 3
	return time.Duration(n) * time.Microsecond / reportsPerLimit, nil
}

// Loop registers a loop that has to call Made at least once every maxSilence.
// Its time runs from now on.
func (w *Watchdog) Loop(name string, maxSilence time.Duration) *Progress {
	p := &Progress{name: name, maxSilence: maxSilence, now: w.now, last: w.now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loops = append(w.loops, p)
	return p
}

// Made reports that the loop got on.
func (p *Progress) Made() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.now()
}

func (p *Progress) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Sub(p.last)
}

// Run reports until ctx ends. It returns nil then, and an error only if the
// service manager cannot be reached.
func (w *Watchdog) Run(ctx context.Context) error {
	if w.interval <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	var failed error
	for {
		if w.healthy() {
			err := w.client.alive()
			if err != nil && failed != nil {
				return fmt.Errorf("feed the watchdog: %w", errors.Join(failed, err))
			}
			failed = err // one failure may be a restart of systemd itself
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *Watchdog) healthy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := true
	for _, p := range w.loops {
		if s := p.silence(); s > p.maxSilence {
			w.stalled(p.name, s)
			ok = false
		}
	}
	return ok
}
