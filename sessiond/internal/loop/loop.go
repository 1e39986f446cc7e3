// Package loop is a helper's one loop: it waits for what it watches (a Source),
// the daemon or the next report, whichever comes first, and wakes for nothing
// else.
//
// It is one goroutine around one wait. Go's usual way, a goroutine for each
// descriptor, would wake for each event; here a wake is followed by a pause in
// which events gather, and one read drains them.
package loop

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/outbox"
	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/internal/titles"
	"activity-tracker.example/sessiond/wire"
)

const (
	// gather is how long events gather after one has arrived: longer saves
	// little more, and focus times are exact anyway, since events carry theirs.
	gather = 250 * counting.Instant(1)
	// maxCatchUp bounds the intervals that are reported one by one when the
	// loop wakes late, as after a stopped process goes on: an hour of minutes.
	maxCatchUp = 60
	// lastWords is how long the last report may wait for a full socket.
	lastWords = 2 * time.Second
	// garbageBytes of titles and of xgb's requests are left to collect; Go by
	// itself would wait for 4 MiB. At this size a collection comes every 25 s of
	// steady input, and costs 0.5 ms of CPU per 1,000 events.
	garbageBytes = 64 << 10
)

// Source is what the loop watches and reports: a display, for instance.
type Source interface {
	// FD is the descriptor that becomes readable when Drain has something to do.
	FD() int
	// Drain takes in everything that has happened up to an instant. got reports
	// that something had arrived, so that more may be on its way; news that the
	// next report will differ from the last.
	Drain(until counting.Instant) (got, news bool, err error)
	// Fill sets what the source knows as of an instant: the counters, the idle
	// time, the focus times of the interval.
	Fill(r *wire.Report, at counting.Instant)
	// Restart starts the next interval at an instant of which Fill was called.
	Restart(at counting.Instant)
	// SetTitles sets what may be reported of titles; nil, as at first, is nothing.
	SetTitles(retitle counting.Retitle)
	// Garbage is about how many bytes were allocated and left since the last
	// call.
	Garbage() int
	// Close ends watching.
	Close()
}

// Paced is a source that knows itself for how long events may gather, since what
// holds them meanwhile is small. It is watched all the time.
type Paced interface {
	Source
	// Notice takes note of what has arrived.
	Notice(now counting.Instant)
	// Due reports until when that may gather; gathering is false if nothing
	// does.
	Due() (at counting.Instant, gathering bool)
}

// Options are what to watch and how to report.
type Options struct {
	// Open starts watching; now is the clock of all instants.
	Open func(now func() counting.Instant) (Source, error)
	// Final are the errors of Open that trying again does not cure.
	Final []error
	// Gone is the error of a source that went away in an orderly way.
	Gone error
	// Timeless is set for a source whose events carry no times: they are when
	// they are drained. So what comes after a pause is drained at once, and only
	// what comes soon after that gathers.
	Timeless bool
	// Interval is the length of an interval, in whole seconds.
	Interval time.Duration
	// ReportEvery is the least time between reports within an interval: what a killed
	// helper loses at most.
	ReportEvery time.Duration
	// Socket is the inherited AF_UNIX SOCK_SEQPACKET descriptor.
	Socket int
}

// loop is the state of one run.
type loop struct {
	opts    Options
	clock   clock
	started int64 // wall clock, nanoseconds
	source  Source
	paced   Paced // the source, if it is one
	out     *outbox.Outbox
	stop    int // becomes readable when the context is done
	set     *sys.WaitSet

	lookingSource, lookingSocket uint32 // what set waits for

	slot      int64            // the interval that is counted
	settled   counting.Instant // up to here it is reported or drained
	drainAt   counting.Instant // when to drain; only if gathering
	drained   counting.Instant // when it was last drained
	gathering bool
	news      bool // something is not reported yet
	ended     bool // the source is not asked any more
	reported  counting.Instant
	report    wire.Report
	garbage   int

	retitle counting.Retitle // what may be reported of titles
	rules   uint64           // the ID of these rules; 0: none
	until   time.Time        // from then on nothing counts; zero: never
}

