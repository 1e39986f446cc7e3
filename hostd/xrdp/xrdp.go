// Package xrdp tells whether an RDP client is connected to a display: logind
// does not know, since disconnecting and reconnecting change no session.
//
// xrdp reaches a display through a socket in its folder, and a socket there
// with a peer is the sign. The kernel is asked for it by the file that a socket
// is bound to, not by name: any user can make a socket of the same name in a
// mount namespace of their own, or one whose name forges a line of
// /proc/net/unix.
package xrdp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// socketPrefix is how xrdp 0.9 names a display's socket; the display's
	// number follows.
	socketPrefix = "/run/xrdp/sockdir/xrdp_display_"
	// freshFor is how long a list is used again. Readings of all sessions
	// come every few seconds, and each would read the list anew.
	freshFor = 2 * time.Second
)

// file is what the kernel's list says of the file that a socket is bound to:
// the lower half of its inode number, and its file system's device as the
// kernel itself writes it.
type file struct{ inode, device uint32 }

// Peers answers for all displays. Make one with NewPeers; it is safe for
// concurrent use.
type Peers struct {
	now func() time.Time

	mu        sync.Mutex
	readAt    time.Time
	connected map[file]bool
	err       error
}

// NewPeers makes a Peers of this machine. It reads nothing yet.
func NewPeers() *Peers { return &Peers{now: time.Now} }

// Connected says whether an RDP client is connected to display, such as ":10",
// whose X server runs as uid. The answer is at most freshFor old.
func (p *Peers) Connected(display string, uid uint32) (bool, error) {
	number, ok := displayNumber(display)
	if !ok {
		return false, fmt.Errorf("display %q: want one such as :10", display)
	}
	bound, ok, err := ownSocket(socketPrefix+number, uid)
	if !ok || err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.readAt.IsZero() || now.Sub(p.readAt) >= freshFor || now.Before(p.readAt) {
		p.connected, p.err = connectedFiles(bound.device)
		p.readAt = now
	}
	return p.connected[bound], p.err
}

// ownSocket looks at a display's socket. ok is false if there is none, or if
// it is somebody else's: every user may make files in xrdp's folder.
func ownSocket(path string, uid uint32) (f file, ok bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	}
	if err != nil {
		return f, false, fmt.Errorf("look for RDP clients: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Type() != fs.ModeSocket || st.Uid != uid {
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

// digits says whether s is a number of at most six digits, more than any
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
