package counting

import (
	"math"

	"activity-tracker.example/sessiond/wire"
)

// maxDevices bounds the devices that one batch may name: a server has some ten,
// and only a broken one names more. What else it names is dropped.
const maxDevices = 64

// DeviceKind is where a device's events come from.
type DeviceKind uint8

// The kinds of device.
const (
	// UnknownDevice is not in the server's list: asked for again, and if it is
	// already gone, counted as synthetic, since real input has to be proven.
	UnknownDevice DeviceKind = iota
	// RealDevice is moved by a hand, as far as the X server knows.
	RealDevice
	// SyntheticDevice is XTEST's.
	SyntheticDevice
	// MachineDevice is the machine's own buttons, for power and sleep. Nobody works
	// with these, and Linux presses one of them itself whenever the machine wakes.
	MachineDevice
)

// Strokes is by which of its events a keyboard shows that a key was struck.
type Strokes uint8

// The ways of keyboards. On most a held key is pressed once. A client of RDP or VNC
// sends its own repeats as presses: then a release is what each stroke has one of.
const (
	// ByPress is one stroke a press.
	ByPress Strokes = iota
	// ByRelease is one stroke a release: Xvnc's keyboard.
	ByRelease
	// ByLoneRelease is ByRelease, but for a release right before a press of the
	// same key: xorgxrdp puts one before each press.
	ByLoneRelease
)

// Device is what is known of an input device.
type Device struct {
	Kind    DeviceKind
	Axes    [2]Axis
	Strokes Strokes

	held      bool // the last that a key did was to be pressed, where that is no stroke
	mode      mode
	knowsMode bool
	trusted   int   // batches since the mode was last held against the pointer
	remainder Point // what a relative device moved beyond whole pixels
}

// tally is what one device did in one batch.
type tally struct {
	device               uint16
	keys, clicks, scroll uint64
	first, last          Instant
	track                track
}

// Input counts what devices do, in batches. Events go to a tally of their
// device, and Commit adds the batch up once every device is known and the
// pointer's place has been read.
type Input struct {
	// Screen bounds the pointer.
	Screen   Size
	devices  map[uint16]*Device
	activity *Activity
	counters wire.Counters
	distance float64
	pointer  Point
	batch    []tally
}

// NewInput counts from zero; real input is noted in activity.
func NewInput(activity *Activity) *Input {
	return &Input{devices: map[uint16]*Device{}, activity: activity}
}

// SetDevices sets which devices there are, by id. How a device that was known
// before is to be read stays known.
func (in *Input) SetDevices(devices map[uint16]*Device) {
	for id, d := range devices {
		if old := in.devices[id]; old != nil && old.Kind == d.Kind && old.Axes == d.Axes && old.Strokes == d.Strokes {
			devices[id] = old
		}
	}
	in.devices = devices
}

// Device is what is known of a device; nil if nothing is.
func (in *Input) Device(id uint16) *Device { return in.devices[id] }

// Pending reports whether there is anything to Commit.
func (in *Input) Pending() bool { return len(in.batch) > 0 }

// Key counts one stroke of a key.
func (in *Input) Key(device uint16, at Instant) {
	if t := in.tally(device, at); t != nil {
		t.keys++
	}
	if d := in.devices[device]; d != nil {
		d.held = false
	}
}

// Hold takes a press that is no stroke: the beginning of one, or a repeat. repeats
// is how many are now known to be repeats. What repeats by itself keeps nobody
// active.
func (in *Input) Hold(device uint16, repeats uint64, at Instant) {
	d := in.devices[device]
	if d == nil {
		return
	}
	if !d.held {
		d.held = true
		in.tally(device, at)
	}
	if d.Kind == RealDevice {
		in.counters.Repeats += repeats
	}
}

// Button counts one button press: a wheel's step or a click.
func (in *Input) Button(device uint16, wheel bool, at Instant) {
	t := in.tally(device, at)
	switch {
	case t == nil:
	case wheel:
		t.scroll++
	default:
		t.clicks++
	}
}

// Motion takes one raw motion event with the values of the first two axes, each
// of which may be absent.
func (in *Input) Motion(device uint16, value Point, hasX, hasY bool, at Instant) {
	t := in.tally(device, at)
	if t == nil || !hasX && !hasY {
		return
	}
	from := in.pointer
	var axes [2]Axis
	if d := in.devices[device]; d != nil {
		axes = d.Axes
		from.X += d.remainder.X
		from.Y += d.remainder.Y
	}
	t.track.step(value, hasX, hasY, from, axes, in.Screen)
}

