package repository

import (
	"crypto/sha1" //nolint:gosec // what the fingerprint of a key of version 4 is by its definition
	"encoding/binary"
	"errors"
	"fmt"
)

// maxKeyBytes bounds the file of the key: one with many signatures is some
// kilobytes.
const maxKeyBytes = 64 << 10

// The kinds of OpenPGP packet that matter here (RFC 9580).
const (
	secretKey        = 5
	publicKey        = 6
	secretSubkey     = 7
	keyVersion       = 4
	fingerprintOctet = 0x99
)

var errKey = errors.New("no OpenPGP public key in binary form")

// fingerprint returns that of the one public key that the binary keyring holds, in
// 40 hexadecimal digits. It refuses what doesn't belong where hosts fetch it: a
// second key, and above all a private one.
func fingerprint(ring []byte) (string, error) {
	found := ""
	for len(ring) > 0 {
		kind, body, rest, err := packet(ring)
		switch {
		case err != nil:
			return "", err
		case kind == secretKey, kind == secretSubkey:
			return "", ErrPrivateKey
		case kind == publicKey && found != "":
			return "", errors.New("it holds more than one key")
		case kind != publicKey && found == "":
			return "", errKey
		case kind == publicKey:
			if len(body) == 0 || body[0] != keyVersion || len(body) > 1<<16-1 {
				return "", fmt.Errorf("its key is not of version %d", keyVersion)
			}
			head := binary.BigEndian.AppendUint16([]byte{fingerprintOctet}, uint16(len(body)))
			found = fmt.Sprintf("%X", sha1.Sum(append(head, body...))) //nolint:gosec // see above
		}
		ring = rest
	}
	if found == "" {
		return "", errKey
	}
	return found, nil
}

// packet returns the first packet of b and what follows it.
func packet(b []byte) (kind byte, body, rest []byte, err error) {
	const always, newForm = 0x80, 0x40
	if len(b) < 2 || b[0]&always == 0 {
		return 0, nil, nil, errKey
	}
	var head, length int
	if b[0]&newForm != 0 {
		kind = b[0] & 0x3f
		head, length = newLength(b)
	} else {
		kind = b[0] >> 2 & 0xf
		head, length = oldLength(b)
	}
	if head == 0 || length > len(b)-head {
		return 0, nil, nil, errKey
	}
	return kind, b[head : head+length], b[head+length:], nil
}

// oldLength returns the lengths of an old packet's header and body; 0 where the
// header has none.
func oldLength(b []byte) (head, body int) {
	switch kind := b[0] & 3; {
	case kind == 0:
		return 2, int(b[1])
	case kind == 1 && len(b) >= 3:
		return 3, int(binary.BigEndian.Uint16(b[1:]))
	case kind == 2 && len(b) >= 5:
		return longLength(b, 1)
	}
	return 0, 0
}

// newLength is oldLength of the new form. A body in parts has no place in a key.
func newLength(b []byte) (head, body int) {
	const twoBytes, parts, fourBytes = 192, 224, 255
	switch first := b[1]; {
	case first < twoBytes:
		return 2, int(first)
	case first < parts && len(b) >= 3:
		return 3, int(first-twoBytes)<<8 + int(b[2]) + twoBytes
	case first == fourBytes && len(b) >= 6:
		return longLength(b, 2)
	}
	return 0, 0
}

func longLength(b []byte, at int) (head, body int) {
	n := binary.BigEndian.Uint32(b[at:])
	if n > maxKeyBytes {
		return 0, 0
	}
	return at + 4, int(n)
}
