package seat

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// maxDevices bounds the devices of one seat; a laptop has some 20, most of which
// have no keys and do not move.
const maxDevices = 64

// scanBytes is about what looking at the folder leaves to collect, and probeBytes
// what asking a device does.
const (
	scanBytes  = 4 << 10
	probeBytes = 32 << 10
)

// device is one open device.
type device struct {
	name   string // its file's, such as "event3"
	fd     int
	about  about
	pace   pace
	tally  tally
	motion motion
	hold   hold
	fired  bool // it has had something, and is not waited for
	quiet  bool // it had nothing when it was last read
	gone   bool
}

// fire notes that the device has something, and returns until when that may
// gather.
func (d *device) fire(now counting.Instant) counting.Instant {
	d.fired = true
	return now + d.pace.window
}

// Why a device is not opened.
var (
	// errOther is a device of another seat, or without keys and movement.
	errOther = errors.New("not a device to count")
	// errUnready is a device that udev has not dealt with yet.
	errUnready = errors.New("udev does not know the device yet")
)

// ended reports whether the device behind a descriptor is gone.
func ended(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}} // its end is always reported
	n, err := unix.Poll(p, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// scan opens the devices that are there and not open, closes those that went to
// another seat, and sets the trouble. It reports whether some are not ready.
func (s *Seat) scan() (unready bool) {
	s.garbage += scanBytes
	s.closeForeign()
	entries, err := os.ReadDir(s.opts.Places.Input)
	denied := errors.Is(err, fs.ErrPermission)
	patient := s.opts.Now() < s.plug.until
	for _, entry := range entries {
		name := entry.Name()
		if !isEventFile(name) || s.has(name) || len(s.devices) >= maxDevices {
			continue
		}
		s.garbage += probeBytes
		d, err := s.open(name, patient)
		switch {
		case err == nil:
			s.add(d)
		case errors.Is(err, errOther):
		case errors.Is(err, errUnready):
			unready = true
		case errors.Is(err, fs.ErrPermission):
			unready, denied = true, true
		}
	}
	s.trouble = s.lack(denied)
	return unready
}

// lack is what keeps the seat from being seen: neither a keyboard nor anything
// that points is open.
func (s *Seat) lack(denied bool) wire.Trouble {
	for _, d := range s.devices {
		if d.about.types || d.about.moves {
			return wire.TroubleNone
		}
	}
	if denied {
		return wire.TroubleNoAccess
	}
	return wire.TroubleNoDevices
}

func (s *Seat) add(d *device) {
	if s.set.Add(d.fd, unix.EPOLLIN) != nil {
		_ = unix.Close(d.fd) // it is gone already
		return
	}
	s.devices[d.fd] = d
}

func (s *Seat) has(name string) bool {
	for _, d := range s.devices {
		if d.name == name && !d.gone {
			return true
		}
	}
	return false
}

// closeForeign closes the devices that udev has given to another seat.
func (s *Seat) closeForeign() {
	for fd, d := range s.devices {
		p, err := s.properties(fd)
		if err == nil && p.seat() != s.opts.Seat || d.gone {
			s.closeDevice(fd)
		}
	}
}

// closeDevice closes one; that also ends waiting for it.
func (s *Seat) closeDevice(fd int) {
	_ = unix.Close(fd) // nothing was written
	delete(s.devices, fd)
}

func (s *Seat) closeDevices() {
	for fd := range s.devices {
		s.closeDevice(fd)
	}
}

// openDevice opens a device for reading, if it is one of the seat's to count.
// While patient, one of which udev has written nothing is not ready.
func (s *Seat) openDevice(name string, patient bool) (*device, error) {
	path := filepath.Join(s.opts.Places.Input, name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	d, err := s.prepare(fd, name, path, patient)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return d, nil
}

func (s *Seat) prepare(fd int, name, path string, patient bool) (*device, error) {
	p, err := s.properties(fd)
	switch {
	case err != nil && patient:
		return nil, errUnready
	case p.seat() != s.opts.Seat, p.ignored():
		return nil, errOther
	}
	a, err := probe(path)
	if err != nil {
		return nil, err
	}
	if ended(fd) {
		return nil, errOther // and what was asked may have been another in its place
	}
	if !a.counts() {
		return nil, errOther
	}
	a.hands = slices.Contains(s.opts.Real, a.name) || !a.virtual && !s.isVirtual(fd)
	selectEvents(fd)
	d := &device{name: name, fd: fd, about: a, pace: newPace(a.moves)}
	d.hold = hold{x: a.x, y: a.y, fromX: a.x, fromY: a.y, held: !a.needsTouch}
	return d, nil
}
