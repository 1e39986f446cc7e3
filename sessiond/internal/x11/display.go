// Package x11 watches one X display: it counts the input of its devices through
// XInput2's raw events, follows which window has the focus and under which
// title, and asks how long the user had been idle. It alone speaks X.
//
// It speaks it through xgb, which sits behind a filter (conn): XInput2's events
// are counted in front of it, and it gets only what it waits for, checked.
//
// Nothing is polled. Everything happens in Drain, which the caller calls when
// the display's descriptor has become readable; a key's code is at most in the
// buffer that Drain reads into and overwrites before it returns.
package x11

import (
	"encoding/binary"
	"errors"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// maxRounds bounds how often one Drain looks again at what changed while it was
// asking. A client that changes things all the time is looked at again by the
// next Drain.
const maxRounds = 4

// ErrNoXInput reports that the display cannot distinguish input by device.
var ErrNoXInput = errors.New("the X server has no XInput 2.1 (any since 2012 has)")

// Options are what to watch, and where the results go.
type Options struct {
	// Display is the display's number.
	Display int
	// Authority is where the cookie is.
	Authority Authority
	// Titles is whether window titles are read at all.
	Titles bool
	// NoInput is set to count no input at all, only focus.
	NoInput bool
	// NeedWM is set to count nothing while no window manager runs: a display
	// without one is a program's.
	NeedWM bool
	// Now is the clock of all instants.
	Now func() counting.Instant
	// IdleAfter is how long after an input the user still counts as active.
	IdleAfter counting.Instant
	// LetIn, if set, is called once the server has let this client in: before
	// anything is read that other clients wrote. Its error ends opening.
	LetIn func() error
}

// Display is an open connection to an X server.
type Display struct {
	// Activity, Input and Focus hold what was counted.
	Activity *counting.Activity
	Input    *counting.Input
	Focus    *counting.Focus

	c    *conn
	keys strokes
	// releases is set once the releases of keys are asked for.
	releases bool
	opts     Options
	root     xproto.Window
	xinput   byte // opcodes of the extensions
	sync     byte // 0: there is none
	xres     byte // X-Resource; 0: there is none that knows processes
	atoms    atoms
	clock    serverClock
	news     bool // a count or the window changed since Drain began
	devices  bool // the list of devices changed
	watch    watch
	saver    saver
}

// serverClock turns the server's times into instants.
type serverClock struct {
	known        bool
	offset       counting.Instant // what to add to the server's milliseconds
	lower, upper counting.Instant // what is being drained happened in between
}

// instant places a server time within what is being drained; one from outside
// counts as its nearest end.
func (k *serverClock) instant(ms uint32) counting.Instant {
	if !k.known {
		return k.upper
	}
	ago := int32(uint32(k.upper-k.offset) - ms)
	return min(max(k.upper-counting.Instant(ago), k.lower), k.upper)
}

// Open connects to the display and starts watching it.
func Open(o Options) (*Display, error) {
	key := o.Authority.cookie(o.Display)
	d, err := open(o, key)
	if errors.Is(err, ErrRefused) && key != (cookie{}) {
		return open(o, cookie{}) // an old cookie must not keep out who needs none
	}
	return d, err
}

func open(o Options, key cookie) (*Display, error) {
	fd, err := dial(o.Display)
	if err != nil {
		return nil, err
	}
	d := &Display{opts: o, Focus: &counting.Focus{}}
	d.c = newConn(fd, d.rawEvent, d.event)
	if err := d.start(key); err != nil {
		d.c.close()
		return nil, err
	}
	return d, nil
}

func (d *Display) start(key cookie) error {
	s, err := d.c.setup(key)
	if err != nil {
		return &OpenError{"greeting the X server", err}
	}
	if d.opts.LetIn != nil {
		if err := d.opts.LetIn(); err != nil {
			return &OpenError{"giving up what is needed no longer", err}
		}
	}
	d.root = s.root
	d.Activity = counting.NewActivity(d.opts.IdleAfter, d.opts.Now())
	d.Focus.Activity = d.Activity
	d.Input = counting.NewInput(d.Activity)
	d.keys.in = d.Input
	d.Input.Screen = counting.Size{W: float64(s.width), H: float64(s.height)}
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		{"looking for extensions", d.findExtensions},
		{"looking for X-Resource", d.findResource},
		{"looking for the screen saver", d.findSaver},
		{"interning atoms", d.internAtoms},
		{"selecting input", d.selectInput},
		{"listing devices", d.queryDevices},
		{"reading idle counters", d.readIdle},
		{"placing the pointer", d.placePointer},
	} {
		if err := step.do(); err != nil {
			return &OpenError{step.doing, err}
		}
	}
	d.watch.wmChanged, d.watch.activeChanged = true, true
	if _, _, err := d.Drain(d.opts.Now()); err != nil {
		return &OpenError{"reading the active window", err}
	}
	if d.opts.NeedWM && d.watch.wm == 0 {
		d.Activity.Leave(d.clock.upper)
	}
	return nil
}

