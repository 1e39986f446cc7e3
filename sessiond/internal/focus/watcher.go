// Package focus follows which window is in front in a Wayland session, in
// whichever way its compositor offers. Counts of input come from elsewhere.
package focus

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/compositor"
	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/focus/gnome"
	"activity-tracker.example/sessiond/internal/focus/kwin"
	"activity-tracker.example/sessiond/internal/focus/wlr"
	"activity-tracker.example/sessiond/internal/wayland"
	"activity-tracker.example/sessiond/wire"
)

// Options are what to watch.
type Options struct {
	// Place is where the session's compositor is looked for.
	Place compositor.Place
	// Titles sets whether window titles are read.
	Titles bool
	// KWinScript is the file of the script for KDE's compositor.
	KWinScript string
	// Now is the clock of all instants.
	Now func() counting.Instant
}

// front is a way to know the window in front.
type front interface {
	// Front returns the window in front, the zero Window for none, and what
	// keeps it from being known.
	Front() (counting.Window, wire.Trouble)
}

// follower is a way that goes beside the connection to the compositor.
type follower interface {
	front
	// FD is readable while Front has something new.
	FD() int
	// Ended reports whether nothing will come any more.
	Ended() bool
	// Close stops following.
	Close()
}

// Watcher follows the focus of one session.
type Watcher struct {
	opts     Options
	conn     *wayland.Conn
	front    front
	follower follower // the front, if it is one
	ready    int      // an epoll descriptor, over all that can become readable
	focus    counting.Focus
	trouble  wire.Trouble
}

// Open connects to the session's compositor and starts to follow the focus.
func Open(o Options) (*Watcher, error) {
	fd, err := o.Place.Connect()
	if err != nil {
		return nil, err
	}
	w := &Watcher{opts: o, conn: wayland.New(fd), front: unknown{}, ready: -1}
	if err := w.start(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Watcher) start() (err error) {
	if w.ready, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := w.watch(w.conn.FD()); err != nil {
		return err
	}
	globals, err := w.conn.Globals(slices.Concat([]string{wlr.Interface}, gnome.Globals(), kwin.Globals())...)
	if err != nil {
		return fmt.Errorf("greeting the compositor: %w", err)
	}
	if err := w.choose(globals); err != nil {
		return err
	}
	w.look(w.opts.Now())
	return nil
}

// choose takes the way that fits what the compositor offers.
func (w *Watcher) choose(globals map[string]wayland.Global) error {
	offers := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { _, offered := globals[name]; return offered })
	}
	switch {
	case offers([]string{wlr.Interface}):
		windows, err := wlr.Follow(w.conn, globals[wlr.Interface], w.opts.Titles)
		if err != nil {
			return fmt.Errorf("asking for the windows: %w", err)
		}
		w.front = windows
		return nil
	case offers(gnome.Globals()):
		f, err := gnome.Follow(w.opts.Place.Runtime, w.opts.Titles)
		return w.follow(f, err)
	case offers(kwin.Globals()):
		f, err := kwin.Follow(w.opts.Place.Runtime, w.opts.KWinScript, w.opts.Titles)
		if errors.Is(err, kwin.ErrNoScript) {
			return nil // the front stays unknown
		}
		return w.follow(f, err)
	}
	return nil
}

// follow takes a follower, unless it failed.
func (w *Watcher) follow(f follower, err error) error {
	if err != nil {
		return err
	}
	w.front, w.follower = f, f
	return w.watch(f.FD())
}

// watch makes FD readable whenever a descriptor is.
func (w *Watcher) watch(fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.ready, unix.EPOLL_CTL_ADD, fd, &e))
}

// unknown is the front of a compositor that offers no way to know it.
type unknown struct{}

// Front returns that nothing can be known.
func (unknown) Front() (counting.Window, wire.Trouble) {
	return counting.Window{}, wire.TroubleNoFocus
}

// FD is the descriptor that becomes readable when Drain has something to do.
func (w *Watcher) FD() int { return w.ready }

// Close ends watching.
func (w *Watcher) Close() {
	if w.follower != nil {
		w.follower.Close()
	}
	w.conn.Close()
	if w.ready >= 0 {
		_ = unix.Close(w.ready) // nothing is written
	}
}

// Drain takes in what has happened up to an instant. Events carry no times: the
// last of those that arrived together counts, as of now.
func (w *Watcher) Drain(until counting.Instant) (got, news bool, err error) {
	got, err = w.conn.Dispatch()
	if err == nil && w.follower != nil && w.follower.Ended() {
		err = wayland.ErrGone
	}
	return got, w.look(min(w.opts.Now(), until)), err
}

// look books what is in front, and reports whether that changed anything.
func (w *Watcher) look(at counting.Instant) bool {
	window, trouble := w.front.Front()
	changed := trouble != w.trouble
	w.trouble = trouble
	return w.focus.Switch(window, at) || changed
}

// Fill sets the focus times as of an instant. Input is not seen here.
func (w *Watcher) Fill(r *wire.Report, at counting.Instant) {
	r.Counters = wire.Counters{}
	r.IdleMS = wire.IdleUnknown
	r.Trouble = w.trouble
	r.Focus = w.focus.Snapshot(r.Focus, at)
}

// SetTitles sets what may be reported of titles.
func (w *Watcher) SetTitles(retitle counting.Retitle) { w.focus.SetTitles(retitle) }

// Restart starts an interval's focus times anew.
func (w *Watcher) Restart(at counting.Instant) { w.focus.Restart(at) }

// Garbage is about how many bytes were allocated and left since the last call.
func (w *Watcher) Garbage() int { return w.conn.Garbage() }
