package seat

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	evdev "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// keyboard, mouse and others are abilities as real devices have them.
func keyboard() abilities {
	var keys []evdev.EvCode
	for code := evdev.EvCode(evdev.KEY_ESC); code <= evdev.KEY_MICMUTE; code++ {
		keys = append(keys, code)
	}
	return abilities{keys: keys}
}

func mouse() abilities {
	return abilities{
		keys: []evdev.EvCode{evdev.BTN_LEFT, evdev.BTN_RIGHT, evdev.BTN_MIDDLE, evdev.BTN_SIDE},
		rel:  []evdev.EvCode{evdev.REL_X, evdev.REL_Y, evdev.REL_WHEEL, evdev.REL_WHEEL_HI_RES, evdev.REL_HWHEEL},
	}
}

func touchpad() abilities {
	return abilities{
		keys: []evdev.EvCode{
			evdev.BTN_LEFT, evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER, evdev.BTN_TOOL_DOUBLETAP, evdev.BTN_TOOL_TRIPLETAP,
		},
		abs:   []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y, evdev.ABS_MT_SLOT},
		props: []evdev.EvProp{evdev.INPUT_PROP_POINTER, evdev.INPUT_PROP_BUTTONPAD},
	}
}

func touchscreen() abilities {
	return abilities{
		keys:  []evdev.EvCode{evdev.BTN_TOUCH},
		abs:   []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y},
		props: []evdev.EvProp{evdev.INPUT_PROP_DIRECT},
	}
}

func penTablet() abilities {
	return abilities{
		keys: []evdev.EvCode{evdev.BTN_TOOL_PEN, evdev.BTN_TOUCH, evdev.BTN_STYLUS},
		abs:  []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y, evdev.ABS_PRESSURE},
	}
}

// virtualTablet is the pointer that virtual machines are handed.
func virtualTablet() abilities {
	return abilities{
		keys: []evdev.EvCode{evdev.BTN_LEFT, evdev.BTN_RIGHT, evdev.BTN_MIDDLE},
		rel:  []evdev.EvCode{evdev.REL_WHEEL},
		abs:  []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y},
	}
}

// event is one as the kernel sends it.
type event struct {
	kind  evdev.EvType
	code  evdev.EvCode
	value int32
}

func report() event { return event{evdev.EV_SYN, evdev.SYN_REPORT, 0} }

func tap(code evdev.EvCode) []event {
	return []event{{evdev.EV_MSC, evdev.MSC_SCAN, 30}, {evdev.EV_KEY, code, 1}, report(), {evdev.EV_KEY, code, 0}, report()}
}

func moveBy(x, y int32) []event {
	return []event{{evdev.EV_REL, evdev.REL_X, x}, {evdev.EV_REL, evdev.REL_Y, y}, report()}
}

func moveTo(x, y int32) []event {
	return []event{{evdev.EV_ABS, evdev.ABS_X, x}, {evdev.EV_ABS, evdev.ABS_Y, y}, report()}
}

func encode(events []event, at counting.Instant) []byte {
	var b bytes.Buffer
	for _, e := range events {
		raw := evdev.InputEvent{
			Time: syscall.Timeval{Sec: int64(at / 1000), Usec: int64(at%1000) * 1000},
			Type: e.kind, Code: e.code, Value: e.value,
		}
		_ = binary.Write(&b, binary.NativeEndian, raw) // to memory
	}
	return b.Bytes()
}

// desk is a seat with made-up devices: pipes in the place of the kernel.
type desk struct {
	*Seat
	t      *testing.T
	now    counting.Instant
	pipes  map[string]int // the ends to write to
	others map[string]error
	made   map[string]about
}

// newDesk makes a seat in front, with no device.
func newDesk(t *testing.T, vt int) *desk {
	t.Helper()
	d := &desk{t: t, pipes: map[string]int{}, others: map[string]error{}, made: map[string]about{}}
	places := Places{Input: t.TempDir(), Udev: t.TempDir(), Devices: t.TempDir(), ActiveVT: filepath.Join(t.TempDir(), "active")}
	s := &Seat{
		opts: Options{
			Seat: Default, VT: vt, Now: func() counting.Instant { return d.now },
			IdleAfter: 60_000, Places: places,
		},
		devices: map[int]*device{}, due: never,
	}
	s.open = d.openFake
	d.Seat = s
	d.front(vt)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	s.clock.offset = 0 // the tests' events carry instants
	t.Cleanup(func() {
		s.Close()
		for _, fd := range d.pipes {
			_ = unix.Close(fd)
		}
	})
	return d
}

