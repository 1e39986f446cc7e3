package sys

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// long is a time that no test waits for.
const long = time.Minute

func newSet(t *testing.T) (*WaitSet, [2]int) {
	t.Helper()
	s, err := NewWaitSet()
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Add(fds[0], unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	return s, fds
}

func expect(t *testing.T, s *WaitSet, atMost time.Duration, want ...Event) {
	t.Helper()
	got, err := s.Wait(atMost)
	if err != nil || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		t.Fatalf("Wait(%v) = %v, %v; want %v", atMost, got, err, want)
	}
}

func TestWaitSet(t *testing.T) {
	t.Parallel()
	s, fds := newSet(t)
	for _, d := range []time.Duration{-1, 0, time.Millisecond, 20 * time.Millisecond} {
		begin := time.Now()
		expect(t, s, d)
		if took := time.Since(begin); took < d {
			t.Fatalf("Wait(%v) took %v", d, took)
		}
	}
	if err := Send(fds[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	expect(t, s, long, Event{fds[0], unix.EPOLLIN})
	expect(t, s, long, Event{fds[0], unix.EPOLLIN}) // still there: nothing was read
	if err := s.Change(fds[0], 0); err != nil {
		t.Fatal(err)
	}
	expect(t, s, time.Millisecond) // no longer asked for
	if err := s.Change(fds[0], unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := Read(fds[0], b); n != 1 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if _, err := Read(fds[0], b); !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("reading nothing: %v", err)
	}
	expect(t, s, time.Millisecond)
	// Woken while it sleeps.
	go func() { _, _ = Write(fds[1], []byte("y")) }()
	expect(t, s, long, Event{fds[0], unix.EPOLLIN})
	if err := s.Change(fds[0], 0); err != nil {
		t.Fatal(err)
	}
	_ = unix.Shutdown(fds[1], unix.SHUT_RDWR)
	expect(t, s, long, Event{fds[0], unix.EPOLLHUP})
	if err := s.Change(99999, 0); err == nil {
		t.Error("Change of a descriptor that is not there worked")
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	_, fds := newSet(t)
	if ready, err := Await(fds[0], unix.POLLIN, time.Millisecond); ready || err != nil {
		t.Fatalf("Await = %v, %v", ready, err)
	}
	if ready, err := Await(fds[0], unix.POLLOUT, long); !ready || err != nil {
		t.Fatalf("Await = %v, %v", ready, err)
	}
}