// Run watches the source and reports until it goes away, the daemon closes its
// end, or the context is done: then it returns nil, after a last report where
// somebody still reads it. Other ends are errors of this package or the
// source's.
func Run(ctx context.Context, o Options) error {
	start := time.Now()
	l := &loop{
		opts:    o,
		clock:   clock{start, o.Interval},
		started: start.UnixNano(),
		out:     outbox.New(o.Socket),
	}
	var err error
	if l.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(ErrWait, err)
	}
	defer func() { _ = unix.Close(l.stop) }() // nothing is written
	defer l.stopWith(ctx)()
	if l.set, err = sys.NewWaitSet(); err != nil {
		return errors.Join(ErrWait, err)
	}
	defer func() { _ = l.set.Close() }() // nothing is written
	if err := errors.Join(l.set.Add(l.stop, unix.EPOLLIN), l.set.Add(o.Socket, 0)); err != nil {
		return errors.Join(ErrWait, err)
	}
	if err := l.open(ctx); err != nil {
		return orderly(err, o.Gone)
	}
	defer l.source.Close()
	now := l.clock.now()
	l.slot, l.news = l.clock.slot(now.wall), true
	err = l.run(ctx)
	if errors.Is(err, errStopped) {
		err = errors.Join(err, l.drainLast())
	}
	if !errors.Is(err, outbox.ErrClosed) {
		l.farewell()
	}
	return orderly(err, o.Gone)
}

// stopWith wakes the loop when the context is done; the function that it returns
// ends that, and no write can come after it.
func (l *loop) stopWith(ctx context.Context) func() {
	written := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(written)
		one := [8]byte{1}
		_, _ = unix.Write(l.stop, one[:]) // an eventfd at zero takes it
	})
	return func() {
		if !cancel() {
			<-written
		}
	}
}

// orderly makes the ends that are none of the helper's failures nil. What goes
// away before it was open counts as what could not be opened.
func orderly(err, gone error) error {
	var open *OpenError
	if errors.As(err, &open) {
		return err
	}
	if errors.Is(err, gone) || errors.Is(err, outbox.ErrClosed) || errors.Is(err, errStopped) {
		return nil
	}
	return err
}

func (l *loop) run(ctx context.Context) error {
	for ctx.Err() == nil {
		ready, err := l.wait()
		if err != nil {
			return err
		}
		if err := l.step(ready); err != nil {
			return err
		}
	}
	return errStopped
}

// step does what is due.
func (l *loop) step(ready bool) error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	now := l.clock.now()
	if l.over(now) {
		return errStopped
	}
	switch {
	case ready && l.paced != nil:
		l.paced.Notice(now.at)
		l.drainAt, l.gathering = l.paced.Due()
	case ready && l.gathering:
		// The source is not looked at now, so its end has come: nothing more
		// will gather, and waiting would be woken by it over and over.
		l.drainAt = now.at
	case ready:
		l.startGathering(now.at)
	}
	if l.clock.slot(now.wall) != l.slot {
		if err := l.endInterval(now); err != nil {
			return err
		}
	}
	if l.gathering && now.at >= l.drainAt {
		if err := l.drain(now.at); err != nil {
			return err
		}
	}
	if l.news && now.at >= l.reportDue() {
		return l.send(now)
	}
	return nil
}

// startGathering sets when to drain what has begun to arrive.
func (l *loop) startGathering(now counting.Instant) {
	l.gathering, l.drainAt = true, now+gather
	if l.opts.Timeless {
		l.drainAt = max(now, l.drained+gather)
	}
}

// drain takes in what the source has, and keeps gathering as long as there was
// something: asking it once more costs less than waking for its first
// event.
func (l *loop) drain(until counting.Instant) error {
	if l.ended {
		return nil
	}
	got, news, err := l.source.Drain(until)
	l.news = l.news || news
	l.drained = l.clock.instant()
	l.gathering, l.drainAt = got && !l.opts.Timeless, l.drained+gather
	if l.paced != nil {
		l.drainAt, l.gathering = l.paced.Due()
	}
	l.settled = max(l.settled, until)
	return err
}

