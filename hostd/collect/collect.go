// Package collect turns the helpers' readings into records in the buffer. Each
// batch of readings is one transaction that moves what was counted, the open
// records and the sealed ones together: whenever the daemon dies, all of it is
// kept or nothing, and since readings are totals, nothing means later.
package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/hoststat"
	"activity-tracker.example/hostd/interval"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
)

const (
	// batchFor is how long readings are gathered before they are written: one
	// disk sync each second at most, however many sessions report.
	batchFor = time.Second
	// batchMax is how many readings are gathered at most: with titles at their
	// limit they are some 40 KiB each.
	batchMax = 512
	// pendingMax is how many readings are kept while the disk takes none, at
	// most 40 MiB. Only the latest of a session's interval is kept, so this is
	// fifty users for twenty minutes; beyond it the oldest go, whose counts the
	// next one of the same session repeats. They are in the helpers' sockets too,
	// as far as those hold them (some 200 reports each), and behind those the
	// helpers keep two hours of intervals.
	pendingMax = 1024
	// startHold is for how long after its start the daemon seals nothing: what
	// the helpers reported while it was away is in their sockets, and belongs
	// to its own intervals.
	startHold = interval.DefaultGrace
	// heartbeat is how often the loop looks at the clock at least, so that one
	// that was set is noticed, and the watchdog sees progress.
	heartbeat = 10 * time.Second
	// retryAfter is how long to wait after a failed transaction.
	retryAfter = 5 * time.Second
)

// Sampler measures the host.
type Sampler interface {
	Sample(ctx context.Context) (hoststat.Stats, error)
}

// Options of a Collector.
type Options struct {
	// Interval is a record's length: whole seconds, 5 to 3600, a divisor of
	// 3600. IdleAfter without input makes it idle.
	Interval, IdleAfter time.Duration
	// Missing is in how many seconds of a stretch of time (seconds UTC) nothing was
	// collected by rule; nil: in none.
	Missing func(machineID string, from, until int64) int64
	// Stats measures the host once an interval; nil: not at all.
	Stats Sampler
	Log   *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Progress is called each time the loop comes round, at least every
	// heartbeat (10 s); it may be nil. It shows that the loop lives, not that
	// the disk takes what it writes: a restart empties no disk, so a failing
	// one is reported in Status instead.
	Progress func()
}

// Status is how collecting goes.
type Status struct {
	// OpenRecords are being added to.
	OpenRecords int
	// LastReading and LastSealed are when they last came; zero: not yet.
	LastReading, LastSealed time.Time
	// Sealed is how many records were sealed since the start.
	Sealed uint64
	// Err is why the last transaction failed, with what to do; nil while all
	// is well. Pending readings wait for it to be mended.
	Err     error
	Pending int
	// ClockBehind is how far the clock lies behind time that was already
	// reported: records wait until it has passed. Zero but after the clock was
	// set back.
	ClockBehind time.Duration
}

// Collector owns the state between readings and the buffer.
type Collector struct {
	o   Options
	buf *buffer.Buffer
	// start is when Run began, by the monotonic clock.
	start time.Time

	ledger  *interval.Ledger
	pending []taken
	// rewrite is true once the buffer lost its state: it then takes it whole.
	rewrite bool
	stats   statsByInterval
	encoded bytes.Buffer // the state of one transaction

	mu     sync.Mutex
	known  map[string]roster.Tracked
	live   map[string]bool // nil: not set yet
	told   bool            // live changed
	status Status
}

// taken is a reading, when it came, and its session's name.
type taken struct {
	reading reading.Reading
	at      time.Time
	name    string
}

// New continues from what the buffer holds.
func New(buf *buffer.Buffer, o Options) (*Collector, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func() {}
	}
	c := &Collector{o: o, buf: buf, start: o.Now(), known: map[string]roster.Tracked{}}
	state, bad, err := c.load()
	if errors.Is(err, buffer.ErrReplaced) { // once more, from what was rescued
		state, bad, err = c.load()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state from the buffer: %w", err)
	}
	s := buf.Status()
	terms := interval.Options{Length: o.Interval, IdleAfter: o.IdleAfter, Epoch: s.Created, Floor: s.Lost, Missing: o.Missing}
	if bad > 0 { // some account or mark is gone: trust as little as after a loss
		terms.Epoch, terms.Floor = o.Now(), o.Now()
		o.Log.Error("some of the stored state was damaged; nothing is counted twice, but some counts are lost", "values", bad)
	}
	c.ledger = interval.New(terms, state)
	return c, nil
}

// Known returns the sessions whose helpers were heard before, by session key:
// after a restart their sockets may still hold reports.
func (c *Collector) Known() map[string]roster.Tracked {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := make(map[string]roster.Tracked, len(c.known))
	for k, t := range c.known {
		known[k] = t
	}
	return known
}

// Live sets which sessions are tracked now. What is remembered of the others
// is dropped an hour after their last reading.
func (c *Collector) Live(tracked []roster.Tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = make(map[string]bool, len(tracked))
	for _, t := range tracked {
		c.live[t.Name()] = true
	}
	c.told = true
}

