// Package display lists the X displays of this machine, and whose they are: for
// each the owner of its socket's file, the process that listens there, and the
// session's scope in which that process is. It reports when one came or went. The
// kernel is asked, since any user can make a socket of any display's name.
package display

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// folder is where X servers have their sockets.
	folder = "/tmp/.X11-unix"
	// maxPerOwner bounds how many displays of one user are asked: every user may
	// make files there, and must not be able to hide another's.
	maxPerOwner = 64
	// batch is how many names are read at once.
	batch = 1024
	// maxProcBytes bounds a file of /proc that is read, in bytes: a line or two.
	maxProcBytes = 8 << 10
	// tickMicro is how many microseconds a tick of /proc has; it is 100 Hz on
	// every machine.
	tickMicro = 10_000
)

// Display is an X display on which somebody listens.
type Display struct {
	Number uint32
	// Owner is whose the socket's file is.
	Owner uint32
	// UID and PID are of the process that began to listen, and SinceMicro is
	// when it started, in microseconds since the machine did. PID is 0 where it
	// is none of the processes that are seen from here.
	UID        uint32
	PID        uint32
	SinceMicro uint64
	// Scope is the unit right below its user's slice, such as
	// "session-c1.scope"; empty if it is in none.
	Scope string
}

// Name is how programs call it, such as ":10".
func (d Display) Name() string { return ":" + strconv.FormatUint(uint64(d.Number), 10) }

// Places are where to look.
type Places struct {
	// Sockets is the folder of X servers' sockets, and Proc where /proc is.
	Sockets, Proc string
}

// System is where they are on a machine.
func System() Places { return Places{Sockets: folder, Proc: "/proc"} }

// List lists the displays on which somebody listens, in no order. One that
// cannot be asked is left out.
func (p Places) List() ([]Display, error) {
	dir, err := os.Open(p.Sockets)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list X displays: %w", err)
	}
	defer func() { _ = dir.Close() }() // only read
	var list []Display
	asked := make(map[uint32]int)
	for {
		names, err := dir.Readdirnames(batch)
		for _, name := range names {
			if d, ok := p.look(name, asked); ok {
				list = append(list, d)
			}
		}
		if err != nil { // the end of the folder
			return list, nil
		}
	}
}

// look asks who is behind one file; asked counts that by owner.
func (p Places) look(name string, asked map[uint32]int) (d Display, ok bool) {
	number, found := strings.CutPrefix(name, "X")
	n, err := strconv.ParseUint(number, 10, 16)
	if !found || err != nil || number != strconv.FormatUint(n, 10) {
		return d, false
	}
	path := filepath.Join(p.Sockets, name)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return d, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || asked[st.Uid] == maxPerOwner {
		return d, false
	}
	asked[st.Uid]++
	cred, err := listener(path)
	if err != nil {
		return d, false
	}
	d = Display{Number: uint32(n), Owner: st.Uid, UID: cred.Uid, PID: uint32(max(cred.Pid, 0))}
	if d.PID != 0 {
		proc := filepath.Join(p.Proc, strconv.FormatUint(uint64(d.PID), 10))
		d.SinceMicro, d.Scope = startOf(readSmall(filepath.Join(proc, "stat"))), scopeOf(readSmall(filepath.Join(proc, "cgroup")))
	}
	return d, true
}

// listener asks the kernel who listens on a socket. Nothing is sent there, and
// nobody is waited for.
func listener(path string) (*unix.Ucred, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was sent
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, fmt.Errorf("ask who listens: %w", err)
	}
	return cred, nil
}

// readSmall reads a file of /proc; empty if it is gone.
func readSmall(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	b := make([]byte, maxProcBytes)
	n, err := f.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// startOf reads when a process started out of its /proc/PID/stat. Its name, in
// parentheses, may hold anything.
func startOf(stat string) uint64 {
	const startField = 19 // the first after the name is 0
	_, rest, found := cutLast(stat, ")")
	fields := strings.Fields(rest)
	if !found || len(fields) <= startField {
		return 0
	}
	ticks, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0
	}
	return ticks * tickMicro
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// scopeOf reads the unit right below a user's slice out of /proc/PID/cgroup.
// Further below users make groups of any name.
func scopeOf(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		if controllers != "" && controllers != "name=systemd" {
			continue
		}
		parts := strings.Split(path, "/")
		const unitAt = 3 // "", user.slice, user-1000.slice, the unit
		if len(parts) > unitAt && parts[1] == "user.slice" && strings.HasPrefix(parts[2], "user-") {
			return parts[unitAt]
		}
	}
	return ""
}
