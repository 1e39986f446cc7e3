// Package wlr follows the window in front through
// wlr-foreign-toplevel-management, which compositors built on wlroots offer
// (sway, labwc, river, Wayfire).
package wlr

import (
	"encoding/binary"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/text"
	"activity-tracker.example/sessiond/internal/wayland"
	"activity-tracker.example/sessiond/wire"
)

// Interface is the global that a compositor must offer.
const Interface = "zwlr_foreign_toplevel_manager_v1"

// The protocol's numbers. Version 1 has all that is needed.
const (
	version = 1

	managerToplevel = 0 // events of the manager
	managerFinished = 1

	handleDestroy = 7 // request

	handleTitle  = 0 // events of a window's handle
	handleAppID  = 1
	handleState  = 4
	handleDone   = 5
	handleClosed = 6

	stateActivated = 2
)

// maxWindows bounds the windows that are followed, far beyond what people have
// open, so that a compositor that makes up windows costs half a megabyte.
const maxWindows = 256

// Windows are the compositor's windows.
type Windows struct {
	conn    *wayland.Conn
	titles  bool
	windows map[uint32]*window
	ended   bool   // the compositor speaks of windows no more
	order   uint64 // counts activations
}

// window is one window; what changed counts once the compositor is done with it.
type window struct {
	next, now state
	activated uint64 // the order of the activation; 0 while it is not in front
}

type state struct {
	counting.Window
	active bool
}

// Follow starts to follow the windows of a compositor that offers the global.
func Follow(conn *wayland.Conn, global wayland.Global, titles bool) (*Windows, error) {
	w := &Windows{conn: conn, titles: titles, windows: map[uint32]*window{}}
	if _, err := conn.Bind(global, version, w.managerEvent); err != nil {
		return nil, err
	}
	return w, conn.RoundTrip()
}

// Front returns the window in front, the zero Window if there is none, and what
// keeps it from being known. A compositor that has several in front has one for
// each seat, or lies; the last one to come there counts.
func (w *Windows) Front() (counting.Window, wire.Trouble) {
	if w.ended {
		return counting.Window{}, wire.TroubleNoFocus
	}
	var front *window
	for _, x := range w.windows {
		if x.activated > 0 && (front == nil || x.activated > front.activated) {
			front = x
		}
	}
	if front == nil {
		return counting.Window{}, wire.TroubleNone
	}
	found := front.now.Window
	if found.App == "" {
		found.App = wire.UnknownApp
	}
	return found, wire.TroubleNone
}

func (w *Windows) managerEvent(m *wayland.Message) error {
	switch m.Opcode {
	case managerToplevel:
		id := m.NewID()
		if id == 0 || w.windows[id] != nil {
			return wayland.ErrNonsense
		}
		if len(w.windows) >= maxWindows {
			return nil // its events are nobody's
		}
		x := &window{}
		w.windows[id] = x
		w.conn.Listen(id, func(m *wayland.Message) error { return w.windowEvent(id, x, m) })
	case managerFinished:
		w.ended = true
	}
	return nil
}

func (w *Windows) windowEvent(id uint32, x *window, m *wayland.Message) error {
	switch m.Opcode {
	case handleTitle:
		if title := m.Text(); w.titles {
			x.next.Title = text.Clean(title, wire.MaxTitleBytes)
		}
	case handleAppID:
		x.next.App = text.Clean(m.Text(), wire.MaxAppBytes)
	case handleState:
		x.next.active = hasState(m.Array(), stateActivated)
	case handleDone:
		w.apply(x)
	case handleClosed:
		delete(w.windows, id)
		w.conn.Forget(id)
		return w.conn.Send(id, handleDestroy, nil)
	}
	return nil
}

// apply makes what the compositor has sent about a window true.
func (w *Windows) apply(x *window) {
	x.now = x.next
	switch {
	case !x.now.active:
		x.activated = 0
	case x.activated == 0:
		w.order++
		x.activated = w.order
	}
}

// hasState reports whether an array of states holds one.
func hasState(states []byte, wanted uint32) bool {
	const stateBytes = 4
	for ; len(states) >= stateBytes; states = states[stateBytes:] {
		if binary.NativeEndian.Uint32(states) == wanted {
			return true
		}
	}
	return false
}