// Status may be asked at any time.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Run collects until ctx ends, stores what it took and returns nil. A disk that
// refuses is reported in Status and tried again.
func (c *Collector) Run(ctx context.Context, readings <-chan reading.Reading) error {
	c.start = c.o.Now()
	c.sample(ctx, 0) // the first sample only begins the measuring
	var flush time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c.o.Progress()
		select {
		case <-ctx.Done():
			c.drain(readings)
			c.step(context.WithoutCancel(ctx))
			return nil
		case r, ok := <-readings:
			if !ok {
				readings = nil // no more will come; records are still sealed
				continue
			}
			c.take(r)
			if flush.IsZero() {
				flush = c.o.Now().Add(batchFor)
			}
			if len(c.pending) < batchMax || c.Status().Err != nil {
				c.setTimer(timer, flush)
				continue
			}
		case <-timer.C:
		}
		flush = time.Time{}
		c.step(ctx)
		c.setTimer(timer, c.next())
	}
}

// setTimer makes the loop come round at the given time, or at the heartbeat.
func (c *Collector) setTimer(t *time.Timer, at time.Time) {
	t.Reset(min(max(at.Sub(c.o.Now()), 0), heartbeat))
}

// next is when there is something to do without a reading: the interval's end,
// or the end of the grace after it.
func (c *Collector) next() time.Time {
	now := c.o.Now()
	if c.Status().Err != nil {
		return now.Add(retryAfter)
	}
	start := now.Truncate(c.o.Interval)
	if graced := start.Add(interval.DefaultGrace); c.ledger.Open() > 0 && now.Before(graced) && graced.Before(start.Add(c.o.Interval)) {
		return graced
	}
	return start.Add(c.o.Interval)
}

// drain takes what is there without waiting.
func (c *Collector) drain(readings <-chan reading.Reading) {
	for range batchMax {
		select {
		case r, ok := <-readings:
			if !ok {
				return
			}
			c.take(r)
		default:
			return
		}
	}
}

// take keeps a reading for the next transaction. A later report of the same
// helper's interval contains all that the earlier one did.
func (c *Collector) take(r reading.Reading) {
	now := c.o.Now()
	for i := range c.pending {
		p := &c.pending[i].reading
		if p.Session.Key == r.Session.Key && p.Session.Source == r.Session.Source && p.Report.StartedUnixNano == r.Report.StartedUnixNano &&
			p.Report.IntervalStartUnix == r.Report.IntervalStartUnix &&
			p.Report.TimeUnixMilli <= r.Report.TimeUnixMilli {
			c.pending[i].reading, c.pending[i].at = r, now
			return
		}
	}
	if len(c.pending) >= pendingMax {
		c.pending = c.pending[1:]
	}
	c.pending = append(c.pending, taken{reading: r, at: now, name: r.Session.Name()})
}

// step runs the one transaction: readings, open records and sealed ones.
func (c *Collector) step(ctx context.Context) {
	now := c.o.Now()
	c.sampleIfOver(ctx, now)
	for i := range c.pending {
		c.ledger.Fold(c.pending[i].reading, c.pending[i].at)
	}
	live, told := c.takeLive()
	if told {
		c.ledger.Live(func(session string) bool { return live[session] }, now)
	}
	var sealed []interval.Sealed
	if now.Sub(c.start) >= startHold {
		sealed = c.ledger.Seal(now)
	}
	changes := c.ledger.Changes()
	err := c.commit(&changes, sealed)
	if errors.Is(err, buffer.ErrReplaced) { // a fresh file: it takes the whole state
		c.rewrite = true
		err = c.commit(&changes, sealed)
	}
	if err == nil {
		for i := range c.pending {
			c.pending[i].reading.Stored()
		}
	}
	c.note(now, sealed, changes.GoneAccounts, err)
}

func (c *Collector) takeLive() (live map[string]bool, told bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	live, told = c.live, c.told
	c.told = false
	return live, told
}

// note ends the step: what was stored is kept, what was not is taken back.
func (c *Collector) note(now time.Time, sealed []interval.Sealed, gone []string, err error) {
	if err != nil {
		c.ledger.Rollback()
	} else {
		c.ledger.Commit()
		c.rewrite = false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.told = c.live != nil
		if c.status.Err == nil {
			c.o.Log.Error("cannot write to the buffer; counting goes on in memory", "error", err)
		}
		c.status.Err = fmt.Errorf("cannot write to the buffer (free some space or mend the disk; counting goes on): %w", err)
		c.status.Pending = len(c.pending)
		return
	}
	if c.status.Err != nil {
		c.o.Log.Info("the buffer can be written again", "readings", len(c.pending))
	}
	if len(c.pending) > 0 {
		c.status.LastReading = now
	}
	for i := range c.pending {
		c.known[c.pending[i].name] = c.pending[i].reading.Session
	}
	for _, session := range gone {
		delete(c.known, session)
	}
	if len(sealed) > 0 {
		c.status.LastSealed = now
		c.status.Sealed += uint64(len(sealed))
	}
	clear(c.pending)
	c.pending = c.pending[:0]
	c.status.Err, c.status.Pending = nil, 0
	c.status.OpenRecords = c.ledger.Open()
	behind := c.ledger.Ahead(now)
	if behind <= c.o.Interval { // the next interval is no jump of the clock
		behind = 0
	}
	if behind > 0 && c.status.ClockBehind == 0 {
		c.o.Log.Warn("the clock was set back into time that was already reported; records wait until it has passed", "for", behind)
	}
	c.status.ClockBehind = behind
}
