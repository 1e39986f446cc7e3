package helper

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// deadFirst orders sockets so that those whose other end is closed come first:
// they are read to their end at once, while a live one is read for hours. More
// than one of a session is left where the daemon died between two helpers.
func deadFirst(files []*os.File) []*os.File {
	if len(files) < 2 {
		return files
	}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b *os.File) int {
		return boolToInt(hungUp(b)) - boolToInt(hungUp(a))
	})
	return sorted
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hungUp reports whether the other end of a socket is closed.
func hungUp(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var gone bool
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		gone = err == nil && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLRDHUP|unix.POLLERR) != 0
	})
	return err == nil && gone
}
