package seat

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	evdev "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"
)

// about is what a device can do, as the kernel has it.
type about struct {
	name    string
	virtual bool // a program made it
	hands   bool // it counts as moved by a hand
	types   bool // it has letters
	presses bool // it has any key or button
	moves   bool // it points
	surface bool // it reports places
	// needsTouch is set when places count while something is on the surface.
	needsTouch bool
	// tapClicks is set when touching is pressing a button: a screen or a pen does
	// that. On a touchpad the desktop decides, unseen.
	tapClicks bool
	x, y      float64 // where it is
}

// counts reports whether there is anything to count.
func (a *about) counts() bool { return a.presses || a.moves }

// probe asks a device what it can do, through a descriptor of its own.
func probe(path string) (about, error) {
	in, err := evdev.OpenWithFlags(path, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return about{}, fmt.Errorf("ask a device what it can do: %w", err)
	}
	defer func() { _ = in.Close() }() // nothing was written
	id, err := in.InputID()
	if err != nil {
		return about{}, fmt.Errorf("ask a device what it is: %w", err)
	}
	name, err := in.Name()
	if err != nil {
		return about{}, fmt.Errorf("ask a device's name: %w", err)
	}
	a := describe(abilities{
		keys: in.CapableEvents(evdev.EV_KEY), rel: in.CapableEvents(evdev.EV_REL),
		abs: in.CapableEvents(evdev.EV_ABS), props: in.Properties(),
	})
	a.name, a.virtual = name, id.BusType == evdev.BUS_VIRTUAL
	if a.surface {
		if infos, err := in.AbsInfos(); err == nil {
			a.x, a.y = float64(infos[evdev.ABS_X].Value), float64(infos[evdev.ABS_Y].Value)
		}
	}
	return a, nil
}

// abilities are the events that a device can send.
type abilities struct {
	keys, rel, abs []evdev.EvCode
	props          []evdev.EvProp
}

// describe makes of abilities what counts. Places of a joystick or a sensor, which
// neither touch nor point, are left alone.
func describe(c abilities) about {
	key := func(code evdev.EvCode) bool { return slices.Contains(c.keys, code) }
	prop := func(p evdev.EvProp) bool { return slices.Contains(c.props, p) }
	a := about{types: key(evdev.KEY_A) && key(evdev.KEY_Z)}
	a.presses = slices.ContainsFunc(c.keys, func(code evdev.EvCode) bool {
		k := kindOf(code)
		return k == keyKind || k == clickKind || k == touchKind
	})
	touch, finger := key(evdev.BTN_TOUCH), key(evdev.BTN_TOOL_FINGER)
	pen := key(evdev.BTN_TOOL_PEN) || key(evdev.BTN_STYLUS)
	flat := slices.Contains(c.abs, evdev.ABS_X) && slices.Contains(c.abs, evdev.ABS_Y)
	a.surface = flat && (touch || pen || key(evdev.BTN_LEFT)) && !prop(evdev.INPUT_PROP_ACCELEROMETER)
	a.needsTouch = a.surface && (touch || pen)
	a.tapClicks = touch && (prop(evdev.INPUT_PROP_DIRECT) || pen || !finger)
	a.moves = a.surface || slices.Contains(c.rel, evdev.REL_X) && slices.Contains(c.rel, evdev.REL_Y)
	return a
}

// The requests to a device for which go-evdev has no call.
const (
	setMask  = 0x40104593 // EVIOCSMASK
	setClock = 0x400445a0 // EVIOCSCLOCKID
)

// selectEvents has the kernel keep back what is not counted, so that its buffer
// lasts longer, and take times from the monotonic clock. A kernel that refuses only
// makes work: what is not counted is skipped, and times are those of reading.
func selectEvents(fd int) {
	mask(fd, evdev.EV_SYN, evdev.EV_SYN, evdev.EV_KEY, evdev.EV_REL, evdev.EV_ABS)
	mask(fd, evdev.EV_REL, evdev.REL_X, evdev.REL_Y, evdev.REL_WHEEL, evdev.REL_HWHEEL)
	mask(fd, evdev.EV_ABS, evdev.ABS_X, evdev.ABS_Y)
	_ = unix.IoctlSetPointerInt(fd, setClock, unix.CLOCK_MONOTONIC)
}

// mask lets only some codes of a kind of event through; EV_SYN stands for the
// kinds themselves.
func mask(fd int, kind uint32, codes ...evdev.EvCode) {
	var bits [8]byte // all kinds, and all axes, are below 64
	for _, c := range codes {
		bits[c/8] |= 1 << (c % 8)
	}
	m := evdev.InputMask{
		Type: kind, CodesSize: uint32(len(bits)),
		CodesPtr: uint64(uintptr(unsafe.Pointer(&bits))), //nolint:gosec // alive until the call returns
	}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), setMask, uintptr(unsafe.Pointer(&m))) //nolint:gosec // see above
	runtime.KeepAlive(&bits)
}
