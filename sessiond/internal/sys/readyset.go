package sys

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadySet notices which of many descriptors became ready, each once until it is
// asked for again. It is a descriptor itself, which a WaitSet can wait for.
type ReadySet struct{ epoll int }

// NewReadySet makes an empty set.
func NewReadySet() (*ReadySet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &ReadySet{epoll}, nil
}

// FD is readable while Collect has something to return.
func (s *ReadySet) FD() int { return s.epoll }

// Close ends the set; the descriptors that were added stay open.
func (s *ReadySet) Close() error { return os.NewSyscallError("close", unix.Close(s.epoll)) }

// Add notices a descriptor, once. Closing the descriptor takes it out.
func (s *ReadySet) Add(fd int, events uint32) error {
	return s.control(unix.EPOLL_CTL_ADD, fd, events)
}

// Again notices a descriptor once more, for the same events.
func (s *ReadySet) Again(fd int, events uint32) error {
	return s.control(unix.EPOLL_CTL_MOD, fd, events)
}

func (s *ReadySet) control(operation, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(s.epoll), uintptr(operation), uintptr(fd),
		uintptr(unsafe.Pointer(&e)), 0, 0) //nolint:gosec // it lives until the call returns
	_, err := result(0, errno)
	return os.NewSyscallError("epoll_ctl", err)
}

// Collect returns how many descriptors became ready, at most as many as fit into
// events, which names them. It does not wait.
func (s *ReadySet) Collect(events []unix.EpollEvent) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0) //nolint:gosec // the caller's slice lives until the call returns
	ready, err := result(n, errno)
	return ready, os.NewSyscallError("epoll_pwait", err)
}
