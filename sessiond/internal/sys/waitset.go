package sys

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxReady is how many descriptors one wait reports: more than anyone adds.
const maxReady = 8

// Event is a descriptor that is ready, and for what (EPOLLIN…).
type Event struct {
	FD     int
	Events uint32
}

// WaitSet waits for several descriptors and a time limit at once.
type WaitSet struct {
	file  *os.File // the epoll descriptor, known to Go's poller
	raw   syscall.RawConn
	epoll int
	timer int
	ready [maxReady]unix.EpollEvent
	out   []Event
}

// NewWaitSet makes a set that waits for nothing yet.
func NewWaitSet() (*WaitSet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // without it os does not register it with the poller
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(epoll))
	}
	s := &WaitSet{epoll: epoll, timer: -1, file: os.NewFile(uintptr(epoll), "epoll"), out: make([]Event, 0, maxReady)}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, errors.Join(os.NewSyscallError("timerfd_create", err), s.Close())
	}
	if err := s.Add(s.timer, unix.EPOLLIN); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the set; the descriptors that were added stay open.
func (s *WaitSet) Close() error {
	var err error
	if s.timer >= 0 {
		err = unix.Close(s.timer)
	}
	return errors.Join(err, s.file.Close())
}

// Add waits for a descriptor too. Hanging up is always waited for.
func (s *WaitSet) Add(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &e))
}

// Change waits for other events of a descriptor that was added.
func (s *WaitSet) Change(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(s.epoll), unix.EPOLL_CTL_MOD, uintptr(fd),
		uintptr(unsafe.Pointer(&e)), 0, 0) //nolint:gosec // it lives until the call returns
	_, err := result(0, errno)
	return os.NewSyscallError("epoll_ctl", err)
}

// Wait sleeps until a descriptor is ready or the time is up, which returns no
// events. The events are good until the next call.
func (s *WaitSet) Wait(atMost time.Duration) ([]Event, error) {
	// Setting the timer also takes back an expiry that nobody has read; a zero
	// would switch it off.
	limit := unix.ItimerSpec{Value: unix.NsecToTimespec(max(atMost.Nanoseconds(), 1))}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(s.timer), 0,
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0) //nolint:gosec // it lives until the call returns
	if _, err := result(0, errno); err != nil {
		return nil, os.NewSyscallError("timerfd_settime", err)
	}
	var n int
	var failed error
	err := s.raw.Read(func(uintptr) (done bool) {
		n, failed = s.look()
		return n > 0 || failed != nil
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	s.out = s.out[:0]
	for _, e := range s.ready[:n] {
		if int(e.Fd) != s.timer {
			s.out = append(s.out, Event{int(e.Fd), e.Events})
		}
	}
	return s.out, nil
}

// look asks which descriptors are ready now.
func (s *WaitSet) look() (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epoll),
			uintptr(unsafe.Pointer(&s.ready[0])), maxReady, 0, 0, 0) //nolint:gosec // s lives until the call returns
		if errno == unix.EINTR {
			continue
		}
		ready, err := result(n, errno)
		return ready, os.NewSyscallError("epoll_pwait", err)
	}
}
