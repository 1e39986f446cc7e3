package helper

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

// What a helper that keeps to the protocol never does.
var (
	errTooLong      = errors.New("helper sent a message that is too long")
	errDescriptors  = errors.New("helper sent a descriptor")
	errFlood        = errors.New("helper sent more messages than its interval can need")
	errNotSeqpacket = errors.New("not a socket of a helper")
)

// link is the daemon's end of a helper's socket.
type link struct {
	conn *net.UnixConn
	buf  []byte
}

// socketPair makes a helper's socket: the daemon's end and the helper's.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the helper's socket: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "trackerd's end"), os.NewFile(uintptr(fds[1]), "helper's end"), nil
}

// newLink reads f through the runtime's poller. f itself stays the caller's.
func newLink(f *os.File) (*link, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("read the helper's socket: %w", err)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok || u.LocalAddr().Network() != "unixpacket" {
		_ = conn.Close()
		return nil, errNotSeqpacket
	}
	return &link{conn: u, buf: make([]byte, wire.MaxMessageBytes)}, nil
}

// receive waits for the next report, until the deadline. io.EOF says that the
// helper has closed its end; errors that are neither io.EOF nor
// os.ErrDeadlineExceeded say that what it sent is not to be believed.
func (l *link) receive() (wire.Report, error) {
	// No room for control data: the kernel closes descriptors that were sent
	// along, and says so.
	n, _, flags, _, err := l.conn.ReadMsgUnix(l.buf, nil)
	switch {
	case errors.Is(err, unix.ECONNRESET):
		return wire.Report{}, io.EOF // it died with something of ours unread
	case err != nil:
		return wire.Report{}, fmt.Errorf("read the helper's socket: %w", err)
	case flags&unix.MSG_TRUNC != 0:
		return wire.Report{}, errTooLong
	case flags&unix.MSG_CTRUNC != 0:
		return wire.Report{}, errDescriptors
	}
	return wire.Decode(l.buf[:n])
}

// deadline says until when receive waits.
func (l *link) deadline(t time.Time) { _ = l.conn.SetReadDeadline(t) }

// wake makes a receive that waits return.
func (l *link) wake() { l.deadline(time.Unix(1, 0)) }

// hangUp tells the helper that nothing more is wanted: it reads the end of its
// standard input, and may still send a last report.
func (l *link) hangUp() { _ = l.conn.CloseWrite() }

// end closes the socket for good, whoever else holds a copy of it.
func (l *link) end() {
	if raw, err := l.conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	l.close()
}

// close gives up this copy; the one in the descriptor store lives on.
func (l *link) close() { _ = l.conn.Close() }

const (
	// burst is how many reports may come at once: what a socket's buffer
	// (net.core.wmem_default, 212,992 bytes at 768 and more each) can have
	// gathered while the daemon was away, twice.
	burst = 600
	// perSecond is how many may come in the long run. A helper sends one every
	// 5 s and one at the end of each interval, which lasts 5 s or more.
	perSecond = 2
)

// bucket counts reports against burst and perSecond.
type bucket struct {
	tokens float64
	last   time.Time
}

func newBucket(now time.Time) *bucket { return &bucket{tokens: burst, last: now} }

// take says whether one more report is within the limits.
func (b *bucket) take(now time.Time) bool {
	if d := now.Sub(b.last); d > 0 {
		b.tokens = min(b.tokens+perSecond*d.Seconds(), burst)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
