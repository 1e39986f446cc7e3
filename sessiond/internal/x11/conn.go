package x11

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
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
	// requestGarbage is about what xgb allocates for a request and a short reply,
	// in bytes, measured: a cookie and its channels, the request, the reply.
	requestGarbage = 600
)

// Ends of a connection.
var (
	// ErrGone reports that the X server closed the connection.
	ErrGone = errors.New("the X server is gone")
	// ErrSilent reports that the X server did not answer within replyTimeout.
	ErrSilent = errors.New("the X server does not answer")
)

// conn is xgb's connection to an X server, behind a filter, for one goroutine.
//
// The filter is needed since xgb reads each event as 32 bytes, and XInput2's
// are longer; wakes for each event; allocates whatever length a server claims;
// and waits without limit for an answer that the server owes, or whose error
// code belongs to an extension that it does not know. So conn alone reads the
// socket. It hands XInput2's events to raw, and lets xgb have the answers that
// it waits for, in order, and the few events of the core protocol that matter,
// each checked first. Whoever needs an answer reads the socket until the answer
// has been let through: xgb's own waits then end at once.
type conn struct {
	fd    int
	pipe  *pipe
	x     *xgb.Conn // nil before the setup
	in    []byte    // in[r:w] is unread
	r, w  int
	raw   func(event []byte)
	event func(xgb.Event)
	// saverEvent is the kind of the screen saver's events, which raw takes too; 0
	// for none.
	saverEvent byte

	got     bool   // an event has come since the caller last cleared it
	owed    []debt // answers that the server owes, oldest first
	passed  int    // events that xgb was fed and has not handed back
	garbage int    // bytes that were allocated, about
}

// debt is an answer that is to come.
type debt struct {
	seq   uint16
	valid func(reply []byte) bool // nil: any reply will do
}

func newConn(fd int, raw func([]byte), event func(xgb.Event)) *conn {
	xgb.Logger.SetOutput(io.Discard) // it logs its own workings; errors are returned
	return &conn{fd: fd, pipe: newPipe(), in: make([]byte, bufferBytes), raw: raw, event: event}
}

// close ends the connection, and by its pipe xgb's goroutines. Nothing is left
// to lose: only requests were written.
func (c *conn) close() {
	c.wipe()
	_ = c.pipe.Close() // never fails
	_ = unix.Close(c.fd)
}

// request makes a request that xgb has no package for: its opcode, the second
// byte of its header, its body and bytes after that, padded.
func request(opcode, second byte, tail []byte, body ...uint32) []byte {
	words := 1 + len(body) + (len(tail)+3)/4
	b := make([]byte, 0, 4*words)
	b = append(b, opcode, second)
	b = binary.LittleEndian.AppendUint16(b, uint16(words))
	for _, v := range body {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, tail...)
	return b[:4*words] // made of zeros
}

// send queues a request that has no answer. Its error, if there is one, is
// passed by.
func (c *conn) send(b []byte) {
	c.garbage += requestGarbage
	c.x.NewRequest(b, c.x.NewCookie(false, false))
}

// ask queues a request of ours that has an answer.
func (c *conn) ask(b []byte) *xgb.Cookie {
	cookie := c.x.NewCookie(true, true)
	c.x.NewRequest(b, cookie)
	return c.owe(cookie, nil)
}

// owe notes that the server owes an answer to what was queued.
func (c *conn) owe(cookie *xgb.Cookie, valid func([]byte) bool) *xgb.Cookie {
	c.garbage += requestGarbage
	c.owed = append(c.owed, debt{cookie.Sequence, valid})
	return cookie
}

// answer waits for an answer, while events go to their handlers, and reads it.
// Nil without an error is an X error: what was asked about does not exist.
func answer[T any](c *conn, cookie *xgb.Cookie, read func() (*T, error)) (*T, error) {
	if err := c.await(cookie.Sequence); err != nil {
		return nil, err
	}
	reply, err := read()
	var refused xgb.Error
	switch {
	case errors.As(err, &refused):
		return nil, nil
	case err != nil: // xgb has ended, which it does with the pipe alone
		return nil, ErrGone
	}
	return reply, nil
}

