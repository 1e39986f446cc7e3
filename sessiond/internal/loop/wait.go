package loop

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/outbox"
	"activity-tracker.example/sessiond/internal/x11"
)

// How long a display may take to come up, and how often it is tried. A session
// is announced some 0.4 s before its X server answers.
const (
	openFor       = 30 * time.Second
	openDelay     = 100 * time.Millisecond
	maxOpenDelay  = 2 * time.Second
	maxPollMillis = 1 << 30 // poll takes an int32; waking after 12 days costs nothing
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
			return nil
		}
		if errors.Is(err, x11.ErrNoXInput) || time.Now().Add(delay).After(deadline) {
			return &DisplayError{err}
		}
		if _, err := l.poll(-1, l.clock.instant()+counting.Instant(delay/time.Millisecond)); err != nil {
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
	due := l.clock.until(now, l.clock.startOf(l.clock.slot(now.wall)+1))
	if l.clock.slot(now.wall) != l.slot {
		due = now.at
	}
	if l.news {
		due = min(due, l.reportDue())
	}
	fd := l.display.FD()
	if l.gathering {
		due, fd = min(due, l.drainAt), -1
	}
	return l.poll(fd, due)
}

// poll sleeps until the display (unless fd is -1), the daemon or the stop
// descriptor has something to say, or an instant has come.
func (l *loop) poll(fd int, due counting.Instant) (xReady bool, err error) {
	fds := [...]unix.PollFd{
		{Fd: int32(l.opts.Socket), Events: unix.POLLRDHUP},
		{Fd: int32(fd), Events: unix.POLLIN},
		{Fd: int32(l.stop), Events: unix.POLLIN},
	}
	if l.out.Waiting() {
		fds[0].Events |= unix.POLLOUT
	}
	timeout := min(max(due-l.clock.instant(), 0), maxPollMillis)
	if _, err := unix.Poll(fds[:], int(timeout)); err != nil && !errors.Is(err, unix.EINTR) {
		return false, errors.Join(ErrWait, err)
	}
	const hungUp = unix.POLLHUP | unix.POLLRDHUP | unix.POLLERR | unix.POLLNVAL
	switch {
	case fds[0].Revents&hungUp != 0:
		return false, outbox.ErrClosed
	case fds[2].Revents != 0:
		return false, errStopped
	}
	return fds[1].Revents != 0, nil
}