// front brings a virtual terminal to the front.
func (d *desk) front(vt int) {
	d.t.Helper()
	if err := os.WriteFile(d.opts.Places.ActiveVT, []byte("tty"+strconv.Itoa(vt)+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// plugIn adds a device, and waits until it is open.
func (d *desk) plugIn(name string, a about) {
	d.t.Helper()
	d.made[name] = a
	if err := os.WriteFile(filepath.Join(d.opts.Places.Input, name), nil, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.settle()
	if d.pipes[name] == 0 {
		d.t.Fatalf("%s was not opened", name)
	}
}

func (d *desk) openFake(name string, _ bool) (*device, error) {
	if err := d.others[name]; err != nil {
		return nil, err
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	a := d.made[name]
	if old := d.pipes[name]; old != 0 {
		_ = unix.Close(old)
	}
	d.pipes[name] = ends[1]
	return &device{name: name, fd: ends[0], about: a, pace: newPace(a.moves), hold: hold{held: !a.needsTouch}}, nil
}

// settle lets time pass until nothing gathers any more.
func (d *desk) settle() (news bool) {
	d.t.Helper()
	for range 100 {
		d.Notice(d.now)
		at, gathering := d.Due()
		if !gathering {
			return news
		}
		d.now = max(d.now, at)
		_, fresh, err := d.Drain(d.now)
		if err != nil {
			d.t.Fatal(err)
		}
		news = news || fresh
	}
	d.t.Fatal("it gathers for ever")
	return false
}

// does sends a device's events at the present moment.
func (d *desk) does(name string, events ...[]event) {
	d.t.Helper()
	for _, list := range events {
		if _, err := unix.Write(d.pipes[name], encode(list, d.now)); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) report() wire.Report {
	var r wire.Report
	d.Fill(&r, d.now)
	return r
}

// counts checks everything that is counted.
func (d *desk) counts(want wire.Counters) {
	d.t.Helper()
	d.settle()
	got := d.report().Counters
	got.ActiveMS = 0
	if got != want {
		d.t.Errorf("counted %+v, want %+v", got, want)
	}
}

func byHand(c abilities) about {
	a := describe(c)
	a.hands = true
	return a
}

func byProgram(c abilities) about { return describe(c) }

func TestKeysClicksAndWheel(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byHand(keyboard()))
	d.plugIn("event1", byHand(mouse()))
	for range 100 {
		d.does("event0", tap(evdev.KEY_A))
		d.settle()
	}
	// A held key repeats; the kernel's repeats are none of a hand's.
	held := []event{{evdev.EV_KEY, evdev.KEY_X, 1}, report()}
	for range 20 {
		held = append(held, event{evdev.EV_KEY, evdev.KEY_X, 2}, report())
	}
	d.does("event0", held, []event{{evdev.EV_KEY, evdev.KEY_X, 0}, report()})
	d.does("event1", tap(evdev.BTN_LEFT), tap(evdev.BTN_SIDE), moveBy(3, -4), moveBy(0, 5))
	// A wheel sends its whole steps and beside them fine ones.
	d.does("event1",
		[]event{{evdev.EV_REL, evdev.REL_WHEEL, -1}, {evdev.EV_REL, evdev.REL_WHEEL_HI_RES, -120}, report()},
		[]event{{evdev.EV_REL, evdev.REL_WHEEL_HI_RES, 15}, report()},
		[]event{{evdev.EV_REL, evdev.REL_HWHEEL, 2}, report()},
	)
	d.counts(wire.Counters{Keys: 101, Clicks: 2, ScrollSteps: 3, DistancePx: 10})
	r := d.report()
	if r.DistanceUnit != wire.UnitDevice || r.Trouble != wire.TroubleNone {
		t.Errorf("unit %d, trouble %d", r.DistanceUnit, r.Trouble)
	}
}

func TestProgramsAreNotHands(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byProgram(keyboard()))
	d.plugIn("event1", byProgram(mouse()))
	d.does("event0", tap(evdev.KEY_A), tap(evdev.KEY_B))
	d.does("event1", tap(evdev.BTN_LEFT), moveBy(100, 100), []event{{evdev.EV_REL, evdev.REL_WHEEL, 1}, report()})
	d.counts(wire.Counters{Synthetic: 4})
	if got := d.report(); got.Counters.ActiveMS != 0 || got.IdleMS < 60_000 {
		t.Errorf("%d ms active, idle for %d ms, by what programs did", got.Counters.ActiveMS, got.IdleMS)
	}
}

// TestSurfaces: what travels is what stays on the surface, not the hand that is
// lifted and set down elsewhere.
func TestSurfaces(t *testing.T) {
	t.Parallel()
	down := func(codes ...evdev.EvCode) (list []event) {
		for _, c := range codes {
			list = append(list, event{evdev.EV_KEY, c, 1})
		}
		return list
	}
	up := func(codes ...evdev.EvCode) (list []event) {
		for _, c := range codes {
			list = append(list, event{evdev.EV_KEY, c, 0})
		}
		return list
	}
	for name, c := range map[string]struct {
		device abilities
		events [][]event
		want   wire.Counters
	}{
		"a finger on a touchpad": {touchpad(), [][]event{
			down(evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER), moveTo(1000, 1000), moveTo(1030, 1040),
			up(evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER),
			{report()},
			down(evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER), moveTo(5000, 5000), moveTo(5000, 5007),
		}, wire.Counters{DistancePx: 57}},
		"two fingers scroll": {touchpad(), [][]event{
			down(evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER), moveTo(1000, 1000),
			up(evdev.BTN_TOOL_FINGER), down(evdev.BTN_TOOL_DOUBLETAP), moveTo(1000, 1000), moveTo(1000, 1300),
			up(evdev.BTN_TOOL_DOUBLETAP), down(evdev.BTN_TOOL_FINGER), moveTo(2000, 1300), moveTo(2005, 1300),
		}, wire.Counters{DistancePx: 5}},
		"a touch that repeats": {touchscreen(), [][]event{
			down(evdev.BTN_TOUCH), moveTo(10, 10), {{evdev.EV_KEY, evdev.BTN_TOUCH, 2}, report()}, moveTo(10, 15),
		}, wire.Counters{Clicks: 1, DistancePx: 5}},
		"a touchpad is pressed": {touchpad(), [][]event{
			down(evdev.BTN_TOUCH, evdev.BTN_TOOL_FINGER), moveTo(10, 10), tap(evdev.BTN_LEFT),
		}, wire.Counters{Clicks: 1}},
		"a screen is touched": {touchscreen(), [][]event{
			down(evdev.BTN_TOUCH), moveTo(10, 10), up(evdev.BTN_TOUCH),
			{report()},
			down(evdev.BTN_TOUCH), moveTo(500, 500), up(evdev.BTN_TOUCH),
			{report()},
		}, wire.Counters{Clicks: 2}},
		"a pen hovers and clicks": {penTablet(), [][]event{
			down(evdev.BTN_TOOL_PEN), moveTo(100, 100), moveTo(100, 150), down(evdev.BTN_TOUCH),
			{report()},
			up(evdev.BTN_TOUCH),
			{report()},
			up(evdev.BTN_TOOL_PEN),
			{report()},
			moveTo(9000, 9000),
		}, wire.Counters{Clicks: 1, DistancePx: 50}},
		"a virtual machine's pointer": {virtualTablet(), [][]event{
			moveTo(30, 40), tap(evdev.BTN_LEFT), moveTo(30, 100),
		}, wire.Counters{Clicks: 1, DistancePx: 110}},
		"places that the kernel dropped": {virtualTablet(), [][]event{
			moveTo(0, 10), {{evdev.EV_SYN, evdev.SYN_DROPPED, 0}}, moveTo(5000, 5000), moveTo(5000, 5001),
		}, wire.Counters{DistancePx: 11}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, 7)
			d.plugIn("event0", byHand(c.device))
			d.does("event0", c.events...)
			d.counts(c.want)
		})
	}
}

// TestAnotherTerminal: nothing counts that is done while another virtual terminal
// is in front, nor what was under way when it came.
func TestAnotherTerminal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byHand(keyboard()))
	d.does("event0", tap(evdev.KEY_A))
	d.settle()
	d.does("event0", tap(evdev.KEY_B))
	d.front(8)
	d.does("event0", tap(evdev.KEY_C))
	d.counts(wire.Counters{Keys: 1})
	if len(d.devices) != 0 {
		t.Error("devices are open while another terminal is in front")
	}
	idle := d.report().IdleMS
	if idle < 60_000 {
		t.Errorf("idle for %d ms, though gone", idle)
	}
	d.front(7)
	d.noticeTerminal()
	d.does("event0", tap(evdev.KEY_D))
	d.counts(wire.Counters{Keys: 2})
}

