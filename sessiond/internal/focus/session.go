// Package focus follows which window is in front in a Wayland session, in
// whichever way its compositor offers. Counts of input come from elsewhere.
package focus

import (
	"errors"

	"activity-tracker.example/sessiond/internal/compositor"
	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/focus/wlr"
	"activity-tracker.example/sessiond/internal/wayland"
	"activity-tracker.example/sessiond/wire"
)

// Options say what to watch.
type Options struct {
	// Place is where the session's compositor is looked for.
	Place compositor.Place
	// Titles says whether window titles are read.
	Titles bool
	// Now is the clock of all instants.
	Now func() counting.Instant
}

// front is a way to know the window in front.
type front interface {
	// Front returns the window in front, the zero Window for none, and what
	// keeps it from being known.
	Front() (counting.Window, wire.Trouble)
}

// Session is a session that is watched.
type Session struct {
	opts    Options
	conn    *wayland.Conn
	front   front
	focus   counting.Focus
	trouble wire.Trouble
}

// Open connects to the session's compositor and starts to follow the focus.
func Open(o Options) (*Session, error) {
	fd, err := o.Place.Connect()
	if err != nil {
		return nil, err
	}
	s := &Session{opts: o, conn: wayland.New(fd), front: unknown{}}
	if err := s.start(); err != nil {
		s.conn.Close()
		return nil, errors.Join(errors.New("greeting the compositor"), err)
	}
	return s, nil
}

func (s *Session) start() error {
	globals, err := s.conn.Globals(wlr.Interface)
	if err != nil {
		return err
	}
	if g, offered := globals[wlr.Interface]; offered {
		if s.front, err = wlr.Follow(s.conn, g, s.opts.Titles); err != nil {
			return err
		}
	}
	s.look(s.opts.Now())
	return nil
}

// unknown is the front of a compositor that offers no way to know it.
type unknown struct{}

func (unknown) Front() (counting.Window, wire.Trouble) {
	return counting.Window{}, wire.TroubleNoFocus
}

// FD is the descriptor that becomes readable when Drain has something to do.
func (s *Session) FD() int { return s.conn.FD() }

// Close ends watching.
func (s *Session) Close() { s.conn.Close() }

// Drain takes in what has happened up to an instant. Events carry no times: the
// last of those that arrived together counts, as of now.
func (s *Session) Drain(until counting.Instant) (got, news bool, err error) {
	got, err = s.conn.Dispatch()
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

// Restart starts an interval's focus times anew.
func (s *Session) Restart(at counting.Instant) { s.focus.Restart(at) }

// Garbage is about how many bytes were allocated and left since the last call.
func (s *Session) Garbage() int { return s.conn.Garbage() }
