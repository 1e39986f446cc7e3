package x11

import (
	"bytes"
	"encoding/binary"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

const (
	// windowEvents are PropertyNotify and StructureNotify: titles, and the
	// window's end.
	windowEvents = 1<<22 | 1<<17
	// maxPropertyWords is how much of a text property is asked for, in units of
	// four bytes: as much of a title as is ever sent.
	maxPropertyWords = wire.MaxTitleBytes / 4
)

// atoms are the names that this package uses, as the server numbers them.
type atoms struct {
	activeWindow, wmCheck, netWMName, utf8String, compoundText uint32
}

// Atoms that every server numbers alike.
const (
	atomString  = 31
	atomWindow  = 33
	atomWMName  = 39
	atomWMClass = 67
)

func (d *Display) internAtoms() error {
	wanted := []struct {
		name string
		atom *uint32
		seq  uint16
	}{
		{"_NET_ACTIVE_WINDOW", &d.atoms.activeWindow, 0},
		{"_NET_SUPPORTING_WM_CHECK", &d.atoms.wmCheck, 0},
		{"_NET_WM_NAME", &d.atoms.netWMName, 0},
		{"UTF8_STRING", &d.atoms.utf8String, 0},
		{"COMPOUND_TEXT", &d.atoms.compoundText, 0},
	}
	for i := range wanted {
		w := &wanted[i]
		w.seq = d.c.requestBytes(opInternAtom, 0, []byte(w.name), pair(uint16(len(w.name)), 0))
	}
	for _, w := range wanted {
		reply, err := d.c.reply(w.seq)
		if err != nil {
			return err
		}
		if reply == nil {
			return ErrNonsense
		}
		*w.atom = binary.NativeEndian.Uint32(reply[8:])
	}
	return nil
}

// watch follows which window has the focus.
//
// Only a window manager knows that, so without one no time is attributed:
// falling back to X's input focus would need a look at every window of every
// program, and shows windows that no person calls theirs.
type watch struct {
	wm     uint32 // the window manager's check window; 0 without one
	active uint32 // the active window; 0 for none

	wmChanged, activeChanged, windowChanged bool
	activeAt, windowAt                      counting.Instant
}

func (d *Display) propertyChanged(window, atom uint32, at counting.Instant) {
	w := &d.watch
	switch {
	case window == d.root && atom == d.atoms.wmCheck:
		w.wmChanged, w.activeAt = true, at
	case window == d.root && atom == d.atoms.activeWindow:
		w.activeChanged, w.activeAt = true, at
	case window != 0 && window == w.active && atom == atomWMClass,
		window != 0 && window == w.active && d.opts.Titles && (atom == d.atoms.netWMName || atom == atomWMName):
		w.windowChanged, w.windowAt = true, at
	}
}

// destroyed notes that a window died: the window manager's, after which
// _NET_ACTIVE_WINDOW stays as it was, or the active one.
func (d *Display) destroyed(window uint32, at counting.Instant) {
	w := &d.watch
	if window != 0 && window == w.wm {
		w.wmChanged, w.activeAt = true, at
	}
	if window != 0 && window == w.active {
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

// findWM looks for a living window manager: it keeps a window that names itself
// in the property by which the root window names it.
func (d *Display) findWM() error {
	d.watch.wm = 0
	named, err := d.windowProperty(d.root, d.atoms.wmCheck)
	if named == 0 || err != nil {
		return err
	}
	d.selectWindow(named, windowEvents) // first, so that its death from here on is told
	itself, err := d.windowProperty(named, d.atoms.wmCheck)
	if err == nil && itself == named {
		d.watch.wm = named
	}
	return err
}

func (d *Display) findActive() error {
	w := &d.watch
	var active uint32
	if w.wm != 0 {
		var err error
		if active, err = d.windowProperty(d.root, d.atoms.activeWindow); err != nil {
			return err
		}
	}
	if active == d.root {
		active = 0 // some window managers say so for none
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
	class := d.getProperty(w.active, atomWMClass)
	var netName, name uint16
	if d.opts.Titles {
		netName, name = d.getProperty(w.active, d.atoms.netWMName), d.getProperty(w.active, atomWMName)
	}
	reply, err := d.c.reply(class)
	if err != nil {
		return err
	}
	if reply == nil {
		w.active = 0
		d.focus(counting.Window{})
		return nil
	}
	found := counting.Window{App: d.appName(reply)}
	if d.opts.Titles {
		for _, seq := range []uint16{netName, name} {
			if reply, err = d.c.reply(seq); err != nil {
				return err
			}
			if reply != nil && found.Title == "" {
				found.Title = d.text(reply, wire.MaxTitleBytes)
			}
		}
	}
	d.focus(found)
	return nil
}

func (d *Display) focus(on counting.Window) {
	if d.Focus.Switch(on, d.watch.windowAt) {
		d.news = true
		d.textRead += len(on.App) + len(on.Title)
	}
}

// appName is the class in WM_CLASS (instance and class, each ended by a NUL),
// or else the instance.
func (d *Display) appName(reply []byte) string {
	value := propertyBytes(reply)
	instance, rest, _ := bytes.Cut(value, []byte{0})
	class, _, _ := bytes.Cut(rest, []byte{0})
	for _, b := range [][]byte{class, instance} {
		if name := cleanText(b, latin1Text, wire.MaxAppBytes); name != "" {
			return name
		}
	}
	return wire.UnknownApp
}

// text reads a text property of one of the types that titles have; of any
// other it is empty.
func (d *Display) text(reply []byte, limit int) string {
	value := propertyBytes(reply)
	switch binary.NativeEndian.Uint32(reply[8:]) {
	case d.atoms.utf8String:
		return cleanText(value, utf8Text, limit)
	case atomString:
		return cleanText(value, latin1Text, limit)
	case d.atoms.compoundText:
		return cleanText(value, compoundText, limit)
	}
	return ""
}

// getProperty asks for a property of any type, so that its type can be checked.
func (d *Display) getProperty(window, atom uint32) uint16 {
	const anyType, fromStart = 0, 0
	return d.c.request(opGetProperty, 0, window, atom, anyType, fromStart, maxPropertyWords)
}

// propertyBytes is the value of a property of bytes, as far as it was sent.
func propertyBytes(reply []byte) []byte {
	const formatBytes = 8
	if reply[1] != formatBytes {
		return nil
	}
	value := reply[headerBytes:]
	value = value[:min(int(binary.NativeEndian.Uint32(reply[16:])), len(value))]
	if more := binary.NativeEndian.Uint32(reply[12:]); more > 0 {
		return wholeRunes(value)
	}
	return value
}

// windowProperty reads a property that holds one window; 0 if there is none.
func (d *Display) windowProperty(window, atom uint32) (uint32, error) {
	reply, err := d.c.reply(d.getProperty(window, atom))
	const formatWords = 32
	if err != nil || reply == nil || reply[1] != formatWords || len(reply) < headerBytes+4 ||
		binary.NativeEndian.Uint32(reply[8:]) != atomWindow || binary.NativeEndian.Uint32(reply[16:]) == 0 {
		return 0, err
	}
	return binary.NativeEndian.Uint32(reply[headerBytes:]), nil
}
