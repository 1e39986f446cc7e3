package xrdp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// firstVNCPort is the port of display :0; display :N listens N above it.
	firstVNCPort = 5900
	// maxTable bounds what is read of the kernel's table of TCP sockets, in
	// bytes: a line has 150, so 400,000 sockets.
	maxTable = 64 << 20
	// runtimeUser is whom xrdp can be set to run as; else it is root.
	runtimeUser = "xrdp"
)

// The kernel's numbers of TCP states.
const (
	tcpEstablished = "01"
	tcpListen      = "0A"
)

// The columns of /proc/net/tcp.
const (
	localColumn  = 1
	peerColumn   = 2
	stateColumn  = 3
	uidColumn    = 7
	fewestFields = 8
)

// mappedPrefix is what the kernel writes before an IPv4 address that stands in an
// IPv6 one, on machines that count bytes from the least.
const mappedPrefix = "0000000000000000FFFF0000"

// vncPorts is what the kernel knows of the TCP ports where an Xvnc may be.
type vncPorts struct {
	// xrdp is as whom xrdp runs, beside root.
	xrdp      map[uint32]bool
	listeners listeners
	// owners is whose each end of a connection is, by both its addresses, and at
	// the ends at a port.
	owners map[ends]uint32
	at     map[uint16][]ends
}

// listeners are the users that listen on a port.
type listeners map[uint16]map[uint32]bool

func (l listeners) add(port uint16, uid uint32) {
	if l[port] == nil {
		l[port] = make(map[uint32]bool)
	}
	l[port][uid] = true
}

// vncPort returns the port of a display's Xvnc.
func vncPort(number string) (uint16, bool) {
	n, err := strconv.ParseUint(number, 10, 16)
	return uint16(n + firstVNCPort), err == nil && n+firstVNCPort <= 0xffff
}

// ends are the two addresses of a connection, as the kernel writes them: one end
// has them in one order, the other in the other.
type ends struct{ local, peer string }

// errVNC is why it cannot be known whether xrdp is connected to an Xvnc.
var errVNC = errors.New("somebody other than xrdp is connected to its Xvnc")

// connected reports whether xrdp is connected to the Xvnc of a user's display,
// or why that cannot be known.
func (v vncPorts) connected(number string, uid uint32) (bool, error) {
	port, ok := vncPort(number)
	if !ok || !v.listeners[port][uid] {
		return false, errUnknown
	}
	var err error
	for _, e := range v.at[port] {
		if v.owners[e] != uid {
			continue
		}
		// Anybody on this machine can connect to the port, and send nothing there.
		if client, here := v.owners[ends{e.peer, e.local}]; here && v.xrdp[client] {
			return true, nil
		}
		err = errVNC
	}
	return false, err
}

// readVNC reads the kernel's tables of TCP sockets, where no user can write a
// name.
func readVNC(proc string) (vncPorts, error) {
	v := vncPorts{
		xrdp:      map[uint32]bool{0: true},
		listeners: make(listeners),
		owners:    make(map[ends]uint32),
		at:        make(map[uint16][]ends),
	}
	if u, err := user.Lookup(runtimeUser); err == nil {
		if uid, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			v.xrdp[uint32(uid)] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		err := v.read(filepath.Join(proc, "net", table))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // without IPv6 there is no tcp6
			return v, fmt.Errorf("look for RDP clients: %w", err)
		}
	}
	return v, nil
}

func (v vncPorts) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	lines := bufio.NewScanner(io.LimitReader(f, maxTable))
	for lines.Scan() {
		v.take(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// take takes in one line of a table; a connection is kept if an end of it is
// where an Xvnc may be.
func (v vncPorts) take(line string) {
	fields := strings.Fields(line)
	if len(fields) < fewestFields {
		return
	}
	for _, i := range []int{localColumn, peerColumn} {
		// One end can be of IPv4, and the other of IPv6 that carries it.
		fields[i] = strings.TrimPrefix(fields[i], mappedPrefix)
	}
	uid, err := strconv.ParseUint(fields[uidColumn], 10, 32)
	if err != nil {
		return
	}
	local, okLocal := portOf(fields[localColumn])
	peer, okPeer := portOf(fields[peerColumn])
	switch {
	case fields[stateColumn] == tcpListen && okLocal && local >= firstVNCPort:
		v.listeners.add(local, uint32(uid))
	case fields[stateColumn] == tcpEstablished && okLocal && okPeer && (local >= firstVNCPort || peer >= firstVNCPort):
		e := ends{fields[localColumn], fields[peerColumn]}
		v.owners[e] = uint32(uid)
		v.at[local] = append(v.at[local], e)
	}
}

// portOf takes the port out of "0100007F:1717".
func portOf(address string) (uint16, bool) {
	i := strings.LastIndexByte(address, ':')
	port, err := strconv.ParseUint(address[i+1:], 16, 16)
	return uint16(port), i >= 0 && err == nil
}