// trustBatches is for how many batches a device that is known to send places is
// believed without asking where the pointer is: asking wakes the X server, and
// costs the helper more than all else in a batch.
const trustBatches = 64

// Where returns where the pointer is after the batch. known is false if that has
// to be asked: the batch holds motion that leaves it open.
func (in *Input) Where() (p Point, known bool) {
	p = in.pointer
	moving := 0
	for i := range in.batch {
		t := &in.batch[i]
		if !t.track.moved {
			continue
		}
		d := in.devices[t.device]
		if moving++; moving > 1 || d == nil || !d.knowsMode || d.mode == asDelta {
			return p, false
		}
		if d.trusted++; d.trusted > trustBatches {
			return p, false
		}
		p = t.track.at[d.mode]
	}
	return p, true
}

// HasUnknown reports whether the batch names a device that is not known.
func (in *Input) HasUnknown() bool {
	for i := range in.batch {
		if in.devices[in.batch[i].device] == nil {
			return true
		}
	}
	return false
}

// Place sets where the pointer is, before any motion.
func (in *Input) Place(p Point) { in.pointer = p }

// CommitBlind is Commit for when the X server can no longer report where the
// pointer is: motion counts only for devices whose mode is known.
func (in *Input) CommitBlind() bool {
	for i := range in.batch {
		t := &in.batch[i]
		if d := in.devices[t.device]; t.track.moved && d != nil && d.knowsMode {
			return in.Commit(t.track.at[d.mode])
		}
		t.track = track{}
	}
	return in.Commit(in.pointer)
}

// Commit adds the batch to the counters and starts another. pointer is where
// the pointer is after the batch: as Where knows it, or as it was asked. Commit
// reports whether there was anything to add.
func (in *Input) Commit(pointer Point) bool {
	if len(in.batch) == 0 {
		return false
	}
	moved := false
	first, last, real := Instant(0), Instant(0), false
	for i := range in.batch {
		t := &in.batch[i]
		moved = moved || t.track.moved
		d := in.devices[t.device]
		if d != nil && d.Kind == MachineDevice {
			continue
		}
		if d == nil || d.Kind != RealDevice {
			in.counters.Synthetic += t.keys + t.clicks + t.scroll
			continue
		}
		in.counters.Keys += t.keys
		in.counters.Clicks += t.clicks
		in.counters.ScrollSteps += t.scroll
		in.distance += d.travelled(&t.track, in.pointer, pointer, len(in.batch) == 1)
		if !real {
			first, last, real = t.first, t.last, true
		}
		first, last = min(first, t.first), max(last, t.last)
	}
	if real {
		in.activity.Touch(first)
		in.activity.Touch(last)
	}
	if moved {
		in.pointer = pointer
	}
	clear(in.batch)
	in.batch = in.batch[:0]
	return true
}

// Counters are the totals; ActiveMS is left to the Activity.
func (in *Input) Counters() wire.Counters {
	c := in.counters
	c.DistancePx = uint64(math.Floor(in.distance))
	return c
}

func (in *Input) tally(device uint16, at Instant) *tally {
	for i := range in.batch {
		if t := &in.batch[i]; t.device == device {
			t.last = max(t.last, at)
			return t
		}
	}
	if len(in.batch) == maxDevices {
		return nil
	}
	in.batch = append(in.batch, tally{device: device, first: at, last: at})
	return &in.batch[len(in.batch)-1]
}

// travelled is how far the device moved the pointer in a batch that began with
// the pointer at from and ended with it at to. Only a batch in which nothing
// else happened (alone) proves the mode of the device.
func (d *Device) travelled(t *track, from, to Point, alone bool) float64 {
	if !t.moved {
		return 0
	}
	found, fits, proven := t.match(to, d.mode, d.knowsMode)
	if alone && proven {
		d.mode, d.knowsMode = found, true
	}
	if d.trusted > trustBatches { // to was asked for
		d.knowsMode, d.trusted = fits && d.knowsMode, 0
	}
	if !fits && d.knowsMode {
		found, fits = d.mode, true
	}
	d.remainder = Point{}
	if !fits {
		return from.distance(to) // the least it can have been
	}
	if end := t.at[found]; found == asDelta && end.distance(to) <= matchPx {
		d.remainder = Point{end.X - to.X, end.Y - to.Y}
	}
	return t.path[found]
}
