package logind

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// What the bus may send. Any user may send a signal to any connection, 32 MiB
// by the bus's own limit, and decoding one takes fifty times its length: what
// is too long to be logind's is thrown away before that.
const (
	// maxSignal bounds a signal or call, in bytes. logind's have some hundred.
	maxSignal = 16 << 10
	// maxAnswer bounds an answer, in bytes: the bus passes on only those that
	// were asked for. A list of maxSessions has some 120 bytes for each.
	maxAnswer = 4 << 20
)

// The layout of a message's start (D-Bus specification, "Message Format").
const (
	headBytes    = 16
	typeAt       = 1
	bodyLengthAt = 4
	fieldsAt     = 12 // the length of the header's fields
	typeReturn   = 2
	typeError    = 3
	// maxFrame is the longest message that the specification allows.
	maxFrame = 128 << 20
)

var errNoMessage = errors.New("the bus sent what is no message")

// limited is a connection to the bus that skips messages over their limit.
type limited struct {
	net.Conn
	begun bool // authentication is over: messages from here on

	head [headBytes]byte
	from []byte // what of head has not been handed on
	left int    // bytes of the message that follow head
}

// Write sees the line that ends authentication. godbus writes it before it
// reads messages.
func (l *limited) Write(b []byte) (int, error) {
	n, err := l.Conn.Write(b)
	if bytes.Equal(b, []byte("BEGIN\r\n")) {
		l.begun = true
	}
	return n, err
}

// Read hands on whole messages within their limit, as a stream.
func (l *limited) Read(b []byte) (int, error) {
	if !l.begun {
		return l.Conn.Read(b)
	}
	if len(l.from) == 0 && l.left == 0 {
		if err := l.next(); err != nil {
			return 0, err
		}
	}
	if len(l.from) > 0 {
		n := copy(b, l.from)
		l.from = l.from[n:]
		return n, nil
	}
	n, err := l.Conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// next reads the start of the next message that is within its limit.
func (l *limited) next() error {
	for {
		if _, err := io.ReadFull(l.Conn, l.head[:]); err != nil {
			return err
		}
		rest, err := restOf(l.head)
		if err != nil {
			return err
		}
		limit := maxSignal
		if t := l.head[typeAt]; t == typeReturn || t == typeError {
			limit = maxAnswer
		}
		if headBytes+rest <= limit {
			l.from, l.left = l.head[:], rest
			return nil
		}
		if _, err := io.CopyN(io.Discard, l.Conn, int64(rest)); err != nil {
			return err
		}
	}
}

// restOf reports how many bytes of a message follow its start.
func restOf(head [headBytes]byte) (int, error) {
	var order binary.ByteOrder
	switch head[0] {
	case 'l':
		order = binary.LittleEndian
	case 'B':
		order = binary.BigEndian
	default:
		return 0, errNoMessage
	}
	const padding = 8
	fields := (uint64(order.Uint32(head[fieldsAt:])) + padding - 1) / padding * padding
	rest := fields + uint64(order.Uint32(head[bodyLengthAt:]))
	if rest > maxFrame {
		return 0, errNoMessage
	}
	return int(rest), nil
}
