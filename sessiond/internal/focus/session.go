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

// Session is a session that is watched.
type Session struct {
	opts     Options
	conn     *wayland.Conn
	front    front
	follower follower // the front, if it is one
	ready    int      // an epoll descriptor, over all that can become readable
	focus    counting.Focus
	trouble  wire.Trouble
}

// Open connects to the session's compositor and starts to follow the focus.
func Open(o Options) (*Session, error) {
	fd, err := o.Place.Connect()
	if err != nil {
		return nil, err
	}
	s := &Session{opts: o, conn: wayland.New(fd), front: unknown{}, ready: -1}
	if err := s.start(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) start() (err error) {
	if s.ready, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := s.watch(s.conn.FD()); err != nil {
		return err
	}
	globals, err := s.conn.Globals(slices.Concat([]string{wlr.Interface}, gnome.Globals(), kwin.Globals())...)
	if err != nil {
		return fmt.Errorf("greeting the compositor: %w", err)
	}
	if err := s.choose(globals); err != nil {
		return err
	}
	s.look(s.opts.Now())
	return nil
}

// choose takes the way that fits what the compositor offers.
func (s *Session) choose(globals map[string]wayland.Global) error {
	offers := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { _, offered := globals[name]; return offered })
	}
	switch {
	case offers([]string{wlr.Interface}):
		windows, err := wlr.Follow(s.conn, globals[wlr.Interface], s.opts.Titles)
		if err != nil {
			return fmt.Errorf("asking for the windows: %w", err)
		}
		s.front = windows
		return nil
	case offers(gnome.Globals()):
		f, err := gnome.Follow(s.opts.Place.Runtime, s.opts.Titles)
		return s.follow(f, err)
	case offers(kwin.Globals()):
		f, err := kwin.Follow(s.opts.Place.Runtime, s.opts.KWinScript, s.opts.Titles)
		if errors.Is(err, kwin.ErrNoScript) {
			return nil // the front stays unknown
		}
		return s.follow(f, err)
	}
	return nil
}

// follow takes a follower, unless it failed.
func (s *Session) follow(f follower, err error) error {
	if err != nil {
		return err
	}
	s.front, s.follower = f, f
	return s.watch(f.FD())
}

// watch makes FD readable whenever a descriptor is.
func (s *Session) watch(fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.ready, unix.EPOLL_CTL_ADD, fd, &e))
}

// unknown is the front of a compositor that offers no way to know it.
type unknown struct{}

// Front returns that nothing can be known.
func (unknown) Front() (counting.Window, wire.Trouble) {
	return counting.Window{}, wire.TroubleNoFocus
}

// FD is the descriptor that becomes readable when Drain has something to do.
func (s *Session) FD() int { return s.ready }

// Close ends watching.
func (s *Session) Close() {
	if s.follower != nil {
		s.follower.Close()
	}
	s.conn.Close()
	if s.ready >= 0 {
		_ = unix.Close(s.ready) // nothing is written
	}
}

// Drain takes in what has happened up to an instant. Events carry no times: the
// last of those that arrived together counts, as of now.
func (s *Session) Drain(until counting.Instant) (got, news bool, err error) {
	got, err = s.conn.Dispatch()
	if err == nil && s.follower != nil && s.follower.Ended() {
		err = wayland.ErrGone
	}
	return got, s.look(min(s.opts.Now(), until)), err
}

// look books what is in front, and reports whether that changed anything.
func (s *Session) look(at counting.Instant) bool {
	window, trouble := s.front.Front()
	changed := trouble != s.trouble
	s.trouble = trouble
	return s.focus.Switch(window, at) || changed
}

// Fill sets the focus times as of an instant. Input is not seen here.
func (s *Session) Fill(r *wire.Report, at counting.Instant) {
	r.Counters = wire.Counters{}
	r.IdleMS = wire.IdleUnknown
	r.Trouble = s.trouble
	r.Focus = s.focus.Snapshot(r.Focus, at)
}

// SetTitles sets what may be reported of titles.
func (s *Session) SetTitles(retitle counting.Retitle) { s.focus.SetTitles(retitle) }

// Restart starts an interval's focus times anew.
func (s *Session) Restart(at counting.Instant) { s.focus.Restart(at) }

// Garbage is about how many bytes were allocated and left since the last call.
func (s *Session) Garbage() int { return s.conn.Garbage() }
