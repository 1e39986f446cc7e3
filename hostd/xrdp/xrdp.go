// Package xrdp tells whether an RDP client is connected to a display: logind
// does not know, since disconnecting and reconnecting change no session.
package xrdp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// socketPrefix is how xrdp 0.9 names a display's socket; the display's
	// number follows.
	socketPrefix = "/run/xrdp/sockdir/xrdp_display_"
	// procNetUnix lists every unix socket of the network namespace.
	procNetUnix = "/proc/net/unix"
	// maxBytes bounds what is read of it: 100,000 sockets and more.
	maxBytes = 16 << 20
	// freshFor is how long a list is used again. Readings of all sessions
	// come every few seconds, and each would read the list anew.
	freshFor = 2 * time.Second
)

// The kernel prints "Num: RefCount Protocol Flags Type St Inode Path" with
// these values for a connected stream socket (SS_CONNECTED is 3).
const (
	streamType     = "0001"
	stateConnected = "03"
	fieldsBefore   = 7 // the path follows the seventh field
)

// Peers answers for all displays. Make one with NewPeers; it is safe for
// concurrent use.
type Peers struct {
	path string
	now  func() time.Time

	mu        sync.Mutex
	readAt    time.Time
	connected map[string]bool // display number, digits only
	err       error
}

// NewPeers makes a Peers of this machine. It reads nothing yet.
func NewPeers() *Peers { return &Peers{path: procNetUnix, now: time.Now} }

// Connected says whether an RDP client is connected to display, such as ":10".
// The answer is at most freshFor old.
func (p *Peers) Connected(display string) (bool, error) {
	number, ok := displayNumber(display)
	if !ok {
		return false, fmt.Errorf("display %q: want one such as :10", display)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.readAt.IsZero() || now.Sub(p.readAt) >= freshFor || now.Before(p.readAt) {
		p.connected, p.err = read(p.path)
		p.readAt = now
	}
	return p.connected[number], p.err
}

func read(path string) (map[string]bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("look for RDP clients: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("look for RDP clients in %s: %w", path, err)
	}
	if len(b) > maxBytes {
		return nil, errors.New("look for RDP clients: the list of sockets is too long")
	}
	return parse(b), nil
}

// parse gives the displays that have a connected socket. Names are chosen by
// users and may hold anything, newlines too: a line is believed only if it has
// the kernel's exact form, and what follows from one is no more than a display
// shown as connected.
func parse(b []byte) map[string]bool {
	found := make(map[string]bool)
	for line := range bytes.Lines(b) {
		if number, ok := parseLine(string(bytes.TrimSuffix(line, []byte("\n")))); ok {
			found[number] = true
		}
	}
	return found
}

func parseLine(line string) (number string, ok bool) {
	name := strings.Index(line, " "+socketPrefix)
	if name < 0 {
		return "", false
	}
	head, path := line[:name], line[name+1:]
	f := strings.Fields(head)
	if len(f) != fieldsBefore || !strings.HasSuffix(f[0], ":") {
		return "", false
	}
	if f[4] != streamType || f[5] != stateConnected {
		return "", false
	}
	number = strings.TrimPrefix(path, socketPrefix)
	return number, digits(number)
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
