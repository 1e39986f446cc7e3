package loop

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
)

// How long a source may take to come up, and how often it is tried. A session
// is announced some 0.4 s before its X server answers.
const (
	openFor      = 30 * time.Second
	openDelay    = 100 * time.Millisecond
	maxOpenDelay = 2 * time.Second
)

// errStopped reports that the loop was asked to end.
var errStopped = errors.New("told to stop")

// ErrWait reports that the system refused to wait, which it never does.
var ErrWait = errors.New("waiting for the session and the daemon")

// open opens the source, and tries again with growing delay while it is not there
// yet.
func (l *loop) open(ctx context.Context) error {
	deadline := time.Now().Add(openFor)
	for delay := openDelay; ; delay = min(2*delay, maxOpenDelay) {
		source, err := l.opts.Open(l.clock.instant)
		if err == nil {
			l.source = source
			l.source.SetTitles(l.retitle)
			l.paced, _ = source.(Paced)
			if err := l.set.Add(source.FD(), 0); err != nil {
				return errors.Join(ErrWait, err)
			}
			return nil
		}
		if slices.ContainsFunc(l.opts.Final, func(final error) bool { return errors.Is(err, final) }) || time.Now().Add(delay).After(deadline) {
			return &OpenError{err}
		}
		if _, err := l.sleep(l.clock.instant() + counting.Instant(delay/time.Millisecond)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return errStopped
		}
	}
}

// OpenError reports that the source could not be opened.
type OpenError struct{ Err error }

func (e *OpenError) Error() string { return "opening what is to be watched: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// wait sleeps until something is due and reports whether the source has anything
// to read. While events gather a source that is not paced is not looked at.
func (l *loop) wait() (ready bool, err error) {
	now := l.clock.now()
	due := l.clock.instantOf(now, l.clock.startOf(l.clock.slot(now.wall)+1)) + 1 // not just before it
	if l.clock.slot(now.wall) != l.slot {
		due = now.at
	}
	if !l.until.IsZero() {
		due = min(due, l.clock.instantOf(now, l.until)+1)
	}
	if l.news {
		due = min(due, l.reportDue())
	}
	look := uint32(unix.EPOLLIN)
	if l.gathering {
		due = min(due, l.drainAt)
	}
	if l.gathering && l.paced == nil {
		look = 0
	}
	if err := l.lookFor(l.source.FD(), look, &l.lookingSource); err != nil {
		return false, err
	}
	return l.sleep(due)
}

// sleep waits until the source or the daemon has something new, the context is
// done, or an instant has come.
func (l *loop) sleep(due counting.Instant) (ready bool, err error) {
	look := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
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
			// a last report. Where it closed both ways, sending reports it.
			if e.Events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0 {
				return false, errStopped
			}
			if e.Events&unix.EPOLLIN != 0 {
				if err := l.hear(); err != nil {
					return false, err
				}
			}
		case l.stop:
			return false, errStopped
		default:
			ready = true
		}
	}
	return ready, nil
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
