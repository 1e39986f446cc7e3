package x11

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/counting"
)

// SYNC requests, for which xgb has no package, by their minor opcode.
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
	var err error
	if d.xinput, err = d.extension("XInputExtension"); err != nil {
		return err
	}
	if d.sync, err = d.extension("SYNC"); err != nil {
		return err
	}
	if d.xinput == 0 {
		return ErrNoXInput
	}
	reply, err := d.c.reply(d.c.ask(request(d.xinput, xiQueryVersion, nil, pair(xiMajor, xiMinor))))
	if err != nil {
		return err
	}
	if reply == nil {
		return ErrNoXInput
	}
	major, minor := binary.LittleEndian.Uint16(reply[8:]), binary.LittleEndian.Uint16(reply[10:])
	if major < xiMajor || major == xiMajor && minor < xiMinor {
		return ErrNoXInput
	}
	return nil
}

func (d *Display) extension(name string) (opcode byte, err error) {
	asked := xproto.QueryExtension(d.c.x, uint16(len(name)), name)
	d.c.owe(asked.Cookie, nil)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	if reply == nil || !reply.Present {
		return 0, err
	}
	return reply.MajorOpcode, nil
}

// pair packs two 16-bit fields into a word in the order in which they stand.
func pair(first, second uint16) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint16(b[:], first)
	binary.LittleEndian.PutUint16(b[2:], second)
	return binary.LittleEndian.Uint32(b[:])
}

// selectInput asks for raw presses and motion, for changes of the list of
// devices, and for the root window's properties and size.
func (d *Display) selectInput() error {
	d.selectRaw(xiRawKeyPress, xiRawButtonPress, xiRawMotion)
	d.selectWindow(d.root, windowEvents)
	return nil
}

// selectRaw chooses the raw events that come.
func (d *Display) selectRaw(events ...uint) {
	mask := func(device uint16, events ...uint) []uint32 {
		const maskWords = 1
		var b [4]byte
		for _, e := range events {
			b[e/8] |= 1 << (e % 8)
		}
		return []uint32{pair(device, maskWords), binary.LittleEndian.Uint32(b[:])}
	}
	body := []uint32{uint32(d.root), pair(2, 0)}
	body = append(body, mask(xiAllDevices, xiHierarchyChanged)...)
	body = append(body, mask(xiAllMasterDevices, events...)...)
	d.c.send(request(d.xinput, xiSelectEvents, nil, body...))
}

// selectWindow chooses which events of a window come to this client alone. A
// window that has died meanwhile answers with an error, which is passed by.
func (d *Display) selectWindow(window xproto.Window, events uint32) {
	d.c.garbage += requestGarbage
	xproto.ChangeWindowAttributes(d.c.x, window, xproto.CwEventMask, []uint32{events})
}

func (d *Display) queryDevices() error {
	reply, err := d.c.reply(d.c.ask(request(d.xinput, xiQueryDevice, nil, pair(xiAllDevices, 0))))
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
	d.selectReleases(devices)
	return nil
}

// selectReleases asks for the releases of keys too, once there is a keyboard whose
// strokes they show: they wake the helper as often as presses do.
func (d *Display) selectReleases(devices map[uint16]*counting.Device) {
	for _, device := range devices {
		if device.Strokes != counting.ByPress && !d.releases {
			d.releases = true
			d.selectRaw(xiRawKeyPress, xiRawKeyRelease, xiRawButtonPress, xiRawMotion)
		}
	}
}

func (d *Display) placePointer() error {
	at, err := d.queryPointer()
	d.Input.Place(at)
	return err
}

func (d *Display) queryPointer() (counting.Point, error) {
	asked := xproto.QueryPointer(d.c.x, d.root)
	d.c.owe(asked.Cookie, nil)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	if err != nil {
		return counting.Point{}, err
	}
	if reply == nil {
		return counting.Point{}, ErrNonsense
	}
	return counting.Point{X: float64(reply.RootX), Y: float64(reply.RootY)}, nil
}

// readIdle learns how long the real devices have been idle, and how the
// server's clock stands to ours. The counters of single devices are used, since
// the server's own idle time is reset by any program that moves the pointer.
func (d *Display) readIdle() error {
	if d.sync == 0 {
		return nil
	}
	const version = 3<<0 | 0<<8
	initialised := d.c.ask(request(d.sync, syncInitialize, nil, pair(version, 0)))
	list := d.c.ask(request(d.sync, syncListCounters, nil))
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
	reply, err := d.c.reply(d.c.ask(request(d.sync, syncQueryCounter, nil, counter)))
	if reply == nil {
		return 0, false, err
	}
	high, low := binary.LittleEndian.Uint32(reply[8:]), binary.LittleEndian.Uint32(reply[12:])
	return int64(high)<<32 | int64(low), true, nil
}

// parseCounters reads the answer to ListSystemCounters, as far as it makes
// sense.
func parseCounters(reply []byte) map[string]uint32 {
	const fixed = 14 // counter, resolution and length of the name
	counters := map[string]uint32{}
	count := binary.LittleEndian.Uint32(reply[8:])
	b := reply[headerBytes:]
	for ; count > 0 && len(b) >= fixed; count-- {
		name := int(binary.LittleEndian.Uint16(b[12:]))
		whole := (fixed + name + 3) / 4 * 4
		if whole > len(b) {
			break
		}
		counters[string(b[fixed:fixed+name])] = binary.LittleEndian.Uint32(b)
		b = b[whole:]
	}
	return counters
}
