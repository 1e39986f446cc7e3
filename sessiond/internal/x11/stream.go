package x11

import (
	"encoding/binary"
	"errors"
)

// Sizes of what an X server sends.
const (
	// headerBytes is the least of anything: an error, an event, or the fixed
	// part of a reply and of a generic event.
	headerBytes = 32
	// maxMessageBytes bounds replies and generic events: the largest that is
	// ever asked for is the list of devices, some 1 KiB for each keyboard.
	maxMessageBytes = 256 << 10
)

// Kinds of message, by their first byte.
const (
	kindError   = 0
	kindReply   = 1
	kindGeneric = 35
)

// ErrNonsense reports that the X server sent what no X server sends.
var ErrNonsense = errors.New("the X server broke the protocol")

// messageLength returns how long the message is whose start is b: 0 if b is too
// short to know, an error if it is longer than any real one.
func messageLength(b []byte) (int, error) {
	if len(b) < headerBytes {
		return 0, nil
	}
	if b[0] != kindReply && b[0] != kindGeneric {
		return headerBytes, nil
	}
	words := binary.LittleEndian.Uint32(b[4:])
	if words > (maxMessageBytes-headerBytes)/4 {
		return 0, ErrNonsense
	}
	return headerBytes + 4*int(words), nil
}

// nextMessage cuts the first whole message off b. message is nil if b holds
// only a part of one; want is then how long it is (at least headerBytes).
func nextMessage(b []byte) (message, rest []byte, want int, err error) {
	n, err := messageLength(b)
	if err != nil {
		return nil, b, 0, err
	}
	if n == 0 || len(b) < n {
		return nil, b, max(n, headerBytes), nil
	}
	return b[:n], b[n:], n, nil
}
