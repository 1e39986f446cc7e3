package seat

import (
	"math"

	evdev "github.com/holoplot/go-evdev"

	"activity-tracker.example/sessiond/internal/counting"
)

// Values of an EV_KEY event. 2 is a repeat by the kernel: no hand did it.
const (
	released = 0
	pressed  = 1
)

// maxSteps bounds the wheel's steps of one event; no wheel turns faster.
const maxSteps = 100

// kind is all that is kept of the code of a key or button.
type kind uint8

const (
	noKind  kind = iota
	keyKind      // of a keyboard
	clickKind
	touchKind   // something touches the surface
	fingersKind // several fingers are on it
	penKind     // a pen is near it
)

// tally is what one device did in one batch.
type tally struct {
	keys, clicks, scroll uint64
	distance             float64
	touched              bool // a hand did something, from first to last
	first, last          counting.Instant
}

func (t *tally) any() bool { return t.touched }

func (t *tally) touch(at counting.Instant) {
	if !t.touched {
		t.touched, t.first = true, at
	}
	t.last = at
}

// hold is what is on or near a surface, and where it was.
type hold struct {
	x, y         float64 // now
	fromX, fromY float64 // at the end of the last packet
	touch, pen   bool
	fingers      bool // several: they scroll or zoom, and move no pointer
	held         bool // at the end of the last packet
	moved        bool
}

// motion is what a relative device moved in a packet.
type motion struct{ dx, dy float64 }

// count counts one event. A key's code is looked at in one line, and only what
// kind of key it is leaves that line.
func (d *device) count(e *evdev.InputEvent, at counting.Instant) {
	switch e.Type {
	case evdev.EV_KEY:
		d.press(kindOf(e.Code), e.Value, at)
	case evdev.EV_REL:
		d.roll(e.Code, float64(e.Value), at)
	case evdev.EV_ABS:
		d.place(e.Code, float64(e.Value))
	case evdev.EV_SYN:
		d.sync(e.Code, at)
	}
}

// kindOf sorts the codes of keys and buttons. Tools and touches are states of a
// surface; buttons of joysticks are nobody's work, nor are those for power and sleep, of
// which Linux presses one itself whenever the machine wakes.
func kindOf(code evdev.EvCode) kind {
	switch {
	case code == evdev.KEY_RESERVED, code == evdev.KEY_POWER, code == evdev.KEY_SLEEP, code == evdev.KEY_WAKEUP:
		return noKind
	case code < evdev.BTN_MISC:
		return keyKind
	case code < evdev.BTN_JOYSTICK:
		return clickKind
	case code == evdev.BTN_TOUCH:
		return touchKind
	case code == evdev.BTN_STYLUS, code == evdev.BTN_STYLUS2, code == evdev.BTN_STYLUS3:
		return clickKind
	case code == evdev.BTN_TOOL_FINGER:
		return noKind
	case code == evdev.BTN_TOOL_DOUBLETAP, code == evdev.BTN_TOOL_TRIPLETAP,
		code == evdev.BTN_TOOL_QUADTAP, code == evdev.BTN_TOOL_QUINTTAP:
		return fingersKind
	case code >= evdev.BTN_TOOL_PEN && code <= evdev.BTN_TOOL_LENS:
		return penKind
	case code < evdev.KEY_OK, code >= evdev.BTN_DPAD_UP && code <= evdev.BTN_DPAD_RIGHT,
		code >= evdev.BTN_TRIGGER_HAPPY:
		return noKind
	default:
		return keyKind
	}
}

// press takes a key or button that went down or up.
func (d *device) press(k kind, value int32, at counting.Instant) {
	if value != pressed && value != released {
		return
	}
	down := value == pressed
	switch k {
	case noKind:
		return
	case keyKind, clickKind:
	case touchKind:
		d.hold.touch = down
	case fingersKind:
		d.hold.fingers = down
	case penKind:
		d.hold.pen = down
	}
	if !down {
		return
	}
	d.tally.touch(at)
	switch {
	case k == keyKind:
		d.tally.keys++
	case k == clickKind, k == touchKind && d.about.tapClicks:
		d.tally.clicks++
	}
}

// roll takes a movement. The fine steps of a wheel come beside its whole ones and
// are left out.
func (d *device) roll(axis evdev.EvCode, by float64, at counting.Instant) {
	switch axis {
	case evdev.REL_X:
		d.motion.dx += by
	case evdev.REL_Y:
		d.motion.dy += by
	case evdev.REL_WHEEL, evdev.REL_HWHEEL:
		d.tally.scroll += uint64(min(math.Abs(by), maxSteps))
	default:
		return
	}
	d.tally.touch(at)
}

// place takes a place on a surface.
func (d *device) place(axis evdev.EvCode, value float64) {
	switch axis {
	case evdev.ABS_X:
		d.hold.x, d.hold.moved = value, true
	case evdev.ABS_Y:
		d.hold.y, d.hold.moved = value, true
	}
}

// sync ends a packet: movements on both axes are one way.
func (d *device) sync(code evdev.EvCode, at counting.Instant) {
	switch code {
	case evdev.SYN_DROPPED:
		// The kernel's buffer was full: how far the way went is unknown.
		d.motion, d.hold.held = motion{}, false
	case evdev.SYN_REPORT:
		d.tally.distance += math.Hypot(d.motion.dx, d.motion.dy)
		d.motion = motion{}
		if d.about.surface {
			d.travel(at)
		}
	}
}

// travel adds what moved over the surface, where one thing stayed on it.
func (d *device) travel(at counting.Instant) {
	h := &d.hold
	held := !d.about.needsTouch || h.pen || h.touch && !h.fingers
	if h.moved && (held || h.touch) {
		d.tally.touch(at)
	}
	if held && h.held {
		d.tally.distance += math.Hypot(h.x-h.fromX, h.y-h.fromY)
	}
	h.fromX, h.fromY, h.held, h.moved = h.x, h.y, held, false
}
