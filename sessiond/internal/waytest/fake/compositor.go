// Package fake is a Wayland compositor that sends whatever a test has it send.
// Only tests import it.
package fake

import (
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// FirstObject is the lowest number of an object that a compositor makes.
const FirstObject = 0xff000000

// The core protocol's numbers.
const (
	displayID     = 1
	sync          = 0 // requests of the display
	getRegistry   = 1
	bind          = 0 // request of the registry
	global        = 0 // events
	callbackDone  = 0
	headerBytes   = 8
	maxReadBytes  = 64 << 10
	globalVersion = 3
)

// Compositor is the compositor's end of a connection.
type Compositor struct {
	// Bound is closed when the client has bound a global; Object is its number
	// from then on.
	Bound  chan struct{}
	Object uint32

	file     *os.File
	globals  []string
	registry uint32
	ended    chan struct{}
}

// New makes a compositor that offers some interfaces, and the client's end of
// the connection to it, which is the caller's to close.
func New(t *testing.T, globals ...string) (c *Compositor, fd int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = &Compositor{Bound: make(chan struct{}), file: os.NewFile(uintptr(pair[0]), "compositor"), globals: globals, ended: make(chan struct{})}
	go c.serve()
	t.Cleanup(c.Close)
	return c, pair[1]
}

// Close ends the connection.
func (c *Compositor) Close() {
	_ = c.file.Close() // twice is as good
	<-c.ended
}

// Write sends bytes as they are; it reports whether they were taken.
func (c *Compositor) Write(b []byte) bool {
	_, err := c.file.Write(b)
	return err == nil
}

// Send sends an event.
func (c *Compositor) Send(object uint32, opcode uint16, args ...[]byte) bool {
	return c.Write(Event(object, opcode, args...))
}

// Event is an event as it is sent.
func Event(object uint32, opcode uint16, args ...[]byte) []byte {
	b := make([]byte, headerBytes)
	for _, a := range args {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, object)
	binary.NativeEndian.PutUint32(b[4:], uint32(len(b))<<16|uint32(opcode))
	return b
}

// Uint is a number as an argument.
func Uint(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// Text is a text as an argument.
func Text(s string) []byte { return Array([]byte(s + "\x00")) }

// Array is bytes as an argument.
func Array(b []byte) []byte {
	out := append(Uint(uint32(len(b))), b...)
	return append(out, make([]byte, (4-len(b)%4)%4)...)
}

// serve answers what a client must be answered until the connection ends.
func (c *Compositor) serve() {
	defer close(c.ended)
	var in []byte
	b := make([]byte, maxReadBytes)
	for {
		n, err := c.file.Read(b)
		if err != nil {
			return
		}
		in = append(in, b[:n]...)
		for len(in) >= headerBytes {
			size := int(binary.NativeEndian.Uint32(in[4:]) >> 16)
			if len(in) < size {
				break
			}
			c.request(in[:size])
			in = in[size:]
		}
	}
}

func (c *Compositor) request(m []byte) {
	object, opcode := binary.NativeEndian.Uint32(m), binary.NativeEndian.Uint32(m[4:])&0xffff
	last := binary.NativeEndian.Uint32(m[len(m)-4:])
	switch {
	case object == displayID && opcode == sync:
		c.Send(last, callbackDone, Uint(0))
	case object == displayID && opcode == getRegistry:
		c.registry = last
		for name, iface := range c.globals {
			c.Send(last, global, Uint(uint32(name)), Text(iface), Uint(globalVersion))
		}
	case object == c.registry && opcode == bind && c.Object == 0:
		c.Object = last
		close(c.Bound)
	}
}
