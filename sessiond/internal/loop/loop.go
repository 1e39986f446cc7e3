// Package loop is the helper's one loop: it waits for the display, the daemon
// or the next report, whichever comes first, and wakes for nothing else.
//
// It is one goroutine around one wait. Go's usual way, a goroutine for each
// descriptor, would wake for each event; here a wake is followed by a pause in
// which events gather, and one read drains them.
package loop

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/outbox"
	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/wire"
)

const (
	// gather is how long events gather after one has arrived: longer saves
	// little more, and focus times are exact anyway, since events carry theirs.
	gather = 250 * counting.Instant(1)
	// reportEvery is the least time between reports within an interval: what a
	// killed helper loses at most.
	reportEvery = 5000 * counting.Instant(1)
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

// Options say what to watch and how to report.
type Options struct {
	// Display is the X display's number.
	Display int
	// Authority says where the X cookie is.
	Authority x11.Authority
	// Interval is the length of an interval, in whole seconds.
	Interval time.Duration
	// IdleAfter is how long after an input the user still counts as active.
	IdleAfter time.Duration
	// Titles says whether window titles are reported.
	Titles bool
	// Socket is the inherited AF_UNIX SOCK_SEQPACKET descriptor.
	Socket int
}

// loop is the state of one run.
type loop struct {
	opts    Options
	clock   clock
	started int64 // wall clock, nanoseconds
	display *x11.Display
	out     *outbox.Outbox
	stop    int // becomes readable when the context is done
	set     *sys.WaitSet

	lookingX, lookingSocket uint32 // what set waits for

	slot      int64            // the interval that is counted
	settled   counting.Instant // up to here it is reported or drained
	drainAt   counting.Instant // when to drain; only if gathering
	gathering bool
	news      bool // something is not reported yet
	ended     bool // the display is not asked any more
	reported  counting.Instant
	report    wire.Report
	garbage   int
}

// Run watches the display and reports until the X server goes away, the daemon
// closes its end, or the context is done: then it returns nil, after a last
// report where somebody still reads it. Other ends are errors of this package
// or x11's.
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
		return orderly(err)
	}
	defer l.display.Close()
	now := l.clock.now()
	l.slot, l.news = l.clock.slot(now.wall), true
	err = l.run(ctx)
	if errors.Is(err, errStopped) {
		err = errors.Join(err, l.drain(l.clock.instant()))
	}
	if !errors.Is(err, outbox.ErrClosed) {
		l.farewell()
	}
	return orderly(err)
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

// orderly makes the ends that are none of the helper's failures nil.
func orderly(err error) error {
	if errors.Is(err, x11.ErrGone) || errors.Is(err, outbox.ErrClosed) || errors.Is(err, errStopped) {
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
func (l *loop) step(xReady bool) error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	now := l.clock.now()
	switch {
	case xReady && l.gathering:
		// The display is not looked at now, so its end has come: nothing more
		// will gather, and waiting would be told of it over and over.
		l.drainAt = now.at
	case xReady:
		l.gathering, l.drainAt = true, now.at+gather
	}
	if l.clock.slot(now.wall) != l.slot {
		if err := l.turn(now); err != nil {
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

// drain takes in what the display has, and keeps gathering as long as there was
// something: asking the display once more costs less than waking for its first
// event.
func (l *loop) drain(until counting.Instant) error {
	if l.ended {
		return nil
	}
	got, news, err := l.display.Drain(until)
	l.news = l.news || news
	l.gathering, l.drainAt = got, l.clock.instant()+gather
	l.settled = max(l.settled, until)
	return err
}

// turn ends the interval, at the very instant at which the clock struck, and
// starts the one that now is. Intervals slept through are reported one by one;
// when the clock was set, there was no time in between to report.
func (l *loop) turn(now moment) error {
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
		l.display.Focus.Restart(next.at)
		l.slot, l.settled = after, next.at
	}
	return nil
}

// reportDue is when news may be reported.
func (l *loop) reportDue() counting.Instant {
	if l.reported == 0 {
		return 0 // the first report tells the daemon that the helper is there
	}
	return l.reported + reportEvery
}

// send reports everything as of a moment in the current interval.
func (l *loop) send(m moment) error {
	d, r := l.display, &l.report
	d.Activity.Advance(m.at)
	r.StartedUnixNano = l.started
	r.TimeUnixMilli = m.wall.UnixMilli()
	r.IntervalStartUnix = l.clock.startOf(l.slot).Unix()
	r.Counters = d.Input.Counters()
	r.Counters.ActiveMS = d.Activity.ActiveMS()
	r.IdleMS = d.Activity.IdleMS(m.at)
	r.Focus = d.Focus.Snapshot(r.Focus[:0], m.at)
	l.news, l.reported = false, max(m.at, 1)
	if err := l.out.Put(r); err != nil {
		return err
	}
	if l.garbage += d.Garbage(); l.garbage > garbageBytes {
		l.garbage = 0
		runtime.GC()
	}
	return nil
}

// farewell reports once more what is known, and gives a full socket a moment to
// take it.
func (l *loop) farewell() {
	l.ended = true
	now := l.clock.now()
	if l.turn(now) != nil || l.send(now) != nil {
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
