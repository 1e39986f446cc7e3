// Package xrdp reports whether an RDP client is connected to a display: logind
// does not know, since disconnecting and reconnecting change no session.
//
// xrdp reaches an Xorg through a socket in its folder, and a socket there with a
// peer is the sign. The kernel is asked for it by the file that a socket is bound
// to, not by name: any user can make a socket of the same name in a mount
// namespace of their own, or one whose name forges a line of /proc/net/unix.
// It reaches an Xvnc through a TCP port of this machine; there the sign is a
// connection whose ends belong to the session's user and to xrdp.
package xrdp

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// socketFolder is where xrdp's sockets are. Since version 0.10 each user's
	// are in a folder of their own below it, named by uid.
	socketFolder = "/run/xrdp/sockdir"
	// socketName is how a display's socket is named; the display's number
	// follows.
	socketName = "xrdp_display_"
	// freshLeast and freshMost are how long a list is used again. Readings of all
	// sessions come every few seconds, and each would have the list read anew: the table
	// of TCP sockets takes 7 ms, however many there are.
	freshLeast = 2 * time.Second
	freshMost  = 5 * time.Second
	// freshPart is how much of a record that may be.
	freshPart = 12
)

// errUnknown is why it cannot be known whether a client is connected.
var errUnknown = errors.New("neither xrdp's socket of the display nor a port of Xvnc is the user's")

// file is what the kernel's list holds of the file that a socket is bound to:
// the lower half of its inode number, and its file system's device as the
// kernel itself writes it.
type file struct{ inode, device uint32 }

// Peers answers for all displays. Make one with NewPeers; it is safe for
// concurrent use.
type Peers struct {
	now    func() time.Time
	folder string // socketFolder, or a test's
	proc   string // "/proc", or a test's

	freshFor time.Duration

	mu sync.Mutex
	// sockets are those of the displays that are asked about.
	sockets fresh[map[question]*socket]
	ofX     fresh[map[file]bool] // sockets with a peer on device
	// device is that of the last question; there is one in practice.
	device uint32
	// listening is read before ofVNC, which costs a hundred times as much.
	listening fresh[listeners]
	ofVNC     fresh[vncPorts]
}

// NewPeers makes a Peers of this machine, for records of a length. It reads nothing
// yet.
func NewPeers(record time.Duration) *Peers {
	return &Peers{
		now: time.Now, folder: socketFolder, proc: "/proc",
		freshFor: min(max(record/freshPart, freshLeast), freshMost),
	}
}

// fresh is an answer of the kernel's that is used for a while.
type fresh[T any] struct {
	readAt time.Time
	value  T
	err    error
}

// get returns the answer, which read reads anew where it is older than that.
func (f *fresh[T]) get(now time.Time, old time.Duration, read func() (T, error)) (T, error) {
	if f.readAt.IsZero() || now.Sub(f.readAt) >= old || now.Before(f.readAt) {
		f.value, f.err = read()
		f.readAt = now
	}
	return f.value, f.err
}

