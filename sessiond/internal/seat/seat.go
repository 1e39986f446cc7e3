// Package seat counts what the hands at one seat do, from the input devices of
// the kernel (evdev), for sessions whose display shows no other program its
// input. It alone reads them.
//
// A device is opened only while the session's virtual terminal is in front, and
// a batch during which that changed counts for nobody. Nothing is polled: events
// gather in the kernel, as many as its buffers surely hold, and one read takes
// them. A key's code is at most in the buffer that Drain reads into and
// overwrites before it returns.
package seat

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/wire"
)

// Default is the seat of devices that belong to no other, and the only one with
// virtual terminals.
const Default = "seat0"

// ErrTerminal reports that it cannot be seen which virtual terminal is in front.
// Then nothing is counted: it might be somebody else's.
var ErrTerminal = errors.New("watching the virtual terminals")

// Options are which devices to count, and where the results go.
type Options struct {
	// Seat is whose devices are counted.
	Seat string
	// VT is the virtual terminal that must be in front; 0 for a seat without.
	VT int
	// Real names virtual devices through which hands type all the same, as
	// programs that remap keys make them.
	Real []string
	// Now is the clock of all instants.
	Now func() counting.Instant
	// IdleAfter is how long after an input the user still counts as active.
	IdleAfter counting.Instant
	// Places are the system's files.
	Places Places
}

// Places are the files that describe devices.
type Places struct {
	// Input is the folder of the device files.
	Input string
	// Udev is the folder of udev's properties.
	Udev string
	// Devices is the folder of links from device numbers into the tree of devices.
	Devices string
	// ActiveVT is the file that names the virtual terminal in front.
	ActiveVT string
}

// SystemPlaces are where Linux has them.
func SystemPlaces() Places {
	return Places{
		Input:    "/dev/input",
		Udev:     "/run/udev/data",
		Devices:  "/sys/dev/char",
		ActiveVT: "/sys/class/tty/tty0/active",
	}
}

// Seat counts the input of one seat's devices.
type Seat struct {
	opts     Options
	open     func(name string, patient bool) (*device, error)
	set      *sys.ReadySet
	vt       *terminal
	plug     *plug
	devices  map[int]*device // by descriptor
	clock    kernelClock
	activity *counting.Activity
	counters wire.Counters
	distance float64
	inFront  bool
	trouble  wire.Trouble
	buffer   buffer
	ready    [maxReady]unix.EpollEvent
	due      counting.Instant // when to drain next; never if nothing gathers
	garbage  int
}

// maxReady is how many descriptors are asked for at once: all that there are.
const maxReady = maxDevices + 2

// never is an instant that does not come.
const never counting.Instant = math.MaxInt64

// Open starts counting. A seat without devices is no error: they may be plugged
// in, and each report names it.
func Open(o Options) (*Seat, error) {
	s := &Seat{opts: o, devices: map[int]*device{}, due: never}
	s.open = s.openDevice
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Seat) start() error {
	at := s.opts.Now()
	s.clock = newKernelClock(at)
	s.activity = counting.NewActivity(s.opts.IdleAfter, at)
	// Nobody knows when the last input was: nothing is made up.
	s.activity.StartIdle(s.opts.IdleAfter)
	var err error
	if s.set, err = sys.NewReadySet(); err != nil {
		return fmt.Errorf("wait for input: %w", err)
	}
	if s.vt, err = openTerminal(s.opts.Places.ActiveVT, s.opts.VT, s.set); err != nil {
		return errors.Join(ErrTerminal, err, s.set.Close())
	}
	s.plug = newPlug(s.opts.Places.Input, s.set)
	s.look(at)
	return nil
}

// Close ends counting.
func (s *Seat) Close() {
	s.closeDevices()
	s.plug.close()
	s.vt.close()
	_ = s.set.Close() // nothing was written
}

// FD is the descriptor that becomes readable when something arrives.
func (s *Seat) FD() int { return s.set.FD() }

// Notice takes note of what has become ready. The kernel drops what a device's
// buffer does not hold, so each one's first event is noticed, and how long it may
// go on is the device's.
func (s *Seat) Notice(now counting.Instant) {
	n, err := s.set.Collect(s.ready[:])
	if err != nil {
		s.due = now // draining looks at everything, and tries again
		return
	}
	for _, e := range s.ready[:n] {
		switch fd := int(e.Fd); {
		case s.vt.is(fd):
			s.vt.fired, s.due = true, now
		case s.plug.is(fd):
			s.plug.notice()
			s.due = min(s.due, now+settleTime)
		case s.devices[fd] != nil:
			s.due = min(s.due, s.devices[fd].fire(now))
		}
	}
}

// Due reports until when what was noticed may gather.
func (s *Seat) Due() (at counting.Instant, gathering bool) { return s.due, s.due != never }

