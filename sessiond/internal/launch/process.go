package launch

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Exit codes of every helper. Each means the same in all programs; the numbers beyond
// 1 are those of sysexits.h.
const (
	ExitOK       = 0  // what is watched went away, the daemon closed the socket, or SIGTERM
	ExitInternal = 1  // what should not happen
	ExitUsage    = 64 // wrong flags, or standard input is not the daemon's socket
	ExitOpen     = 69 // what is to be watched could not be opened in time
	ExitProtocol = 76 // what is watched stopped answering or broke the protocol
)

// socketError reports that standard input is not what trackerd passes.
type socketError string

func (e socketError) Error() string {
	return "standard input is not a SOCK_SEQPACKET unix socket: " + string(e) + " is started by trackerd, not by hand"
}

// CheckSocket checks that a descriptor is a socket such as trackerd passes to
// the named program.
func CheckSocket(fd int, program string) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return socketError(program)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return socketError(program)
	}
	return nil
}

// Socket returns the daemon's socket, and whether the helper is to confine itself.
// A socket at standard output means that: a version that cannot confine itself looks
// at standard input alone, and ends.
func Socket(program string) (fd int, confine bool, err error) {
	if err = CheckSocket(unix.Stdin, program); err == nil {
		return unix.Stdin, false, nil
	}
	if CheckSocket(unix.Stdout, program) == nil {
		return unix.Stdout, true, nil
	}
	return -1, false, err
}

// Harden keeps the user's other processes from reading this one's memory or
// speaking through it (ptrace, /proc/PID/mem, /proc/PID/fd), and this one from
// gaining rights.
func Harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errors.Join(errors.New("forbidding core dumps and ptrace"), err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return errors.Join(errors.New("giving up new privileges"), err)
	}
	return nil
}