// noticeTerminal looks at the terminals as if the kernel had reported a change,
// which it does for its own file only.
func (d *desk) noticeTerminal() {
	d.t.Helper()
	d.due = d.now
	d.settle()
}

func TestNothingCountsBeforeTheTerminalIsInFront(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byHand(keyboard()))
	d.front(1)
	d.noticeTerminal()
	if r := d.report(); r.Trouble != wire.TroubleNone {
		t.Errorf("trouble %d while another terminal is in front", r.Trouble)
	}
	d.front(7)
	d.noticeTerminal()
	d.does("event0", tap(evdev.KEY_A))
	d.counts(wire.Counters{Keys: 1})
}

func TestPluggingInAndOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.settle()
	if r := d.report(); r.Trouble != wire.TroubleNoDevices {
		t.Errorf("trouble %d of a seat without devices", r.Trouble)
	}
	d.plugIn("event0", byHand(keyboard()))
	if r := d.report(); r.Trouble != wire.TroubleNone {
		t.Errorf("trouble %d with a keyboard", r.Trouble)
	}
	d.does("event0", tap(evdev.KEY_A))
	// Unplugged while it is read: what it had sent still counts.
	_ = unix.Close(d.pipes["event0"])
	delete(d.pipes, "event0")
	if err := os.Remove(filepath.Join(d.opts.Places.Input, "event0")); err != nil {
		t.Fatal(err)
	}
	d.counts(wire.Counters{Keys: 1})
	if r := d.report(); r.Trouble != wire.TroubleNoDevices {
		t.Errorf("trouble %d after the keyboard was unplugged", r.Trouble)
	}
	d.plugIn("event0", byHand(keyboard()))
	d.does("event0", tap(evdev.KEY_A))
	d.counts(wire.Counters{Keys: 2})
}

