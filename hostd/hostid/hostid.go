// Package hostid names the host without revealing its machine id: the id is
// secret to the machine (machine-id(5)), a hash made for this application only
// is not.
package hostid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Path is where the machine's id lies.
const Path = "/etc/machine-id"

// maxFile bounds what is read of the file: 32 digits and a newline are valid.
const maxFile = 64

// appID makes the hash this application's own: 16 bytes drawn once at random.
// They must never change, or every host would get a new name.
const appID = "\x5b\x1f\x54\xbd\x04\xed\x90\xa6\x42\x19\xd0\x1b\x58\x60\x34\xfb"

// userAppID is the same for what names one person's own daemon: an id of its own,
// so that it never stands for the whole host.
const userAppID = "\xc2\x0e\x8a\x47\x93\xd5\x4b\x61\xb0\x7c\x25\xfe\x19\x36\xad\x58"

// shortDigits is how many hexadecimal digits distinguish hosts in a machine_id;
// the host's name stands beside them.
const shortDigits = 6

// ID is the host's application-specific id, a UUID of version 4.
type ID [16]byte

// String returns the id as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first six hexadecimal digits.
func (id ID) Short() string { return id.String()[:shortDigits] }

// Read makes the host's id from the machine id in the file at path.
func Read(path string) (ID, error) {
	machine, err := readMachine(path)
	if err != nil {
		return ID{}, err
	}
	return derive(machine, appID), nil
}

// ReadForUser makes the id of the daemon that the user of this uid runs for
// themselves, from the machine id in the file at path.
func ReadForUser(path string, uid uint32) (ID, error) {
	machine, err := readMachine(path)
	if err != nil {
		return ID{}, err
	}
	return derive(machine, string(binary.BigEndian.AppendUint32([]byte(userAppID), uid))), nil
}

func readMachine(path string) (machine [16]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return machine, fmt.Errorf("read the machine id: %w; run systemd-machine-id-setup", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return machine, fmt.Errorf("read the machine id: %w", err)
	}
	machine, err = parse(string(b))
	if err != nil {
		return machine, fmt.Errorf("machine id in %s: %w; run systemd-machine-id-setup", path, err)
	}
	return machine, nil
}

// parse reads a machine-id file: 32 hexadecimal digits, perhaps a newline.
func parse(s string) ([16]byte, error) {
	var id [16]byte
	s = strings.TrimSuffix(s, "\n")
	switch {
	case s == "" || s == "uninitialized":
		return id, errors.New("it has not been set up yet")
	case len(s) != 2*len(id):
		return id, errors.New("want 32 hexadecimal digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, errors.New("want 32 hexadecimal digits")
	}
	if id == ([16]byte{}) {
		return id, errors.New("all zeros name no machine")
	}
	return id, nil
}

// derive does what sd_id128_get_machine_app_specific does.
func derive(machine [16]byte, app string) ID {
	mac := hmac.New(sha256.New, machine[:])
	mac.Write([]byte(app))
	var id ID
	copy(id[:], mac.Sum(nil))
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // variant DCE
	return id
}