// Drain takes in everything that has happened, up to an instant. got reports
// that something had arrived; news that the next report will differ from the
// last.
func (s *Seat) Drain(until counting.Instant) (got, news bool, err error) {
	now := s.opts.Now()
	s.Notice(now)
	if s.due == never {
		return false, false, nil
	}
	s.due = never
	s.clock.upper = max(min(now, until), s.clock.lower)
	trouble := s.trouble
	if s.inFront && s.vt.changedBefore() {
		s.leave() // unread: it may have been typed elsewhere
	}
	if s.inFront {
		got = s.readDevices()
		if s.vt.changed() {
			s.leave() // amid it: the batch counts for nobody
		}
		news = s.commit()
	}
	s.look(now)
	s.arm(now)
	s.clock.lower = s.clock.upper
	return got, news || s.trouble != trouble, nil
}

// leave closes all devices, and drops what was not counted yet: another terminal
// came to the front, if only for a moment.
func (s *Seat) leave() {
	s.closeDevices()
	s.activity.Leave(s.clock.upper)
	s.inFront, s.trouble = false, wire.TroubleNone
}

// look opens the devices while the terminal is in front: all of them when it has
// just come there, else those that were plugged in.
func (s *Seat) look(now counting.Instant) {
	if !s.inFront {
		s.plug.settled()
		if s.inFront = s.vt.inFront(); !s.inFront {
			return
		}
		s.plug.changed = true
	}
	if s.plug.pending(now) && s.plug.looked(s.scan(), now) {
		s.due = min(s.due, now+settleTime)
	}
}

// readDevices reads what the devices that had something hold.
func (s *Seat) readDevices() (got bool) {
	for _, d := range s.devices {
		if !d.fired {
			continue
		}
		n, gone := s.read(d)
		got = got || n > 0
		d.pace.drained(n)
		d.quiet = n == 0
		if gone {
			d.gone = true
			s.plug.changed = true // another may have its name by now
		}
	}
	return got
}

// arm waits again for the first event of devices that had nothing, and sets when
// to look at the others: looking once more costs less than waking for each.
func (s *Seat) arm(now counting.Instant) {
	for fd, d := range s.devices {
		switch {
		case d.gone:
			s.closeDevice(fd)
		case d.fired && d.quiet:
			d.fired = false
			if s.set.Again(fd, unix.EPOLLIN) != nil {
				s.closeDevice(fd)
			}
		case d.fired:
			s.due = min(s.due, d.fire(now))
		}
	}
	s.vt.again(s.set)
	s.plug.again(s.set)
}

// commit adds the batch to the counters and starts another. It reports whether
// there was anything to add.
func (s *Seat) commit() bool {
	first, last, news := never, counting.Instant(0), false
	for _, d := range s.devices {
		t := d.tally
		d.tally = tally{}
		if t.any() {
			news = true
		}
		if !d.about.hands {
			s.counters.Synthetic += t.keys + t.clicks + t.scroll
			continue
		}
		s.counters.Keys += t.keys
		s.counters.Clicks += t.clicks
		s.counters.ScrollSteps += t.scroll
		s.distance += t.distance
		if t.touched {
			first, last = min(first, t.first), max(last, t.last)
		}
	}
	if first != never {
		s.activity.Touch(first)
		s.activity.Touch(last)
	}
	return news
}

// Fill sets what is known as of an instant.
func (s *Seat) Fill(r *wire.Report, at counting.Instant) {
	s.activity.Advance(at)
	r.Counters = s.counters
	r.Counters.DistancePx = uint64(min(math.Floor(s.distance), wire.MaxCounter))
	r.Counters.ActiveMS = s.activity.ActiveMS()
	r.IdleMS = s.activity.IdleMS(at)
	r.DistanceUnit = wire.UnitDevice
	r.Trouble = s.trouble
}

// SetTitles has nothing to set: a seat's devices show no window.
func (*Seat) SetTitles(counting.Retitle) {}

// Restart starts the next interval. Where the folder of devices could not be
// watched, it is looked at now.
func (s *Seat) Restart(at counting.Instant) {
	if s.plug.watchLate(s.set) {
		s.due = min(s.due, at)
	}
}

// Garbage is about how many bytes were allocated and left since the last call.
func (s *Seat) Garbage() int {
	n := s.garbage
	s.garbage = 0
	return n
}

// kernelClock turns the times of events into instants.
type kernelClock struct {
	offset       counting.Instant // what to take from the kernel's milliseconds
	lower, upper counting.Instant // what is being drained happened in between
}

// newKernelClock starts at an instant that is now.
func newKernelClock(at counting.Instant) kernelClock {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return kernelClock{lower: at, upper: at} // never; every event is then drained's
	}
	return kernelClock{offset: counting.Instant(now.Nano()/1e6) - at, lower: at, upper: at}
}

// instant places an event's time within what is being drained; what the kernel
// sends counts only that far.
func (k *kernelClock) instant(sec, usec int64) counting.Instant {
	at := counting.Instant(sec*1000+usec/1000) - k.offset
	return min(max(at, k.lower), k.upper)
}