// endInterval ends the interval, at the very instant at which the clock struck, and
// starts the one that now is. Intervals slept through are reported one by one;
// when the clock was set, there was no time in between to report.
func (l *loop) endInterval(now moment) error {
	target := l.clock.slot(now.wall)
	for n := 0; l.slot != target; n++ {
		next := moment{wall: l.clock.startOf(l.slot + 1)}
		next.at = min(max(l.clock.instantOf(now, next.wall), l.settled), now.at)
		after := l.slot + 1
		switch {
		case target < l.slot:
			next, after = now, target
		case n == maxCatchUp:
			next.at, after = now.at, target
		case n > 0 && next.at == l.settled:
			l.slot = target
			return nil
		}
		if n == 0 {
			if err := l.drain(next.at); err != nil {
				return err
			}
		}
		if err := l.send(next); err != nil {
			return err
		}
		l.source.Restart(next.at)
		l.slot, l.settled = after, next.at
	}
	return nil
}

// reportDue is when news may be reported.
func (l *loop) reportDue() counting.Instant {
	if l.reported == 0 {
		return 0 // the first report shows the daemon that the helper is there
	}
	return l.reported + counting.Instant(l.opts.ReportEvery/time.Millisecond)
}

// send reports everything as of a moment in the current interval.
func (l *loop) send(m moment) error {
	r := &l.report
	r.Focus = r.Focus[:0]
	l.source.Fill(r, m.at)
	r.StartedUnixNano = l.started
	r.TimeUnixMilli = m.wall.UnixMilli()
	r.IntervalStartUnix = l.clock.startOf(l.slot).Unix()
	r.Rules = l.rules
	l.news, l.reported = false, max(m.at, 1)
	if err := l.out.Put(r); err != nil {
		return err
	}
	if l.garbage += l.source.Garbage(); l.garbage > garbageBytes {
		l.garbage = 0
		runtime.GC()
	}
	return nil
}

// hear takes what the daemon sent. Rules that cannot be used are none: no title is
// reported then. The same rules again, as a daemon that was restarted sends them, change
// no title: what they made of one they could take for another.
func (l *loop) hear() error {
	packet, err := l.out.Hear()
	if err != nil || packet == nil {
		return err
	}
	rules, err := wire.ParseRules(packet)
	l.until = time.Time{}
	if rules.UntilUnix != 0 {
		l.until = time.Unix(rules.UntilUnix, 0)
	}
	if err == nil && rules.ID == l.rules {
		return nil
	}
	l.retitle, l.rules = nil, 0
	if err == nil {
		if retitle, err := titles.Compile(&rules); err == nil {
			l.retitle, l.rules = retitle, rules.ID
		}
	}
	if len(packet) > wire.FewRulesBytes {
		debug.FreeOSMemory() // compiling them leaves more than it needs
	}
	if l.source != nil {
		l.source.SetTitles(l.retitle)
		l.news = true
	}
	return nil
}

// farewell reports once more what is known, and waits a moment for a full socket to
// take it.
func (l *loop) farewell() {
	l.ended = true
	now := l.last()
	if l.endInterval(now) != nil {
		return
	}
	// Of an interval that begins where counting ends there is nothing to report.
	if empty := now.wall.Equal(l.until) && now.wall.Equal(l.clock.startOf(l.slot)); !empty && l.send(now) != nil {
		return
	}
	deadline := now.at + counting.Instant(lastWords/time.Millisecond)
	for l.out.Waiting() {
		left := deadline - l.clock.instant()
		if left <= 0 {
			return
		}
		_, err := sys.Await(l.opts.Socket, unix.POLLOUT, time.Duration(left)*time.Millisecond)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if l.out.Flush() != nil {
			return
		}
	}
}