// FD is the descriptor that becomes readable when Drain has something to do.
func (d *Display) FD() int { return d.c.fd }

// Close ends the connection.
func (d *Display) Close() { d.c.close() }

// Fill sets the counters, the idle time and the focus times as of an instant.
func (d *Display) Fill(r *wire.Report, at counting.Instant) {
	d.Activity.Advance(at)
	r.Counters = d.Input.Counters()
	r.Counters.ActiveMS = d.Activity.ActiveMS()
	r.IdleMS = d.Activity.IdleMS(at)
	if d.opts.NoInput {
		r.Counters, r.IdleMS = wire.Counters{}, wire.IdleUnknown
	}
	r.Focus = d.Focus.Snapshot(r.Focus, at)
	for i := range r.Focus {
		if d.opts.NoInput {
			r.Focus[i].ActiveMS = 0 // nobody works at a locked screen
		}
	}
	r.Locked = d.saver.locked
	r.Trouble = wire.TroubleNone
	if d.watch.wm == 0 {
		r.Trouble = wire.TroubleNoWindowManager
	}
}

// SetTitles sets what may be reported of titles.
func (d *Display) SetTitles(retitle counting.Retitle) { d.Focus.SetTitles(retitle) }

// Restart starts an interval's focus times anew.
func (d *Display) Restart(at counting.Instant) { d.Focus.Restart(at) }

// Garbage is about how many bytes were allocated and left since the last call:
// what the caller may want to collect.
func (d *Display) Garbage() int {
	n := d.c.garbage
	d.c.garbage = 0
	return n
}

// Drain takes in everything that has happened, up to an instant. got means that
// something had arrived, so that more may be on its way; news that a count or
// the window changed. What was read before an error is counted.
func (d *Display) Drain(until counting.Instant) (got, news bool, err error) {
	d.c.got, d.news = false, false
	d.clock.upper = max(min(d.opts.Now(), until), d.clock.lower)
	err = d.c.drain()
	d.keys.settle(d.clock.upper)
	for range maxRounds {
		if err != nil || !d.unsettled() {
			break
		}
		err = d.settle()
		d.keys.settle(d.clock.upper)
	}
	if err != nil && d.Input.CommitBlind() {
		d.news = true
	}
	d.clock.lower = d.clock.upper
	d.c.wipe()
	return d.c.got || d.unsettled(), d.news, err
}

func (d *Display) unsettled() bool {
	w := &d.watch
	return d.devices || d.Input.Pending() || w.wmChanged || w.activeChanged || w.windowChanged
}

// settle asks for what the events that came in leave open, and books them.
func (d *Display) settle() error {
	if d.devices || d.Input.HasUnknown() {
		d.devices = false
		if err := d.queryDevices(); err != nil {
			return err
		}
	}
	pointer, known := d.Input.Where()
	if !known {
		var err error
		if pointer, err = d.queryPointer(); err != nil {
			return err
		}
	}
	if d.Input.Commit(pointer) {
		d.news = true
		d.watch.lookAgain(d.clock.upper)
	}
	return d.follow()
}

// rawEvent takes one of XInput2's events and counts it, or one of the screen
// saver's.
func (d *Display) rawEvent(b []byte) {
	if b[0] != kindGeneric {
		d.news = d.saver.notify(b) || d.news
		return
	}
	if b[1] == d.xinput && d.counts(b) {
		at := d.clock.instant(binary.LittleEndian.Uint32(b[rawTimeAt:]))
		d.devices = countRaw(&d.keys, b, at) || d.devices
	}
}

// counts reports whether an event of XInput2's is taken in: the list of devices is
// always followed.
func (d *Display) counts(b []byte) bool {
	return isHierarchy(b) || !d.opts.NoInput && (!d.opts.NeedWM || d.watch.wm != 0)
}

// event takes one event of the core protocol, and notes what has to be asked
// for. It must not ask itself, since it is called amid waiting for answers.
func (d *Display) event(e xgb.Event) {
	switch e := e.(type) {
	case xproto.PropertyNotifyEvent:
		d.propertyChanged(e.Window, e.Atom, d.clock.instant(uint32(e.Time)))
	case xproto.DestroyNotifyEvent:
		d.destroyed(e.Window, d.clock.upper)
	case xproto.ConfigureNotifyEvent:
		if e.Window == d.root {
			d.Input.Screen = counting.Size{W: float64(e.Width), H: float64(e.Height)}
		}
	}
}
