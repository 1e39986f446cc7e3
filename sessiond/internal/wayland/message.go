package wayland

import (
	"bytes"
	"encoding/binary"
)

// Message is one event. Its arguments are taken off in order; what is missing
// or malformed is zero, and the connection ends after the handler returned.
// Arguments may be left untaken: later versions of a protocol may add some.
type Message struct {
	// Opcode numbers the event within the object's interface.
	Opcode uint16
	rest   []byte
	bad    bool
}

// NewMessage is an event with arguments as they are sent.
func NewMessage(opcode uint16, args []byte) *Message { return &Message{Opcode: opcode, rest: args} }

// Uint takes a number.
func (m *Message) Uint() uint32 {
	const wordBytes = 4
	if len(m.rest) < wordBytes {
		m.bad, m.rest = true, nil
		return 0
	}
	v := binary.NativeEndian.Uint32(m.rest)
	m.rest = m.rest[wordBytes:]
	return v
}

// NewID takes the number of an object that the compositor has made; zero if the
// number is not one of a compositor's.
func (m *Message) NewID() uint32 {
	id := m.Uint()
	if id < firstServerObject {
		m.bad = true
		return 0
	}
	return id
}

// Array takes bytes, which are good until the handler returns.
func (m *Message) Array() []byte {
	n := uint64(m.Uint())
	padded := (n + 3) &^ 3
	if padded > uint64(len(m.rest)) {
		m.bad, m.rest = true, nil
		return nil
	}
	v := m.rest[:n]
	m.rest = m.rest[padded:]
	return v
}

// Text takes a text, which is good until the handler returns. It is whatever
// bytes were sent: the caller cleans it.
func (m *Message) Text() []byte {
	b := m.Array()
	if len(b) == 0 {
		return nil // the null string
	}
	if text, rest, found := bytes.Cut(b, []byte{0}); found && len(rest) == 0 {
		return text
	}
	m.bad = true // not ended, or ended twice
	return nil
}

// AppendText appends a text as a request has it.
func AppendText(dst []byte, s string) []byte {
	dst = binary.NativeEndian.AppendUint32(dst, uint32(len(s)+1))
	dst = append(dst, s...)
	return append(dst, make([]byte, 4-len(s)%4)...)
}