// TestDevicesThatAreNotReady: udev needs a moment, and what stays closed is reported.
func TestDevicesThatAreNotReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want wire.Trouble
	}{
		"closed to us":         {fs.ErrPermission, wire.TroubleNoAccess},
		"of another seat":      {errOther, wire.TroubleNoDevices},
		"udev is not done":     {errUnready, wire.TroubleNoDevices},
		"gone in the meantime": {fs.ErrNotExist, wire.TroubleNoDevices},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, 7)
			d.others["event0"] = c.err
			d.made["event0"] = byHand(keyboard())
			if err := os.WriteFile(filepath.Join(d.opts.Places.Input, "event0"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			began := d.now
			d.settle()
			if r := d.report(); r.Trouble != c.want {
				t.Errorf("trouble %d, want %d", r.Trouble, c.want)
			}
			if d.now-began > patience+2*settleTime {
				t.Errorf("tried for %d ms", d.now-began)
			}
			delete(d.others, "event0")
			if err := os.Chmod(filepath.Join(d.opts.Places.Input, "event0"), 0o640); err != nil {
				t.Fatal(err)
			}
			d.settle()
			d.does("event0", tap(evdev.KEY_A))
			d.counts(wire.Counters{Keys: 1})
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byHand(keyboard()))
	start := d.now
	if r := d.report(); r.Counters.ActiveMS != 0 || r.IdleMS < 60_000 {
		t.Errorf("before any input: %d ms active, idle for %d ms", r.Counters.ActiveMS, r.IdleMS)
	}
	d.now = start + 100_000
	d.does("event0", tap(evdev.KEY_A))
	typed := d.now
	d.settle()
	d.now = start + 130_000
	r := d.report()
	if r.IdleMS != uint64(d.now-typed) || r.Counters.ActiveMS != uint64(d.now-typed) {
		t.Errorf("30 s after a key: %d ms active, idle for %d ms", r.Counters.ActiveMS, r.IdleMS)
	}
}

