package x11

import (
	"bytes"
	"encoding/binary"

	"activity-tracker.example/sessiond/internal/counting"
)

// XInput2 requests, for which xgb has no package, by their minor opcode.
const (
	xiSelectEvents = 46
	xiQueryVersion = 47
	xiQueryDevice  = 48
)

// XInput2 events, by their type.
const (
	xiHierarchyChanged = 11
	xiRawKeyPress      = 13
	xiRawKeyRelease    = 14
	xiRawButtonPress   = 15
	xiRawMotion        = 17
)

// Devices that a selection means. On all devices each raw event comes twice,
// from its device and from the device's master; on all masters it comes once.
const (
	xiAllDevices       = 0
	xiAllMasterDevices = 1
)

// xiMajor and xiMinor are the least version of XInput2, and what is asked for:
// with 2.1 raw events go on while another client grabs the keyboard or pointer,
// as menus and screen lockers do.
const xiMajor, xiMinor = 2, 1

// Layout of a raw event.
const (
	rawTypeAt       = 8
	rawTimeAt       = 12
	rawDetailAt     = 16
	rawSourceAt     = 20
	rawMaskWordsAt  = 22
	rawMaskAt       = 32
	fixedPointBytes = 8
)

// The first and last button that a wheel presses.
const wheelFirst, wheelLast = 4, 7

// countRaw counts one generic event of XInput2, and reports whether the list of
// devices changed. A button's number is compared with the wheel's and goes no
// further.
func countRaw(s *strokes, b []byte, at counting.Instant) (devicesChanged bool) {
	source := binary.LittleEndian.Uint16(b[rawSourceAt:])
	switch kind := binary.LittleEndian.Uint16(b[rawTypeAt:]); kind {
	case xiHierarchyChanged:
		return true
	case xiRawKeyPress, xiRawKeyRelease:
		countKey(s, b, source, kind == xiRawKeyPress, at)
	case xiRawButtonPress:
		button := binary.LittleEndian.Uint32(b[rawDetailAt:])
		s.in.Button(source, button >= wheelFirst && button <= wheelLast, at)
	case xiRawMotion:
		value, hasX, hasY := rawPoint(b)
		s.in.Motion(source, value, hasX, hasY, at)
	}
	return false
}

// countKey counts a press or release. A key's code stands at rawDetailAt. It is
// looked at only where the keyboard repeats held keys by presses, and only to
// compare it with that of the event next to it and with the lock keys'.
func countKey(s *strokes, b []byte, source uint16, press bool, at counting.Instant) {
	e := keyEvent{device: source, at: at}
	by := counting.ByPress
	if d := s.in.Device(source); d != nil && d.Strokes != counting.ByPress {
		by = d.Strokes
		e.ms = binary.LittleEndian.Uint32(b[rawTimeAt:])
		e.code = binary.LittleEndian.Uint32(b[rawDetailAt:])
	}
	s.event(e, press, by)
}

// isHierarchy reports whether an event means that the list of devices changed.
func isHierarchy(b []byte) bool {
	return binary.LittleEndian.Uint16(b[rawTypeAt:]) == xiHierarchyChanged
}

// rawPoint reads the first two axes' values of a raw motion event, each of which
// may be absent.
func rawPoint(b []byte) (value counting.Point, hasX, hasY bool) {
	const axisX, axisY = 1, 2
	maskBytes := 4 * int(binary.LittleEndian.Uint16(b[rawMaskWordsAt:]))
	if maskBytes == 0 || rawMaskAt+maskBytes > len(b) {
		return value, false, false
	}
	mask, values := b[rawMaskAt], b[rawMaskAt+maskBytes:]
	if mask&axisX != 0 && len(values) >= fixedPointBytes {
		value.X, hasX = fixedPoint(values), true
		values = values[fixedPointBytes:]
	}
	if mask&axisY != 0 && len(values) >= fixedPointBytes {
		value.Y, hasY = fixedPoint(values), true
	}
	return value, hasX, hasY
}

// fixedPoint reads XInput2's 32.32 numbers.
func fixedPoint(b []byte) float64 {
	whole := int32(binary.LittleEndian.Uint32(b))
	fraction := binary.LittleEndian.Uint32(b[4:])
	return float64(whole) + float64(fraction)/(1<<32)
}

// Layout of the list of devices.
const (
	deviceHeadBytes = 12
	axisClass       = 2 // a class that describes one axis
	axisClassBytes  = 44
)

// Uses of a device: slave pointers and keyboards and floating ones lie in
// between these, masters below.
const (
	slavePointer   = 3
	floatingDevice = 5
)

// parseDevices reads the answer to XIQueryDevice: every device that sends
// events of its own.
func parseDevices(reply []byte) (map[uint16]*counting.Device, error) {
	devices := map[uint16]*counting.Device{}
	count := int(binary.LittleEndian.Uint16(reply[8:]))
	b := reply[headerBytes:]
	for range count {
		if len(b) < deviceHeadBytes {
			return nil, ErrNonsense
		}
		id, use := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		classes := int(binary.LittleEndian.Uint16(b[6:]))
		nameLength := int(binary.LittleEndian.Uint16(b[8:]))
		padded := (nameLength + 3) / 4 * 4
		b = b[deviceHeadBytes:]
		if len(b) < padded {
			return nil, ErrNonsense
		}
		d := &counting.Device{Kind: kindOf(b[:nameLength])}
		d.Strokes = strokesOf(b[:nameLength])
		b = b[padded:]
		for range classes {
			class, rest, ok := cutClass(b)
			if !ok {
				return nil, ErrNonsense
			}
			readAxis(d, class)
			b = rest
		}
		if use >= slavePointer && use <= floatingDevice {
			devices[id] = d
		}
	}
	return devices, nil
}

func cutClass(b []byte) (class, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := 4 * int(binary.LittleEndian.Uint16(b[2:]))
	if n < 4 || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func readAxis(d *counting.Device, class []byte) {
	if binary.LittleEndian.Uint16(class) != axisClass || len(class) < axisClassBytes {
		return
	}
	if axis := binary.LittleEndian.Uint16(class[6:]); axis < 2 {
		d.Axes[axis] = counting.Axis{Min: fixedPoint(class[12:]), Max: fixedPoint(class[20:])}
	}
}

// strokesOf returns how the keyboard of that name shows strokes. Those that are fed
// by a client's keyboard are known by name; they are the same in all versions that
// Debian has.
func strokesOf(name []byte) counting.Strokes {
	switch string(name) {
	case "xrdpKeyboard":
		return counting.ByLoneRelease
	case "TigerVNC keyboard":
		return counting.ByRelease
	}
	return counting.ByPress
}

// kindOf returns what the device of that name is. The names of the machine's buttons are
// the kernel's.
func kindOf(name []byte) counting.DeviceKind {
	switch {
	case isXTestName(name):
		return counting.SyntheticDevice
	case string(name) == "Power Button", string(name) == "Sleep Button":
		return counting.MachineDevice
	}
	return counting.RealDevice
}

// isXTestName recognises the pair of devices that the server makes for each
// master, through which XTEST's events come.
func isXTestName(name []byte) bool {
	return bytes.HasSuffix(name, []byte(" XTEST pointer")) || bytes.HasSuffix(name, []byte(" XTEST keyboard"))
}
