package x11

import (
	"bytes"
	"encoding/binary"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

const (
	// windowEvents are PropertyNotify and StructureNotify: titles, and the
	// window's end.
	windowEvents = xproto.EventMaskPropertyChange | xproto.EventMaskStructureNotify
	// maxPropertyWords is how much of a text property is asked for, in units of
	// four bytes: as much of a title as is ever sent.
	maxPropertyWords = wire.MaxTitleBytes / 4
)

// atoms are the names that this package uses, as the server numbers them.
type atoms struct {
	activeWindow, wmCheck, netWMName, netWMPid, utf8String, compoundText xproto.Atom
}

func (d *Display) internAtoms() error {
	wanted := []struct {
		name string
		atom *xproto.Atom
		ask  xproto.InternAtomCookie
	}{
		{name: "_NET_ACTIVE_WINDOW", atom: &d.atoms.activeWindow},
		{name: "_NET_SUPPORTING_WM_CHECK", atom: &d.atoms.wmCheck},
		{name: "_NET_WM_NAME", atom: &d.atoms.netWMName},
		{name: "_NET_WM_PID", atom: &d.atoms.netWMPid},
		{name: "UTF8_STRING", atom: &d.atoms.utf8String},
		{name: "COMPOUND_TEXT", atom: &d.atoms.compoundText},
	}
	for i := range wanted {
		w := &wanted[i]
		w.ask = xproto.InternAtom(d.c.x, false, uint16(len(w.name)), w.name)
		d.c.owe(w.ask.Cookie, nil)
	}
	for _, w := range wanted {
		reply, err := answer(d.c, w.ask.Cookie, w.ask.Reply)
		if err != nil {
			return err
		}
		if reply == nil {
			return ErrNonsense
		}
		*w.atom = reply.Atom
	}
	return nil
}

// watch follows which window has the focus.
//
// Only a window manager knows that. Without one it is the window to which keys go,
// looked at whenever there was input: each report then states that there is none
// (wire.TroubleNoWindowManager), and what is in front is a guess.
type watch struct {
	wm     xproto.Window // the window manager's check window; 0 without one
	active xproto.Window // the active window; 0 for none

	wmChanged, activeChanged, windowChanged bool
	activeAt, windowAt                      counting.Instant
}

func (d *Display) propertyChanged(window xproto.Window, atom xproto.Atom, at counting.Instant) {
	w := &d.watch
	switch {
	case window == d.root && atom == d.atoms.wmCheck:
		w.wmChanged, w.activeAt = true, at
	case window == d.root && atom == d.atoms.activeWindow:
		w.activeChanged, w.activeAt = true, at
	case window != 0 && window == w.active && atom == xproto.AtomWmClass,
		window != 0 && window == w.active && d.opts.Titles && (atom == d.atoms.netWMName || atom == xproto.AtomWmName):
		w.windowChanged, w.windowAt = true, at
	}
}

// destroyed notes that a window died: the window manager's, after which
// _NET_ACTIVE_WINDOW stays as it was, or the active one.
func (d *Display) destroyed(window xproto.Window, at counting.Instant) {
	w := &d.watch
	if window != 0 && window == w.wm {
		w.wmChanged, w.activeAt = true, at
	}
	if window != 0 && window == w.active {
		w.activeChanged, w.activeAt = true, at
	}
}

// lookAgain notes that there was input, by which the window that gets it may have
// become another: no window manager reports it.
func (w *watch) lookAgain(at counting.Instant) {
	if w.wm == 0 {
		w.activeChanged, w.activeAt = true, at
	}
}

// follow asks for what changed about the active window.
func (d *Display) follow() error {
	w := &d.watch
	if w.wmChanged {
		w.wmChanged, w.activeChanged = false, true
		if err := d.findWM(); err != nil {
			return err
		}
	}
	if w.activeChanged {
		w.activeChanged = false
		if err := d.findActive(); err != nil {
			return err
		}
	}
	if w.windowChanged {
		w.windowChanged = false
		return d.readWindow()
	}
	return nil
}

// findWM looks for a living window manager, and begins or ends counting where it
// takes one.
func (d *Display) findWM() error {
	before := d.watch.wm
	if err := d.askWM(); err != nil || (before == 0) == (d.watch.wm == 0) {
		return err
	}
	d.news = true
	switch {
	case !d.opts.NeedWM:
		return nil
	case d.watch.wm == 0:
		d.Activity.Leave(d.clock.upper)
		return nil
	}
	return d.placePointer() // where it went meanwhile is no distance
}

// askWM asks for the window manager's window: it keeps one that names itself in
// the property by which the root window names it.
func (d *Display) askWM() error {
	d.watch.wm = 0
	named, err := d.windowProperty(d.root, d.atoms.wmCheck)
	if named == 0 || err != nil {
		return err
	}
	d.selectWindow(named, windowEvents) // first, so that its death from here on is reported
	itself, err := d.windowProperty(named, d.atoms.wmCheck)
	if err == nil && itself == named {
		d.watch.wm = named
	}
	return err
}

func (d *Display) findActive() error {
	w := &d.watch
	var active xproto.Window
	var err error
	switch {
	case w.wm != 0:
		active, err = d.windowProperty(d.root, d.atoms.activeWindow)
	case !d.opts.NeedWM:
		active, err = d.inputFocus()
	}
	if err != nil {
		return err
	}
	if w.wm == 0 && active == w.active && active != 0 {
		return nil // looked at again, and the same
	}
	if active == d.root {
		active = 0 // some window managers name the root for none
	}
	if active != w.active && w.active != 0 && w.active != w.wm {
		d.selectWindow(w.active, 0)
	}
	w.active = active
	w.windowAt = w.activeAt
	if active == 0 {
		w.windowChanged = false
		d.focus(counting.Window{})
		return nil
	}
	d.selectWindow(active, windowEvents)
	w.windowChanged = true
	return nil
}

// readWindow reads the active window's application and title. It may have died
// since it was named.
func (d *Display) readWindow() error {
	w := &d.watch
	class := d.getProperty(w.active, xproto.AtomWmClass)
	var names []xproto.GetPropertyCookie
	if d.opts.Titles {
		names = append(names, d.getProperty(w.active, d.atoms.netWMName), d.getProperty(w.active, xproto.AtomWmName))
	}
	reply, err := answer(d.c, class.Cookie, class.Reply)
	if err != nil {
		return err
	}
	if reply == nil {
		w.active = 0
		d.focus(counting.Window{})
		return nil
	}
	found := counting.Window{App: appName(propertyBytes(reply))}
	for _, name := range names {
		if reply, err = answer(d.c, name.Cookie, name.Reply); err != nil {
			return err
		}
		if reply != nil && found.Title == "" {
			found.Title = d.text(reply, wire.MaxTitleBytes)
		}
	}
	if found.App == "" {
		if found.App, err = d.program(w.active); err != nil {
			return err
		}
	}
	if found.App == "" {
		found.App = wire.UnknownApp
	}
	d.focus(found)
	return nil
}

func (d *Display) focus(on counting.Window) {
	if d.Focus.Switch(on, d.watch.windowAt) {
		d.news = true
		d.c.garbage += len(on.App) + len(on.Title)
	}
}

// appName returns the class in a WM_CLASS (instance and class, each ended by a
// NUL), or else the instance; empty if there is neither. An installed web
// application has its browser's class, and is known by its instance.
func appName(value []byte) string {
	instance, rest, _ := bytes.Cut(value, []byte{0})
	class, _, _ := bytes.Cut(rest, []byte{0})
	names := [...][]byte{class, instance}
	if bytes.HasPrefix(instance, []byte(webAppPrefix)) {
		names = [...][]byte{instance, class}
	}
	for _, b := range names {
		if name := cleanText(b, latin1Text, wire.MaxAppBytes); name != "" {
			return name
		}
	}
	return ""
}

// webAppPrefix begins the instance of a web application that was installed with
// Chromium, Chrome or one of their kind; its id follows.
const webAppPrefix = "crx_"

// text reads a text property of one of the types that titles have; of any
// other it is empty.
func (d *Display) text(reply *xproto.GetPropertyReply, limit int) string {
	return textOf(reply, d.atoms.utf8String, d.atoms.compoundText, limit)
}

func textOf(reply *xproto.GetPropertyReply, utf8String, compound xproto.Atom, limit int) string {
	value := propertyBytes(reply)
	switch reply.Type {
	case utf8String:
		return cleanText(value, utf8Text, limit)
	case xproto.AtomString:
		return cleanText(value, latin1Text, limit)
	case compound:
		return cleanText(value, compoundText, limit)
	}
	return ""
}

// getProperty asks for a property of any type, so that its type can be checked.
func (d *Display) getProperty(window xproto.Window, atom xproto.Atom) xproto.GetPropertyCookie {
	const leave, fromStart = false, 0
	asked := xproto.GetProperty(d.c.x, leave, window, atom, xproto.GetPropertyTypeAny, fromStart, maxPropertyWords)
	d.c.owe(asked.Cookie, isProperty)
	return asked
}

// isProperty reports whether a property's value is as long as its reply states. xgb
// takes the length for true, allocates it and reads beyond the reply's end.
func isProperty(reply []byte) bool {
	const formatAt, lengthAt, bitsPerByte = 1, 16, 8
	unit := uint64(reply[formatAt] / bitsPerByte)
	return unit*uint64(binary.LittleEndian.Uint32(reply[lengthAt:])) <= uint64(len(reply)-headerBytes)
}

// propertyBytes is the value of a property of bytes, as far as it was sent.
func propertyBytes(reply *xproto.GetPropertyReply) []byte {
	const formatBytes = 8
	if reply.Format != formatBytes {
		return nil
	}
	if reply.BytesAfter > 0 {
		return wholeRunes(reply.Value)
	}
	return reply.Value
}

// windowProperty reads a property that holds one window; 0 if there is none.
func (d *Display) windowProperty(window xproto.Window, atom xproto.Atom) (xproto.Window, error) {
	n, err := d.word(window, atom, xproto.AtomWindow)
	return xproto.Window(n), err
}

// word reads a property that holds one word of a type; 0 if there is none.
func (d *Display) word(window xproto.Window, atom, kind xproto.Atom) (uint32, error) {
	asked := d.getProperty(window, atom)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	const formatWords, wordBytes = 32, 4
	if err != nil || reply == nil || reply.Format != formatWords || reply.Type != kind || len(reply.Value) < wordBytes {
		return 0, err
	}
	return binary.LittleEndian.Uint32(reply.Value), nil
}
