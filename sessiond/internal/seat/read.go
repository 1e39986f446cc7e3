package seat

import (
	"errors"
	"unsafe"

	evdev "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/sys"
)

const (
	// bufferEvents is how many events one read takes: what a keyboard's buffer
	// in the kernel holds.
	bufferEvents = 64
	// maxReads bounds the reads of one device in one drain: the largest buffer,
	// a touch screen's, holds some thousand events.
	maxReads = 64
)

// buffer is where events are for the moment in which they are counted.
type buffer [bufferEvents]evdev.InputEvent

// bytes is the buffer's memory, for the kernel to write to.
func (b *buffer) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(b)), unsafe.Sizeof(*b)) //nolint:gosec // an array of plain numbers
}

// read counts what a device holds, and reports how many events that were and
// whether the device is gone. go-evdev's own reading is not used: it allocates
// for each event and leaves codes in what it allocated, and its descriptor is
// one of Go's poller, which wakes for each event.
func (s *Seat) read(d *device) (events int, gone bool) {
	defer clear(s.buffer[:]) // the codes
	for range maxReads {
		n, err := sys.Read(d.fd, s.buffer.bytes())
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return events, false
		case err != nil, n == 0:
			return events, true // unplugged, or its access was revoked
		}
		whole := n / int(unsafe.Sizeof(s.buffer[0]))
		for i := range s.buffer[:whole] {
			e := &s.buffer[i]
			d.count(e, s.clock.instant(e.Time.Sec, e.Time.Usec))
		}
		events += whole
		if whole < bufferEvents {
			return events, false
		}
	}
	return events, false
}
