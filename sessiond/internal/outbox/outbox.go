// Package outbox sends reports to the host daemon over the socket that the
// helper inherited, without ever waiting for it: while the daemon is away, the
// newest report of each interval is kept, up to a bound, and sent in order once
// the socket takes it.
package outbox

import (
	"errors"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/wire"
)

// maxPending is how many intervals wait at most (two hours of minutes), behind
// the some 200 that the socket itself holds. The oldest is dropped beyond it:
// counters are cumulative, so its counts merge into the next interval's, and
// only its focus times are lost.
const maxPending = 120

// maxPendingBytes bounds the memory of what waits, since a report with the
// longest titles has 42 KiB.
const maxPendingBytes = 512 << 10

// ErrClosed reports that the daemon closed its end: nobody will read a report
// again.
var ErrClosed = errors.New("the daemon's end of the socket is closed")

// Outbox sends to one socket.
type Outbox struct {
	fd      int
	version byte // of what is sent
	scratch []byte
	pending []packet
	bytes   int  // of all that is pending
	full    bool // the socket refused the last packet until it is writable
}

type packet struct {
	interval int64
	data     []byte
}

// New sends to fd, an AF_UNIX SOCK_SEQPACKET socket.
func New(fd int) *Outbox { return &Outbox{fd: fd, version: wire.Baseline} }

// Hear takes what the daemon sent: which version it reads, and rules for titles, of
// which the last packet is returned. What waits is written again in that version;
// what the socket holds stays as it is, since a daemon lowers the version before it
// ends and then reads on for a moment.
func (o *Outbox) Hear() (rules []byte, err error) {
	for {
		packet, err := o.receive()
		if err != nil || len(packet) == 0 {
			return rules, err
		}
		if wire.IsRules(packet) {
			rules = packet
			continue
		}
		version, ok := wire.ParseCeiling(packet)
		if !ok || version == o.version {
			continue
		}
		o.version = version
		if err := o.rewrite(); err != nil {
			return rules, err
		}
	}
}

// receive takes a packet that is there; without one it is empty. One that is longer
// than any that means something is cut.
func (o *Outbox) receive() ([]byte, error) {
	n, err := sys.PacketLength(o.fd)
	if err == nil {
		packet := make([]byte, max(1, min(n, wire.MaxRulesBytes+1)))
		n, err = sys.Receive(o.fd, packet)
		packet = packet[:max(n, 0)]
		if err == nil {
			return packet, nil
		}
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	return nil, ErrClosed
}

// rewrite puts what waits into the version that is sent now.
func (o *Outbox) rewrite() error {
	o.bytes = 0
	for i := range o.pending {
		p := &o.pending[i]
		r, err := wire.Decode(p.data)
		if err != nil {
			return err // never: this package wrote it
		}
		r.Version = o.version
		p.data = wire.Append(p.data[:0], &r)
		o.bytes += len(p.data)
	}
	return nil
}

// Put sends the report, or keeps it if the socket is full. A kept report of the
// same interval is replaced: the newer one contains the same and more.
func (o *Outbox) Put(r *wire.Report) error {
	r.Version = o.version
	o.scratch = wire.Append(o.scratch[:0], r)
	if err := o.Flush(); err != nil {
		return err
	}
	if len(o.pending) == 0 {
		sent, err := o.send(o.scratch)
		if sent || err != nil {
			return err
		}
	}
	o.keep(r.IntervalStartUnix)
	return nil
}

// Waiting reports whether reports wait for the socket to be writable.
func (o *Outbox) Waiting() bool { return len(o.pending) > 0 && o.full }

// Flush sends what waits, oldest first, as far as the socket takes it.
func (o *Outbox) Flush() error {
	for len(o.pending) > 0 {
		sent, err := o.send(o.pending[0].data)
		if !sent {
			return err
		}
		o.drop()
	}
	return nil
}

func (o *Outbox) keep(interval int64) {
	if last := len(o.pending) - 1; last >= 0 && o.pending[last].interval == interval {
		o.bytes += len(o.scratch) - len(o.pending[last].data)
		o.pending[last].data = append(o.pending[last].data[:0], o.scratch...)
	} else {
		o.pending = append(o.pending, packet{interval, append([]byte(nil), o.scratch...)})
		o.bytes += len(o.scratch)
	}
	for len(o.pending) > maxPending || o.bytes > maxPendingBytes {
		o.drop()
	}
}

func (o *Outbox) drop() {
	o.bytes -= len(o.pending[0].data)
	n := copy(o.pending, o.pending[1:])
	o.pending[n] = packet{}
	o.pending = o.pending[:n]
}

// send reports whether the socket took the packet; a full one did not, without
// error.
func (o *Outbox) send(data []byte) (bool, error) {
	for {
		err := sys.Send(o.fd, data)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN):
			return false, ErrClosed
		case errors.Is(err, unix.EMSGSIZE):
			return true, nil // it never will be; its counts are in the next one
		default:
			// Short of memory (ENOBUFS) is not full: the socket would be
			// reported writable at once, over and over.
			o.full = errors.Is(err, unix.EAGAIN)
			return false, nil
		}
	}
}
