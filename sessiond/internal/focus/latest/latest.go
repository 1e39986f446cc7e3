// Package latest holds the newest word about the window in front, from a
// follower that has goroutines of its own, for a loop that has none.
package latest

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/wire"
)

// Word is the newest word.
type Word struct {
	mu      sync.Mutex
	fd      int // an eventfd; below 0 once closed
	window  counting.Window
	trouble wire.Trouble
	ended   bool
}

// New makes a word: nothing is in front, for a reason.
func New(trouble wire.Trouble) (*Word, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &Word{fd: fd, trouble: trouble}, nil
}

// FD is the descriptor that becomes readable when there is another word.
func (w *Word) FD() int { return w.fd }

// Close frees the descriptor. What is set from then on is lost.
func (w *Word) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = unix.Close(w.fd) // nothing is written
	w.fd = -1
}

// Set sets what is in front, and what keeps it from being known.
func (w *Word) Set(window counting.Window, trouble wire.Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if window != w.window || trouble != w.trouble {
		w.window, w.trouble = window, trouble
		w.notify()
	}
}

// End notes that no word will come any more.
func (w *Word) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.notify()
}

// notify makes the descriptor readable; the caller holds the lock.
func (w *Word) notify() {
	if w.fd < 0 {
		return
	}
	one := [8]byte{1}
	_, _ = sys.Write(w.fd, one[:]) // one that has been written 2^64 times is readable as well
}

// Front returns the newest word; the descriptor is not readable until there is
// another.
func (w *Word) Front() (counting.Window, wire.Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var count [8]byte
	_, _ = sys.Read(w.fd, count[:]) // nothing new is as good
	return w.window, w.trouble
}

// Ended reports whether End was called.
func (w *Word) Ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}
