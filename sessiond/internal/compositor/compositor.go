// Package compositor finds the Wayland compositor of a session and connects to
// it.
//
// Its socket is in the user's runtime folder under a name such as wayland-1, and
// that shows nothing of the session. Who listens there does: the kernel knows
// which process it is, and its control group which session that is of.
package compositor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxSockets bounds the sockets that are tried. Compositors number theirs
	// from 0, each taking the first free one.
	maxSockets = 16
	// maxCgroupBytes bounds a process's control group: a line or two.
	maxCgroupBytes = 4 << 10
)

// ErrNone means that no compositor of the session listens.
var ErrNone = errors.New("no Wayland compositor of this session listens")

// Place is where a compositor is looked for.
type Place struct {
	// Runtime is the user's runtime folder, such as /run/user/1000.
	Runtime string
	// Session is logind's id of the session; empty for any of the user's.
	Session string
}

// kinship is how sure it is that a compositor is the session's; more is surer.
type kinship int

const (
	stranger    kinship = iota // another session's, or another user's
	possible                   // of the user; its control group cannot be read
	userService                // run by the user's service manager, as GNOME and KDE are
	own                        // of the session's scope
)

// Connect connects to the session's compositor and returns a non-blocking
// socket. Of several, the one that is most surely the session's is taken, then
// the one with the lowest number: those that run inside another come later.
func (p Place) Connect() (int, error) {
	if err := ownFolder(p.Runtime); err != nil {
		return -1, err
	}
	best, bestKin := -1, stranger
	for n := range maxSockets {
		fd, err := dial(filepath.Join(p.Runtime, "wayland-"+strconv.Itoa(n)))
		if err != nil {
			continue // no socket, or nobody behind it
		}
		kin := p.kinship(fd)
		if kin <= bestKin {
			_ = unix.Close(fd) // nothing was sent
			continue
		}
		if best >= 0 {
			_ = unix.Close(best) // nothing was sent
		}
		best, bestKin = fd, kin
	}
	if best < 0 {
		return -1, ErrNone
	}
	return best, nil
}

// ownFolder checks that a folder is the calling user's.
func ownFolder(path string) error {
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return &os.PathError{Op: "looking at the runtime folder", Path: path, Err: err}
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Getuid() {
		return &os.PathError{Op: "looking at the runtime folder", Path: path, Err: unix.EPERM}
	}
	return nil
}

// dial connects to a socket without waiting: one whose queue is full is as good
// as none.
func dial(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd) // not connected
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// kinship returns whose the listener of a connected socket is.
func (p Place) kinship(fd int) kinship {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || int(peer.Uid) != os.Getuid() {
		return stranger
	}
	cgroup, err := readCgroup(peer.Pid)
	if err != nil {
		// Gone: the socket was passed on by whoever made it. Or hidden: a
		// compositor with a capability cannot be looked at.
		return possible
	}
	return p.kinshipOf(cgroup)
}

func readCgroup(pid int32) (string, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(int(pid)) + "/cgroup")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	b := make([]byte, maxCgroupBytes)
	n, err := f.Read(b)
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

// kinshipOf returns, by a control group such as
// "0::/user.slice/user-1000.slice/session-2.scope", whose the process is.
func (p Place) kinshipOf(cgroup string) kinship {
	var parts []string
	for line := range strings.Lines(cgroup) {
		parts = append(parts, strings.Split(strings.TrimSpace(line), "/")...)
	}
	if p.Session != "" && slices.Contains(parts, "session-"+p.Session+".scope") {
		return own
	}
	if slices.Contains(parts, "user@"+strconv.Itoa(os.Getuid())+".service") {
		return userService
	}
	for _, part := range parts {
		if p.Session != "" && strings.HasPrefix(part, "session-") && strings.HasSuffix(part, ".scope") {
			return stranger
		}
	}
	return possible
}
