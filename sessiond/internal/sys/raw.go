// Package sys has the few system calls of the helper's loop, in the form that
// costs least.
//
// An ordinary call in Go notifies the scheduler that it may block; that wakes a
// second thread (sysmon) which watches the call, takes the processor away and
// starts a third: a good ten context switches for each wake of the helper.
// Calls that cannot block need none of it, so they are made without notifying the
// scheduler. Waiting is left to Go's poller, which does it without sysmon as long
// as no Go timer runs: hence a timerfd in WaitSet.
package sys

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// address is where a buffer is, for the kernel; it must not be empty.
func address(b []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b))) //nolint:gosec // the kernel wants an address; each caller keeps b alive by its argument
}

// result makes an error of a call's number.
func result(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Read reads from a descriptor in non-blocking mode.
func Read(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), address(b), uintptr(len(b)))
	return result(n, errno)
}

// Write writes to a descriptor in non-blocking mode.
func Write(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), address(b), uintptr(len(b)))
	return result(n, errno)
}

// Send sends one packet, or fails at once with EAGAIN.
func Send(fd int, b []byte) error {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), address(b), uintptr(len(b)), flags, 0, 0)
	_, err := result(0, errno)
	return err
}

// Receive takes one packet, or fails at once with EAGAIN. What does not fit into
// b is lost.
func Receive(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), address(b), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	return result(n, errno)
}

// PacketLength is how long the next packet is, which stays; it fails at once with
// EAGAIN where there is none.
func PacketLength(fd int) (int, error) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_PEEK | unix.MSG_TRUNC
	var b [1]byte
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), address(b[:]), uintptr(len(b)), flags, 0, 0)
	return result(n, errno)
}

// SendSome sends the front part of b on a stream, as much as it takes at once.
func SendSome(fd int, b []byte) (int, error) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), address(b), uintptr(len(b)), flags, 0, 0)
	return result(n, errno)
}

// Await waits for a descriptor for a short time, in the calling thread: for the
// X server's answers, which come within a millisecond. Nothing else of the
// program runs meanwhile. It reports whether the descriptor is ready.
func Await(fd int, events int16, atMost time.Duration) (bool, error) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	limit := unix.NsecToTimespec(max(atMost, 0).Nanoseconds())
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL,
		uintptr(unsafe.Pointer(&fds[0])), 1, //nolint:gosec // both live until the call returns
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0) //nolint:gosec // see above
	ready, err := result(n, errno)
	return ready > 0, err
}

// ReadAt reads from a place of a small file that the kernel makes up, which never
// blocks.
func ReadAt(fd int, b []byte, offset int64) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), address(b), uintptr(len(b)), uintptr(offset), 0, 0)
	return result(n, errno)
}
