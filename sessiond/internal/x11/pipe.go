package x11

import (
	"io"
	"net"
	"sync"
	"time"
)

// pipe is what xgb takes for its connection to the X server. What xgb writes
// waits here until conn sends it; what xgb reads is only what conn has looked
// at and let through, so xgb's reader sleeps while raw events come in, and
// while nothing does.
type pipe struct {
	mu     sync.Mutex
	filled sync.Cond // in grew, or the pipe was closed
	in     []byte    // let through, for xgb to read
	out    []byte    // written by xgb, to be sent
	mute   bool      // what is written now is not for the server
	closed bool
}

func newPipe() *pipe {
	p := &pipe{}
	p.filled.L = &p.mu
	return p
}

// feed lets xgb read b, of which it keeps a copy.
func (p *pipe) feed(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in = append(p.in, b...)
	p.filled.Signal()
}

// take hands over what was written so far.
func (p *pipe) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.out
	p.out = nil
	return out
}

// silence makes the pipe forget what is written from here on, or not.
func (p *pipe) silence(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

// Read waits for something that was let through.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.in) == 0 && !p.closed {
		p.filled.Wait()
	}
	if p.closed {
		return 0, io.EOF
	}
	n := copy(b, p.in)
	if p.in = p.in[n:]; len(p.in) == 0 {
		p.in = nil
	}
	return n, nil
}

// Write keeps b until it is sent.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, net.ErrClosed
	}
	if !p.mute {
		p.out = append(p.out, b...)
	}
	return len(b), nil
}

// Close ends what reads from the pipe. The server's socket is conn's to close.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.in, p.out = true, nil, nil
	p.filled.Broadcast()
	return nil
}

// address is nowhere: the pipe has no ends that are named.
type address struct{}

// Network names the kind of connection.
func (address) Network() string { return "pipe" }

func (address) String() string { return "pipe" }

// LocalAddr and the rest of net.Conn are not used by xgb; conn keeps the time.
func (*pipe) LocalAddr() net.Addr { return address{} }

// RemoteAddr is nowhere either.
func (*pipe) RemoteAddr() net.Addr { return address{} }

// SetDeadline is not offered.
func (*pipe) SetDeadline(time.Time) error { return net.ErrClosed }

// SetReadDeadline is not offered.
func (*pipe) SetReadDeadline(time.Time) error { return net.ErrClosed }

// SetWriteDeadline is not offered.
func (*pipe) SetWriteDeadline(time.Time) error { return net.ErrClosed }