// Connected reports whether an RDP client is connected to display, such as
// ":10", whose X server runs as uid. The answer is at most freshFor old. Where
// it cannot be known, it returns why as an error.
func (p *Peers) Connected(display string, uid uint32) (bool, error) {
	number, ok := displayNumber(display)
	if !ok {
		return false, fmt.Errorf("display %q: want one such as :10", display)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.lookAt(question{number, uid})
	switch {
	case s.err != nil:
		return false, s.err
	case s.ok:
		return p.throughSocket(s)
	}
	return p.throughPort(number, uid)
}

// question is what is asked: a display's number, and whose it is to be.
type question struct {
	number string
	uid    uint32
}

// socket is what was found of a display's socket, and whether somebody asked since.
type socket struct {
	file  file
	ok    bool
	err   error
	asked bool
	since time.Time // of the first question
}

// lookAt returns what is known of a display's socket; the caller holds the lock. All
// that are asked about are looked at together: one system call for each reading of 300
// sessions would wake one of Go's threads each time.
func (p *Peers) lookAt(q question) *socket {
	all, _ := p.sockets.get(p.now(), p.freshFor, func() (map[question]*socket, error) {
		again := make(map[question]*socket)
		for q, was := range p.sockets.value {
			if was.asked {
				again[q] = p.look(q)
				again[q].since = was.since
			}
		}
		return again, nil
	})
	s, known := all[q]
	if !known {
		s = p.look(q)
		s.since = p.now()
		all[q] = s
	}
	s.asked = true
	return s
}

func (p *Peers) look(q question) *socket {
	s := new(socket)
	s.file, s.ok, s.err = p.socketOf(q.number, q.uid)
	return s
}

// throughPort looks for a client at the port of an Xvnc; the caller holds the lock.
func (p *Peers) throughPort(number string, uid uint32) (bool, error) {
	// Where the kernel has no such list, the table has the listeners too.
	at, err := p.listening.get(p.now(), p.freshFor, readListeners)
	if port, ok := vncPort(number); err == nil && (!ok || !at[port][uid]) {
		return false, errUnknown
	}
	ports, err := p.ofVNC.get(p.now(), p.freshFor, func() (vncPorts, error) { return readVNC(p.proc) })
	if err != nil {
		return false, err
	}
	connected, err := ports.connected(number, uid)
	if err != nil {
		return false, fmt.Errorf("look for an RDP client on :%s: %w", number, err)
	}
	return connected, nil
}

// throughSocket looks for a client at a display's socket; the caller holds the lock.
// That nobody is at a display that is new is not taken from a list of before: who has
// just logged in would be disconnected while they type.
func (p *Peers) throughSocket(s *socket) (bool, error) {
	if s.file.device != p.device {
		p.device, p.ofX = s.file.device, fresh[map[file]bool]{}
	}
	read := func() (map[file]bool, error) { return connectedFiles(p.device) }
	list, err := p.ofX.get(p.now(), p.freshFor, read)
	if err == nil && !list[s.file] && p.now().Sub(s.since) < p.freshFor {
		list, err = p.ofX.get(p.now(), 0, read)
	}
	return list[s.file], err
}

// socketOf looks for a display's socket in both places. ok is false if there is
// none of the user's.
func (p *Peers) socketOf(number string, uid uint32) (f file, ok bool, err error) {
	own := filepath.Join(p.folder, strconv.FormatUint(uint64(uid), 10))
	if isOwnFolder(own, uid) {
		f, ok, err = ownSocket(filepath.Join(own, socketName+number), uid)
	}
	if ok || err != nil {
		return f, ok, err
	}
	return ownSocket(filepath.Join(p.folder, socketName+number), uid)
}

// isOwnFolder reports whether path is a folder of the user's, and no link:
// before version 0.10 every user may make files of any name where it would be.
func isOwnFolder(path string, uid uint32) bool {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Uid == uid
}

// ownSocket looks at a display's socket. ok is false if there is none, or if
// it is somebody else's: every user may make files in xrdp's folder.
func ownSocket(path string, uid uint32) (f file, ok bool, err error) {
	var st unix.Stat_t
	err = unix.Lstat(path, &st)
	if errors.Is(err, unix.ENOENT) {
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("look for RDP clients at %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || st.Uid != uid {
		return f, false, nil
	}
	const minorBits = 20 // in the kernel's own form of a device number
	return file{
		inode:  uint32(st.Ino & (1<<32 - 1)),
		device: unix.Major(st.Dev)<<minorBits | unix.Minor(st.Dev),
	}, true, nil
}

// displayNumber takes "10" out of ":10" or ":10.0".
func displayNumber(display string) (string, bool) {
	rest, ok := strings.CutPrefix(display, ":")
	if !ok {
		return "", false
	}
	number, _, _ := strings.Cut(rest, ".")
	return number, digits(number)
}

// digits reports whether s is a number of at most six digits, more than any
// display has.
func digits(s string) bool {
	if s == "" || len(s) > 6 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
