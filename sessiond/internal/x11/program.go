package x11

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/text"
	"activity-tracker.example/sessiond/wire"
)

// X-Resource, for which this version of xgb has no client ids.
const (
	xresQueryVersion   = 0
	xresQueryClientIds = 4
	xresLocalPID       = 2 // the mask, and the kind of an answer
	// client ids came with version 1.2.
	xresMajor, xresMinor = 1, 2
)

// program returns the name of the program that made a window which names no class;
// empty if that is not sure. What the window states of itself must be what the X
// server knows of the client: else it runs on another machine, or lies.
func (d *Display) program(window xproto.Window) (string, error) {
	if d.xres == 0 {
		return "", nil
	}
	said, err := d.word(window, d.atoms.netWMPid, xproto.AtomCardinal)
	if said == 0 || err != nil {
		return "", err
	}
	known, err := d.clientPID(window)
	if known != said || err != nil {
		return "", err
	}
	d.c.garbage += headerBytes
	return programName(said), nil
}

// programName returns the name of a process; empty if it has ended.
func programName(pid uint32) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.FormatUint(uint64(pid), 10), "comm"))
	if err != nil || len(name) == 0 {
		return ""
	}
	return text.Clean(name[:len(name)-1], wire.MaxAppBytes)
}

// findResource learns whether X-Resource is there.
func (d *Display) findResource() error {
	opcode, err := d.extension("X-Resource")
	if opcode == 0 || err != nil {
		return err
	}
	reply, err := d.c.reply(d.c.ask(request(opcode, xresQueryVersion, nil, uint32(xresMajor)|uint32(xresMinor)<<8)))
	if reply == nil {
		return err
	}
	major, minor := binary.LittleEndian.Uint16(reply[8:]), binary.LittleEndian.Uint16(reply[10:])
	if major > xresMajor || major == xresMajor && minor >= xresMinor {
		d.xres = opcode
	}
	return nil
}

// clientPID asks the X server which process made a window; 0 if it does not know.
func (d *Display) clientPID(window xproto.Window) (uint32, error) {
	const specs = 1
	reply, err := d.c.reply(d.c.ask(request(d.xres, xresQueryClientIds, nil, specs, uint32(window), xresLocalPID)))
	if reply == nil {
		return 0, err
	}
	return parseClientPID(reply), nil
}

// parseClientPID reads the answer to QueryClientIds about one window: 0 if it holds
// anything but one process.
func parseClientPID(reply []byte) uint32 {
	const (
		countAt = 8
		maskAt  = headerBytes + 4
		sizeAt  = headerBytes + 8
		pidAt   = headerBytes + 12
		whole   = headerBytes + 16
	)
	if len(reply) < whole || binary.LittleEndian.Uint32(reply[countAt:]) != 1 ||
		binary.LittleEndian.Uint32(reply[maskAt:]) != xresLocalPID || binary.LittleEndian.Uint32(reply[sizeAt:]) != 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(reply[pidAt:])
}
