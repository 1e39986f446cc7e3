package helper

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
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
	raw  syscall.RawConn
	// buffers are for messages. All links share them: one that waits has none,
	// and hundreds of sessions would have as many.
	buffers *sync.Pool
}

// newBuffers makes what links share.
func newBuffers() *sync.Pool {
	return &sync.Pool{New: func() any { return new([wire.MaxMessageBytes]byte) }}
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
func newLink(f *os.File, buffers *sync.Pool) (*link, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("read the helper's socket: %w", err)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok || u.LocalAddr().Network() != "unixpacket" {
		_ = conn.Close()
		return nil, errNotSeqpacket
	}
	raw, err := u.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("read the helper's socket: %w", err)
	}
	return &link{conn: u, raw: raw, buffers: buffers}, nil
}

// receive waits for the next report, until the deadline. io.EOF says that the
// helper has closed its end; errors that are neither io.EOF nor
// os.ErrDeadlineExceeded say that what it sent is not to be believed.
func (l *link) receive() (report wire.Report, err error) {
	waiting := l.raw.Read(func(fd uintptr) (done bool) {
		report, err = l.take(int(fd))
		return !errors.Is(err, unix.EAGAIN)
	})
	if waiting != nil {
		return wire.Report{}, fmt.Errorf("read the helper's socket: %w", waiting)
	}
	return report, err
}

// take reads a message that is there; without one the error is unix.EAGAIN.
func (l *link) take(fd int) (wire.Report, error) {
	buf, ok := l.buffers.Get().(*[wire.MaxMessageBytes]byte)
	if !ok {
		buf = new([wire.MaxMessageBytes]byte)
	}
	defer l.buffers.Put(buf)
	// No room for control data: the kernel closes descriptors that were sent
	// along, and says so.
	n, _, flags, _, err := unix.Recvmsg(fd, buf[:], nil, unix.MSG_DONTWAIT)
	for errors.Is(err, unix.EINTR) {
		n, _, flags, _, err = unix.Recvmsg(fd, buf[:], nil, unix.MSG_DONTWAIT)
	}
	switch {
	case errors.Is(err, unix.ECONNRESET):
		return wire.Report{}, io.EOF // it died with something of ours unread
	case err != nil:
		return wire.Report{}, fmt.Errorf("read the helper's socket: %w", err)
	case flags&unix.MSG_TRUNC != 0:
		return wire.Report{}, errTooLong
	case flags&unix.MSG_CTRUNC != 0:
		return wire.Report{}, errDescriptors
	case n == 0:
		return wire.Report{}, io.EOF
	}
	return wire.Decode(buf[:n])
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
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
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
