package seat

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxPropertyBytes bounds what is read of a device's properties: some 1 KiB.
const maxPropertyBytes = 64 << 10

// properties are what udev has found out about a device.
type properties map[string]string

// seat is the seat that the device belongs to.
func (p properties) seat() string {
	if s := p["ID_SEAT"]; s != "" {
		return s
	}
	return Default
}

// ignored reports whether desktops leave the device alone, so that nobody works
// through it.
func (p properties) ignored() bool {
	return p["LIBINPUT_IGNORE_DEVICE"] == "1" || p["ID_INPUT_ACCELEROMETER"] == "1" ||
		p["ID_INPUT_JOYSTICK"] == "1" && p["ID_INPUT_KEYBOARD"] != "1" && p["ID_INPUT_MOUSE"] != "1"
}

// number is an open device's, as files are named after it: "13:64".
func number(fd int) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("ask for a device's number: %w", err)
	}
	major, minor := unix.Major(st.Rdev), unix.Minor(st.Rdev)
	return strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10), nil
}

// properties reads what udev has written down of an open device.
func (s *Seat) properties(fd int) (properties, error) {
	n, err := number(fd)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(s.opts.Places.Udev, "c"+n))
	if err != nil {
		return nil, fmt.Errorf("read a device's properties: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxPropertyBytes))
	if err != nil {
		return nil, fmt.Errorf("read a device's properties: %w", err)
	}
	return parseProperties(b), nil
}

// parseProperties reads lines such as "E:ID_SEAT=seat1".
func parseProperties(b []byte) properties {
	p := properties{}
	for line := range bytes.Lines(b) {
		text, found := bytes.CutPrefix(bytes.TrimRight(line, "\n"), []byte("E:"))
		if name, value, ok := strings.Cut(string(text), "="); found && ok {
			p[name] = value
		}
	}
	return p
}

// isVirtual reports whether a program made the device (uinput): those hang
// directly below the virtual input devices, whatever bus they claim. A device
// that cannot be found counts as virtual, since hands have to be proven.
func (s *Seat) isVirtual(fd int) bool {
	n, err := number(fd)
	if err != nil {
		return true
	}
	target, err := os.Readlink(filepath.Join(s.opts.Places.Devices, n))
	return err != nil || strings.Contains(target, "/devices/virtual/input/")
}