// TestNoCodeStays looks for key codes wherever the seat could keep one.
func TestNoCodeStays(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 7)
	d.plugIn("event0", byHand(keyboard()))
	for range 40 {
		d.does("event0", tap(evdev.KEY_Q))
	}
	d.counts(wire.Counters{Keys: 40})
	for i, e := range d.buffer {
		if e != (evdev.InputEvent{}) {
			t.Fatalf("event %d is still in the buffer: %v", i, &e)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moves bool
		had   []int
		want  counting.Instant
	}{
		"a mouse at rest":         {true, []int{0, 3, 0}, firstWindow},
		"a mouse of 1000 Hz":      {true, []int{48}, 5},
		"a mouse of 8000 Hz":      {true, []int{128, 64}, minWindow},
		"a fast mouse stays fast": {true, []int{128, 3, 3, 0}, 2},
		"somebody types":          {false, []int{2, 4, 8}, maxWindow},
		"somebody stops":          {false, []int{2, 4, 8, 0}, firstWindow},
		"a scanner of barcodes":   {false, []int{2, 60}, 17},
	} {
		p := newPace(c.moves)
		for _, n := range c.had {
			p.drained(n)
		}
		if p.window != c.want {
			t.Errorf("%s: %d ms, want %d", name, p.window, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	sensor := abilities{abs: []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y, evdev.ABS_Z}, props: []evdev.EvProp{evdev.INPUT_PROP_ACCELEROMETER}}
	gamepad := abilities{keys: []evdev.EvCode{evdev.BTN_SOUTH, evdev.BTN_EAST}, abs: []evdev.EvCode{evdev.ABS_X, evdev.ABS_Y}}
	power := abilities{keys: []evdev.EvCode{evdev.KEY_POWER, evdev.KEY_WAKEUP}}
	for name, c := range map[string]struct {
		of   abilities
		want about
	}{
		"keyboard":       {keyboard(), about{types: true, presses: true}},
		"power button":   {power, about{}},
		"mouse":          {mouse(), about{presses: true, moves: true}},
		"touchpad":       {touchpad(), about{presses: true, moves: true, surface: true, needsTouch: true}},
		"touch screen":   {touchscreen(), about{presses: true, moves: true, surface: true, needsTouch: true, tapClicks: true}},
		"pen":            {penTablet(), about{presses: true, moves: true, surface: true, needsTouch: true, tapClicks: true}},
		"virtual tablet": {virtualTablet(), about{presses: true, moves: true, surface: true}},
		"sensor":         {sensor, about{}},
		"gamepad":        {gamepad, about{}},
	} {
		if got := describe(c.of); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	p := parseProperties([]byte("I:123\nE:ID_INPUT=1\nE:ID_SEAT=seat1\nE:no value\nG:seat\nE:LIBINPUT_IGNORE_DEVICE=1"))
	if p.seat() != "seat1" || !p.ignored() {
		t.Errorf("properties %v", p)
	}
	if p = parseProperties([]byte("E:ID_INPUT_JOYSTICK=1\n")); p.seat() != Default || !p.ignored() {
		t.Errorf("properties %v", p)
	}
	if p = parseProperties([]byte("E:ID_INPUT_JOYSTICK=1\nE:ID_INPUT_KEYBOARD=1\n")); p.ignored() {
		t.Errorf("properties %v", p)
	}
}

func TestEventFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"event0": true, "event123": true, "event": false, "mouse0": false, "event1x": false, "event-1": false, "by-id": false} {
		if got := isEventFile(name); got != want {
			t.Errorf("isEventFile(%q) = %v", name, got)
		}
	}
}

// FuzzDevice has a device send anything.
func FuzzDevice(f *testing.F) {
	f.Add(encode(tap(evdev.KEY_A), 0))
	f.Add(encode(moveTo(1<<31-1, -1<<31), 5))
	f.Add(encode(moveBy(-1<<31, -1<<31), 5))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, told []byte) {
		const pipeBytes = 60 << 10 // what a pipe holds
		if len(told) > pipeBytes {
			return
		}
		d := newDesk(t, 7)
		for i, c := range []abilities{keyboard(), mouse(), touchpad(), touchscreen(), penTablet(), virtualTablet()} {
			name := "event" + strconv.Itoa(i)
			d.plugIn(name, byHand(c))
			if _, err := unix.Write(d.pipes[name], told); err != nil {
				t.Fatal(err)
			}
		}
		d.settle()
		r := d.report()
		if _, err := wire.Decode(wire.Append(nil, &r)); err != nil {
			t.Fatal(err)
		}
		if r.Counters.Keys > uint64(6*len(told)/24) {
			t.Fatalf("%d keys from %d bytes", r.Counters.Keys, len(told))
		}
	})
}
