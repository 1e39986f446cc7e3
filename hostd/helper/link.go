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

	"activity-tracker.example/hostd/packet"
	"activity-tracker.example/sessiond/wire"
)

// What a helper that keeps to the protocol never does.
var (
	errTooLong      = errors.New("helper sent a message that is too long")
	errDescriptors  = errors.New("helper sent a descriptor")
	errFlood        = errors.New("helper sent more messages than its interval can need")
	errNotSeqpacket = errors.New("not a socket of a helper")
)

// link is the daemon's end of a helper's socket. A message is looked at and stays
// in the socket until its contents are on disk, so that a daemon that is killed
// loses none: the next one reads it again, and what was counted of it already
// counts once.
type link struct {
	conn *net.UnixConn
	raw  syscall.RawConn
	// buffers are for messages. All links share them: one that waits has none,
	// and hundreds of sessions would have as many.
	buffers *sync.Pool
	// released has something once a message has left the socket.
	released chan struct{}
	// outgrown decides when an adopted helper is too old; nil for one of our own.
	outgrown *outgrown

	mu sync.Mutex
	// Messages are numbered from 1 in the order of the socket: the last that was
	// read, the last of those that were handed on, the last that left.
	read, handed, gone uint64
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
	l := &link{conn: u, raw: raw, buffers: buffers, released: make(chan struct{}, 1)}
	if err := l.fromStart(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

// fromStart makes looking begin at the first message that is in the socket. Each
// look goes on behind the one before.
func (l *link) fromStart() error {
	var failed error
	err := l.raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEEK_OFF, 0)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("look into the helper's socket: %w", err)
	}
	return nil
}

// receive waits for the next report, until the deadline. io.EOF means that the
// helper has closed its end; errors that are neither io.EOF nor
// os.ErrDeadlineExceeded mean that what it sent is not to be believed.
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
	n, flags, err := packet.Peek(fd, buf[:])
	switch {
	case errors.Is(err, unix.EAGAIN): // after each message; it needs no words
		return wire.Report{}, err
	case err != nil:
		return wire.Report{}, fmt.Errorf("read the helper's socket: %w", err)
	case flags&unix.MSG_TRUNC != 0:
		return wire.Report{}, errTooLong
	case flags&unix.MSG_CTRUNC != 0:
		return wire.Report{}, errDescriptors
	case n == 0:
		return wire.Report{}, io.EOF
	}
	l.mu.Lock()
	l.read++
	l.mu.Unlock()
	return wire.Decode(buf[:n])
}

// hand notes that the message that was read last is handed on, and returns what
// to call once it is stored. That may be after the link was closed.
func (l *link) hand() (stored func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed = l.read
	number := l.read
	return func() { l.release(number) }
}

// skip notes that the message that was read last is not handed on: it leaves the
// socket with those before it.
func (l *link) skip() {
	l.mu.Lock()
	number, waiting := l.read, l.handed > l.gone
	l.mu.Unlock()
	if !waiting {
		l.release(number)
	}
}

// release takes the messages up to a number out of the socket. A later report of
// the same helper holds all that an earlier one did, or was stored with it.
func (l *link) release(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.raw.Control(func(fd uintptr) { // closed: the next daemon reads them again
		for ; l.gone < number; l.gone++ {
			if packet.Drop(int(fd)) != nil {
				return // they are gone
			}
		}
	})
	select {
	case l.released <- struct{}{}:
	default:
	}
}

// unstored reports whether a message that was handed on is still in the socket.
func (l *link) unstored() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handed > l.gone
}

// settle waits until everything that was handed on is stored, for at most d.
func (l *link) settle(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for l.unstored() {
		select {
		case <-l.released:
		case <-timer.C:
			return
		}
	}
}

// sendCeiling names the newest version that the helper may write in.
func (l *link) sendCeiling(version byte) { l.send(wire.Ceiling(version)) }

// send sends a packet. A helper that reads nothing is not waited for.
func (l *link) send(packet []byte) {
	_ = l.raw.Control(func(fd uintptr) {
		_ = unix.Send(int(fd), packet, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
}

// deadline sets until when receive waits.
func (l *link) deadline(t time.Time) { _ = l.conn.SetReadDeadline(t) }

// wake makes a receive that waits return.
func (l *link) wake() { l.deadline(time.Unix(1, 0)) }

// hangUp closes the socket one way: the helper reads its end, which means that
// nothing more is wanted, and may still send a last report.
func (l *link) hangUp() { _ = l.conn.CloseWrite() }

// end closes the socket for good, whoever else holds a copy of it.
func (l *link) end() {
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	l.close()
}

// close closes this copy; the one in the descriptor store lives on.
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

// take reports whether one more report is within the limits.
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
