package x11

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/sys"
)

const (
	// bufferBytes holds what arrives within one gathering at any speed that
	// hands and mice reach, so that one read drains it.
	bufferBytes = 16 << 10
	// replyTimeout is how long the X server may take to answer. It answers
	// within a millisecond, unless it is stopped or another client grabs it.
	replyTimeout = 10 * time.Second
)

// Ends of a connection.
var (
	// ErrGone says that the X server closed the connection.
	ErrGone = errors.New("the X server is gone")
	// ErrSilent says that the X server did not answer within replyTimeout.
	ErrSilent = errors.New("the X server does not answer")
)

// conn speaks the X protocol over a socket, for one goroutine: requests are
// queued, flushed together, and their replies read in order. Events that come
// first go to the handler.
//
// It is written for this package and not taken from a library: xgb reads each
// event as 32 bytes, so XInput2's desynchronise it; its goroutines wake for
// each event; a reply that never comes blocks it for good; and it allocates
// whatever length the server claims.
type conn struct {
	fd      int
	seq     uint16 // of the last request queued
	out     []byte
	in      []byte // in[r:w] is unread
	r, w    int
	handler func(event []byte)
}

func newConn(fd int, handler func([]byte)) *conn {
	return &conn{fd: fd, in: make([]byte, bufferBytes), handler: handler}
}

func (c *conn) close() {
	c.wipe()
	_ = unix.Close(c.fd) // nothing is left to lose: only requests were written
}

// request starts a request: its opcode, the second byte of its header and its
// body, padded. It returns the sequence number by which its reply is known.
func (c *conn) request(opcode, second byte, body ...uint32) uint16 {
	return c.requestBytes(opcode, second, nil, body...)
}

// requestBytes is request with bytes after the body's words.
func (c *conn) requestBytes(opcode, second byte, tail []byte, body ...uint32) uint16 {
	words := 1 + len(body) + (len(tail)+3)/4
	c.out = append(c.out, opcode, second)
	c.out = binary.NativeEndian.AppendUint16(c.out, uint16(words))
	for _, v := range body {
		c.out = binary.NativeEndian.AppendUint32(c.out, v)
	}
	c.out = append(c.out, tail...)
	for len(c.out)%4 != 0 {
		c.out = append(c.out, 0)
	}
	c.seq++
	return c.seq
}

// flush writes what is queued.
func (c *conn) flush() error {
	deadline := time.Now().Add(replyTimeout)
	for len(c.out) > 0 {
		n, err := sys.Write(c.fd, c.out)
		switch {
		case err == nil:
			c.out = c.out[:copy(c.out, c.out[n:])]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if err := c.wait(unix.POLLOUT, deadline); err != nil {
				return err
			}
		default:
			return ErrGone
		}
	}
	return nil
}

// drain hands all events that have arrived to the handler, without waiting.
func (c *conn) drain() error {
	for {
		space := len(c.in) - c.w
		n, err := c.fill()
		if err := errors.Join(c.parse(), err); err != nil || n < space {
			return err // a short read has taken all there was
		}
	}
}

// reply waits for the answer to a request, while events go to the handler. A
// nil slice without an error is an X error: what was asked about does not
// exist. The slice is good until the next call.
func (c *conn) reply(seq uint16) ([]byte, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(replyTimeout)
	for {
		answer, found, err := c.seek(seq)
		if found || err != nil {
			return answer, err
		}
		n, err := c.fill()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if err := c.wait(unix.POLLIN, deadline); err != nil {
				return nil, err
			}
		}
	}
}

// seek goes through what was read up to the answer to seq. It passes by answers
// to earlier requests, which nobody waits for.
func (c *conn) seek(seq uint16) (answer []byte, found bool, err error) {
	for {
		m, err := c.next()
		if m == nil || err != nil {
			return nil, false, err
		}
		if m[0] != kindReply && m[0] != kindError {
			c.handler(m)
			continue
		}
		switch late := int16(binary.NativeEndian.Uint16(m[2:]) - seq); {
		case late > 0:
			return nil, false, ErrNonsense // it skipped an answer
		case late < 0:
		case m[0] == kindReply:
			return m, true, nil
		default:
			return nil, true, nil
		}
	}
}

// parse hands on what was read; nobody waits for an answer.
func (c *conn) parse() error {
	for {
		m, err := c.next()
		if m == nil || err != nil {
			return err
		}
		if m[0] != kindReply && m[0] != kindError {
			c.handler(m)
		}
	}
}

func (c *conn) next() ([]byte, error) {
	m, rest, want, err := nextMessage(c.in[c.r:c.w])
	if err != nil {
		return nil, err
	}
	if m == nil {
		c.makeRoom(want)
		return nil, nil
	}
	c.r = c.w - len(rest)
	return m, nil
}

// makeRoom moves what is unread to the buffer's start, so that it can hold a
// message of want bytes, and overwrites what was there: a key code stays in
// this buffer no longer than the batch that it came in.
func (c *conn) makeRoom(want int) {
	if want > len(c.in) {
		bigger := make([]byte, want)
		n := copy(bigger, c.in[c.r:c.w])
		clear(c.in)
		c.in, c.r, c.w = bigger, 0, n
		return
	}
	n := copy(c.in, c.in[c.r:c.w])
	clear(c.in[n:max(c.w, n)])
	c.r, c.w = 0, n
}

// wipe overwrites the buffer once everything in it has been handled, and lets
// go of one that a long reply had made large.
func (c *conn) wipe() {
	if c.r < c.w {
		c.makeRoom(headerBytes)
		return
	}
	clear(c.in[:c.w])
	c.r, c.w = 0, 0
	if len(c.in) > bufferBytes {
		c.in = make([]byte, bufferBytes)
	}
}

// fill reads once, without waiting, and says how much; there is always room,
// since next makes it.
func (c *conn) fill() (int, error) {
	for {
		n, err := sys.Read(c.fd, c.in[c.w:])
		switch {
		case err == nil && n > 0:
			c.w += n
			return n, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default: // end of file, reset
			return 0, ErrGone
		}
	}
}

// wait sleeps until the socket is ready or the deadline has passed.
func (c *conn) wait(events int16, deadline time.Time) error {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return ErrSilent
		}
		ready, err := sys.Await(c.fd, events, left)
		if ready {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return ErrGone
		}
	}
}
