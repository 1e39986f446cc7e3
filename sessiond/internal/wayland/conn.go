// Package wayland is a client of a Wayland compositor that only listens: it
// finds what the compositor offers, binds what the caller wants, and hands over
// events. It holds no window, no buffer and no keyboard focus, and binds nothing
// by which a compositor could send a key.
//
// No library that we may use speaks Wayland. What is needed is small: messages
// of 32-bit words, each with the object that it is about.
//
// A compositor is any program that listens on a socket of that name, so nothing
// it sends is believed: messages and texts are bounded, objects are counted, and
// whoever floods is read at the caller's pace.
package wayland

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/sys"
)

const (
	// headerBytes are an object's number, an opcode and the message's length.
	headerBytes = 8
	// maxMessageBytes is what the length's 16 bits can hold; compositors send
	// 4 KiB at most unless they are set up otherwise.
	maxMessageBytes = 1<<16 - 1
	// maxDispatchBytes bounds what one Dispatch reads: more than a socket holds,
	// so that only a compositor which sends as fast as we read reaches it.
	maxDispatchBytes = 512 << 10
	// maxUnsentBytes is how much may wait for a compositor that does not read: we
	// send a few bytes for each hundred that arrive.
	maxUnsentBytes = 64 << 10
	// readBytes is how much room each read has at least.
	readBytes = 4 << 10
	// patience is how long the compositor may take to answer.
	patience = 10 * time.Second
	// firstServerObject is the lowest number of an object that the compositor
	// makes; those that we make count up from 2.
	firstServerObject = 0xff000000
)

// How a connection ends.
var (
	// ErrGone is the compositor's end, or its wish to have us gone.
	ErrGone = errors.New("the compositor closed the connection")
	// ErrNonsense is something that no compositor sends.
	ErrNonsense = errors.New("the compositor broke the protocol")
	// ErrSilent is a compositor that does not answer, or reads nothing.
	ErrSilent = errors.New("the compositor does not answer")
)

// Handler takes an event of one object. An error ends the connection.
type Handler func(m *Message) error

// Conn is a connection to a compositor.
type Conn struct {
	fd       int
	in       []byte // what has arrived of a message that is not whole yet
	out      []byte // what the socket has not taken yet
	busy     bool   // within Dispatch, which sends at its end
	objects  map[uint32]Handler
	lastID   uint32
	globals  map[string]Global // of the wanted ones, those that are there
	registry uint32
	read     int           // bytes, since Garbage was asked
	patience time.Duration // how long the compositor may take to answer
}

// Global is something that the compositor offers.
type Global struct {
	name    uint32
	iface   string
	Version uint32
}

// New makes a connection of a connected, non-blocking socket, which it closes.
func New(fd int) *Conn {
	c := &Conn{fd: fd, objects: map[uint32]Handler{}, globals: map[string]Global{}, lastID: displayID, patience: patience}
	c.objects[displayID] = c.displayEvent
	return c
}

// FD is the descriptor that becomes readable when Dispatch has something to do.
func (c *Conn) FD() int { return c.fd }

// Close ends the connection.
func (c *Conn) Close() { _ = unix.Close(c.fd) } // nothing is written that is not sent

// Garbage is how many bytes were read since the last call.
func (c *Conn) Garbage() int {
	n := c.read
	c.read = 0
	return n
}

// Listen takes the events of an object that the compositor made.
func (c *Conn) Listen(object uint32, h Handler) { c.objects[object] = h }

// Forget leaves an object's events alone from now on.
func (c *Conn) Forget(object uint32) { delete(c.objects, object) }

// NewObject is the number of an object that we make by the next request, whose
// events the handler takes.
func (c *Conn) NewObject(h Handler) uint32 {
	c.lastID++
	c.objects[c.lastID] = h
	return c.lastID
}

// Send sends a request, or keeps it until the compositor reads.
func (c *Conn) Send(object uint32, opcode uint16, args []byte) error {
	size := headerBytes + len(args)
	c.out = binary.NativeEndian.AppendUint32(c.out, object)
	c.out = binary.NativeEndian.AppendUint32(c.out, uint32(size)<<16|uint32(opcode))
	c.out = append(c.out, args...)
	if len(c.out) > maxUnsentBytes {
		return ErrSilent
	}
	if c.busy {
		return nil
	}
	return c.flush()
}

// flush sends what waits, as far as the socket takes it.
func (c *Conn) flush() error {
	for len(c.out) > 0 {
		n, err := sys.SendSome(c.fd, c.out)
		switch {
		case err == nil:
			c.out = c.out[:copy(c.out, c.out[n:])]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			return nil
		default:
			return ErrGone
		}
	}
	return nil
}

// Dispatch hands over what has arrived, without waiting; got reports whether
// there was anything. Descriptors that come along are dropped by the system,
// since nothing asks for them.
func (c *Conn) Dispatch() (got bool, err error) {
	c.busy = true
	got, err = c.dispatch()
	c.busy = false
	if err == nil {
		err = c.flush()
	}
	return got, err
}

func (c *Conn) dispatch() (got bool, err error) {
	for total := 0; total < maxDispatchBytes; {
		n, err := c.fill()
		if n == 0 || err != nil {
			return got, err
		}
		got = true
		total += n
		if err := c.deliver(); err != nil {
			return got, err
		}
	}
	return got, nil
}

// fill reads once; nothing without an error means that nothing is there.
func (c *Conn) fill() (int, error) {
	if cap(c.in)-len(c.in) < readBytes {
		c.in = append(make([]byte, 0, 2*len(c.in)+readBytes), c.in...)
	}
	for {
		n, err := sys.Read(c.fd, c.in[len(c.in):cap(c.in)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case err != nil || n == 0:
			return 0, ErrGone
		}
		c.in = c.in[:len(c.in)+n]
		c.read += n
		return n, nil
	}
}

// deliver hands over the whole messages in front.
func (c *Conn) deliver() error {
	rest := c.in
	for len(rest) >= headerBytes {
		object := binary.NativeEndian.Uint32(rest)
		word := binary.NativeEndian.Uint32(rest[4:])
		size := int(word >> 16)
		if size < headerBytes || size%4 != 0 {
			return ErrNonsense
		}
		if len(rest) < size {
			break
		}
		m := Message{Opcode: uint16(word & 0xffff), rest: rest[headerBytes:size]}
		if handle := c.objects[object]; handle != nil {
			if err := handle(&m); err != nil {
				return err
			}
			if m.bad {
				return ErrNonsense
			}
		}
		rest = rest[size:]
	}
	c.in = c.in[:copy(c.in, rest)]
	return nil
}

// await dispatches until done reports that what was asked for is there.
func (c *Conn) await(done func() bool) error {
	for deadline := time.Now().Add(c.patience); !done(); {
		left := time.Until(deadline)
		if left <= 0 {
			return ErrSilent
		}
		events := int16(unix.POLLIN)
		if len(c.out) > 0 {
			events |= unix.POLLOUT
		}
		if _, err := sys.Await(c.fd, events, left); err != nil && !errors.Is(err, unix.EINTR) {
			return ErrGone
		}
		if _, err := c.Dispatch(); err != nil {
			return err
		}
	}
	return nil
}
