package loop

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/x11"
)

// How long a display may take to come up, and how often it is tried. A session
// is announced some 0.4 s before its X server answers.
const (
	openFor      = 30 * time.Second
	openDelay    = 100 * time.Millisecond
	maxOpenDelay = 2 * time.Second
)

// errStopped says that the loop was told to end.
var errStopped = errors.New("told to stop")

// ErrWait says that the system refused to wait, which it never does.
var ErrWait = errors.New("waiting for the display and the daemon")

// open opens the display, and tries again with growing delay while the X server
// is not there yet.
func (l *loop) open(ctx context.Context) error {
	deadline := time.Now().Add(openFor)
	for delay := openDelay; ; delay = min(2*delay, maxOpenDelay) {
		d, err := x11.Open(x11.Options{
			Display:   l.opts.Display,
			Authority: l.opts.Authority,
			Titles:    l.opts.Titles,
			Now:       l.clock.instant,
			IdleAfter: counting.Instant(l.opts.IdleAfter / time.Millisecond),
		})
		if err == nil {
			l.display = d
			if err := l.set.Add(d.FD(), 0); err != nil {
				return errors.Join(ErrWait, err)
			}
			return nil
		}
		if errors.Is(err, x11.ErrNoXInput) || time.Now().Add(delay).After(deadline) {
			return &DisplayError{err}
		}
		if _, err := l.sleep(l.clock.instant() + counting.Instant(delay/time.Millisecond)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return errStopped
		}
	}
}

// DisplayError says that the display could not be opened.
type DisplayError struct{ Err error }

func (e *DisplayError) Error() string { return "opening the display: " + e.Err.Error() }

// Unwrap gives the cause. An X server that goes away before it was open counts
// as one that could not be opened, so x11.ErrGone is hidden.
func (e *DisplayError) Unwrap() error {
	if errors.Is(e.Err, x11.ErrGone) {
		return nil
	}
	return e.Err
}

// wait sleeps until something is due and says whether the display has anything
// to read. While events gather the display is not looked at.
func (l *loop) wait() (xReady bool, err error) {
	now := l.clock.now()
	due := l.clock.instantOf(now, l.clock.startOf(l.clock.slot(now.wall)+1)) + 1 // not just before it
	if l.clock.slot(now.wall) != l.slot {
		due = now.at
	}
	if l.news {
		due = min(due, l.reportDue())
	}
	look := uint32(unix.EPOLLIN)
	if l.gathering {
		due, look = min(due, l.drainAt), 0
	}
	if err := l.lookFor(l.display.FD(), look, &l.lookingX); err != nil {
		return false, err
	}
	return l.sleep(due)
}

// sleep waits until the display or the daemon has something to say, the context
// is done, or an instant has come.
func (l *loop) sleep(due counting.Instant) (xReady bool, err error) {
	look := uint32(unix.EPOLLRDHUP)
	if l.out.Waiting() {
		look |= unix.EPOLLOUT
	}
	if err := l.lookFor(l.opts.Socket, look, &l.lookingSocket); err != nil {
		return false, err
	}
	events, err := l.set.Wait(time.Duration(due-l.clock.instant()) * time.Millisecond)
	if err != nil {
		return false, errors.Join(ErrWait, err)
	}
	for _, e := range events {
		switch e.FD {
		case l.opts.Socket:
			// The daemon hangs up one way when it wants no more, and still reads
			// a last report. Where it closed both ways, sending says so.
			if e.Events&^unix.EPOLLOUT != 0 {
				return false, errStopped
			}
		case l.stop:
			return false, errStopped
		default:
			xReady = true
		}
	}
	return xReady, nil
}

// lookFor changes what is waited for on a descriptor, if it is not so already.
func (l *loop) lookFor(fd int, events uint32, now *uint32) error {
	if *now == events {
		return nil
	}
	*now = events
	if err := l.set.Change(fd, events); err != nil {
		return errors.Join(ErrWait, err)
	}
	return nil
}
