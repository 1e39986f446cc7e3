package x11

import (
	"encoding/binary"
	"strconv"
	"strings"

	"activity-tracker.example/sessiond/internal/counting"
)

// Requests of the core protocol, by their opcode.
const (
	opChangeWindow   = 2
	opInternAtom     = 16
	opGetProperty    = 20
	opQueryPointer   = 38
	opQueryExtension = 98
)

// SYNC requests, by their minor opcode.
const (
	syncInitialize   = 0
	syncListCounters = 1
	syncQueryCounter = 5
)

// Names of SYNC's counters.
const (
	serverTimeCounter = "SERVERTIME"
	deviceIdlePrefix  = "DEVICEIDLETIME "
)

// findExtensions learns the opcodes of XInput2, which must be there, and SYNC,
// without which idle time starts at zero.
func (d *Display) findExtensions() error {
	x, s := d.queryExtension("XInputExtension"), d.queryExtension("SYNC")
	var err error
	if d.xinput, err = d.extension(x); err != nil {
		return err
	}
	if d.sync, err = d.extension(s); err != nil {
		return err
	}
	if d.xinput == 0 {
		return ErrNoXInput
	}
	reply, err := d.c.reply(d.c.request(d.xinput, xiQueryVersion, pair(xiMajor, xiMinor)))
	if err != nil {
		return err
	}
	if reply == nil {
		return ErrNoXInput
	}
	major, minor := binary.NativeEndian.Uint16(reply[8:]), binary.NativeEndian.Uint16(reply[10:])
	if major < xiMajor || major == xiMajor && minor < xiMinor {
		return ErrNoXInput
	}
	return nil
}

func (d *Display) queryExtension(name string) uint16 {
	return d.c.requestBytes(opQueryExtension, 0, []byte(name), pair(uint16(len(name)), 0))
}

func (d *Display) extension(seq uint16) (opcode byte, err error) {
	reply, err := d.c.reply(seq)
	if reply == nil || reply[8] == 0 {
		return 0, err
	}
	return reply[9], nil
}

// pair packs two 16-bit fields into a word in the order in which they stand.
func pair(first, second uint16) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint16(b[:], first)
	binary.NativeEndian.PutUint16(b[2:], second)
	return binary.NativeEndian.Uint32(b[:])
}

// selectInput asks for raw presses and motion, for changes of the list of
// devices, and for the root window's properties and size.
func (d *Display) selectInput() error {
	mask := func(device uint16, events ...uint) []uint32 {
		const maskWords = 1
		var b [4]byte
		for _, e := range events {
			b[e/8] |= 1 << (e % 8)
		}
		return []uint32{pair(device, maskWords), binary.NativeEndian.Uint32(b[:])}
	}
	body := []uint32{d.root, pair(2, 0)}
	body = append(body, mask(xiAllDevices, xiHierarchyChanged)...)
	body = append(body, mask(xiAllMasterDevices, xiRawKeyPress, xiRawButtonPress, xiRawMotion)...)
	d.c.request(d.xinput, xiSelectEvents, body...)
	d.selectWindow(d.root, windowEvents)
	return nil
}

// selectWindow chooses which events of a window come to this client alone. A
// window that has died meanwhile answers with an error, which is passed by.
func (d *Display) selectWindow(window, events uint32) {
	const eventMask = 1 << 11
	d.c.request(opChangeWindow, 0, window, eventMask, events)
}

func (d *Display) queryDevices() error {
	reply, err := d.c.reply(d.c.request(d.xinput, xiQueryDevice, pair(xiAllDevices, 0)))
	if err != nil {
		return err
	}
	if reply == nil {
		return ErrNonsense
	}
	devices, err := parseDevices(reply)
	if err != nil {
		return err
	}
	d.Input.SetDevices(devices)
	return nil
}

func (d *Display) placePointer() error {
	at, err := d.queryPointer()
	d.Input.Place(at)
	return err
}

func (d *Display) queryPointer() (counting.Point, error) {
	reply, err := d.c.reply(d.c.request(opQueryPointer, 0, d.root))
	if err != nil {
		return counting.Point{}, err
	}
	if reply == nil {
		return counting.Point{}, ErrNonsense
	}
	return counting.Point{
		X: float64(int16(binary.NativeEndian.Uint16(reply[16:]))),
		Y: float64(int16(binary.NativeEndian.Uint16(reply[18:]))),
	}, nil
}

// readIdle learns how long the real devices have been idle, and how the
// server's clock stands to ours. The counters of single devices are used, since
// the server's own idle time is reset by any program that moves the pointer.
func (d *Display) readIdle() error {
	if d.sync == 0 {
		return nil
	}
	const version = 3<<0 | 0<<8
	initialised := d.c.request(d.sync, syncInitialize, pair(version, 0))
	list := d.c.request(d.sync, syncListCounters)
	if reply, err := d.c.reply(initialised); reply == nil {
		return err
	}
	reply, err := d.c.reply(list)
	if reply == nil {
		return err
	}
	var idle counting.Instant = -1
	for name, counter := range parseCounters(reply) {
		id, isDevice := strings.CutPrefix(name, deviceIdlePrefix)
		if !isDevice && name != serverTimeCounter {
			continue
		}
		if isDevice && !d.isReal(id) {
			continue
		}
		before := d.opts.Now()
		value, ok, err := d.queryCounter(counter)
		if err != nil {
			return err
		}
		switch {
		case !ok:
		case !isDevice:
			d.clock.offset, d.clock.known = (before+d.opts.Now())/2-counting.Instant(value), true
		case value >= 0 && (idle < 0 || counting.Instant(value) < idle):
			idle = counting.Instant(value)
		}
	}
	d.Activity.StartIdle(max(idle, 0))
	return nil
}

func (d *Display) isReal(id string) bool {
	n, err := strconv.ParseUint(id, 10, 16)
	device := d.Input.Device(uint16(n))
	return err == nil && device != nil && device.Kind == counting.RealDevice
}

func (d *Display) queryCounter(counter uint32) (value int64, ok bool, err error) {
	reply, err := d.c.reply(d.c.request(d.sync, syncQueryCounter, counter))
	if reply == nil {
		return 0, false, err
	}
	high, low := binary.NativeEndian.Uint32(reply[8:]), binary.NativeEndian.Uint32(reply[12:])
	return int64(high)<<32 | int64(low), true, nil
}

// parseCounters reads the answer to ListSystemCounters, as far as it makes
// sense.
func parseCounters(reply []byte) map[string]uint32 {
	const fixed = 14 // counter, resolution and length of the name
	counters := map[string]uint32{}
	count := binary.NativeEndian.Uint32(reply[8:])
	b := reply[headerBytes:]
	for ; count > 0 && len(b) >= fixed; count-- {
		name := int(binary.NativeEndian.Uint16(b[12:]))
		whole := (fixed + name + 3) / 4 * 4
		if whole > len(b) {
			break
		}
		counters[string(b[fixed:fixed+name])] = binary.NativeEndian.Uint32(b)
		b = b[whole:]
	}
	return counters
}