// reply waits for the answer to a request that ask queued, and returns it as it
// came: headerBytes at least. Nil without an error is an X error.
func (c *conn) reply(cookie *xgb.Cookie) ([]byte, error) {
	b, err := answer(c, cookie, func() (*[]byte, error) {
		b, err := cookie.Reply()
		return &b, err
	})
	if b == nil {
		return nil, err
	}
	return *b, nil
}

// flush sends what is queued.
func (c *conn) flush() error {
	out := c.pipe.take()
	defer func() { clear(out) }() // it may be the cookie
	deadline := time.Now().Add(replyTimeout)
	for left := out; len(left) > 0; {
		n, err := sys.Write(c.fd, left)
		switch {
		case err == nil:
			left = left[n:]
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

// drain hands all events that have arrived to their handlers, without waiting.
func (c *conn) drain() error {
	for {
		space := len(c.in) - c.w
		n, err := c.fill()
		err = errors.Join(c.parse(), err)
		if err = errors.Join(err, c.collect()); err != nil || n < space {
			return err // a short read has taken all there was
		}
	}
}

// await reads until the answer to a request has been let through. What was read
// behind it stays for the next call: it is about a state that the caller knows
// only by this answer.
func (c *conn) await(seq uint16) error {
	if err := c.flush(); err != nil {
		return err
	}
	deadline := time.Now().Add(replyTimeout)
	for slices.ContainsFunc(c.owed, func(d debt) bool { return d.seq == seq }) {
		m, err := c.next()
		if err != nil {
			return err
		}
		if m != nil {
			if err := c.sort(m); err != nil {
				return err
			}
			continue
		}
		n, err := c.fill()
		if err != nil {
			return err
		}
		if n == 0 {
			if err := c.wait(unix.POLLIN, deadline); err != nil {
				return err
			}
		}
	}
	return c.collect()
}

// parse sorts what was read; nobody waits for an answer.
func (c *conn) parse() error {
	for {
		m, err := c.next()
		if m == nil || err != nil {
			return err
		}
		if err := c.sort(m); err != nil {
			return err
		}
	}
}

// sort passes a message to whom it is for. Events that nobody looks at end here,
// and those that another client forged, which have the highest bit set.
func (c *conn) sort(m []byte) error {
	if m[0] == kindReply || m[0] == kindError {
		return c.admit(m)
	}
	c.got = true
	switch {
	case m[0] == kindGeneric, c.saverEvent != 0 && m[0] == c.saverEvent:
		c.raw(m)
	case m[0] == xproto.PropertyNotify, m[0] == xproto.DestroyNotify, m[0] == xproto.ConfigureNotify:
		c.pipe.feed(m)
		c.passed++
	}
	return nil
}

// admit lets an answer through, if it is the one that the server owes next. An
// answer that xgb does not wait for would take its reader's other answers away.
func (c *conn) admit(m []byte) error {
	isError := m[0] == kindError
	early := len(c.owed) == 0 // to a request without an answer, which only fails
	if !early {
		late := int16(binary.LittleEndian.Uint16(m[2:]) - c.owed[0].seq)
		if late > 0 {
			return ErrNonsense // it skipped an answer
		}
		early = late < 0
	}
	if early {
		if !isError {
			return ErrNonsense
		}
		return nil
	}
	d := c.owed[0]
	c.owed = append(c.owed[:0], c.owed[1:]...)
	if isError {
		m[1] = xproto.BadImplementation // a code that xgb knows: which it is makes no difference here
	} else if d.valid != nil && !d.valid(m) {
		return ErrNonsense
	}
	c.garbage += len(m)
	c.pipe.feed(m)
	return nil
}

// collect takes the events that xgb was fed back from it. It has made them or does
// so at once: each message of these kinds makes one.
func (c *conn) collect() error {
	for ; c.passed > 0; c.passed-- {
		e, err := c.x.WaitForEvent()
		if e == nil && err == nil {
			return ErrGone // xgb has ended, which it does with the pipe alone
		}
		c.garbage += 2 * headerBytes
		c.event(e)
	}
	return nil
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

// fill reads once, without waiting, and returns how much; there is always room,
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
