package packet

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns the two ends of a socket.
func pair(t *testing.T) (reader, writer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]) })
	return fds[0], fds[1]
}

func write(t *testing.T, fd int, packet string, rights []byte) {
	t.Helper()
	if err := unix.Sendmsg(fd, []byte(packet), rights, nil, 0); err != nil {
		t.Fatal(err)
	}
}

func TestPackets(t *testing.T) {
	t.Parallel()
	reader, writer := pair(t)
	defer func() { _ = unix.Close(writer) }()
	var b [8]byte
	if _, _, err := Peek(reader, b[:]); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing there: %v", err)
	}
	if err := Drop(reader); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing to take out: %v", err)
	}
	write(t, writer, "first", nil)
	write(t, writer, "longer than there is room", nil)
	write(t, writer, "last", unix.UnixRights(int(os.Stdin.Fd())))
	for _, want := range []struct {
		packet string
		flags  int
	}{{"first", 0}, {"longer t", unix.MSG_TRUNC}, {"last", unix.MSG_CTRUNC}} {
		for range 2 { // it stays
			n, flags, err := Peek(reader, b[:])
			if string(b[:n]) != want.packet || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != want.flags || err != nil {
				t.Errorf("%q, %#x, %v; want %+v", b[:n], flags, err, want)
			}
		}
		if err := Drop(reader); err != nil {
			t.Error(err)
		}
	}
	if err := unix.Shutdown(writer, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if n, _, err := Peek(reader, b[:]); n != 0 || err != nil {
		t.Errorf("the end: %d, %v", n, err)
	}
}

// A helper that died with something unread leaves what it sent before.
func TestResetComesOnce(t *testing.T) {
	t.Parallel()
	reader, writer := pair(t)
	write(t, writer, "last", nil)
	write(t, reader, "unread", nil)
	if err := unix.Close(writer); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, _, err := Peek(reader, b); string(b[:n]) != "last" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	if err := Drop(reader); err != nil {
		t.Error(err)
	}
	if n, _, err := Peek(reader, b); n != 0 || err != nil {
		t.Errorf("the end: %d, %v", n, err)
	}
}
