package x11

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"
)

const (
	// maxDisplayNumber bounds the number in a display's name: the largest that
	// has a TCP port, which is what X itself allows.
	maxDisplayNumber = 65535 - 6000
	// setupHeadBytes is the fixed part of the server's first answer.
	setupHeadBytes = 8
	// minSetupBytes is the least of what follows: the fixed fields and one
	// screen.
	minSetupBytes = 32 + 40
)

// Errors of opening a display.
var (
	// ErrDisplayName reports that a display's name is not one of this machine.
	ErrDisplayName = errors.New("a display is named like :10")
	// ErrForeign reports that another user listens on the display's socket.
	ErrForeign = errors.New("the X server runs as another user")
	// ErrRefused reports that the X server let this user not in.
	ErrRefused = errors.New("the X server refused the connection (is this the session's user?)")
)

// ParseDisplay reads the number of a display of this machine: ":10", ":10.0" or
// "unix:10".
func ParseDisplay(name string) (int, error) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "unix"), ":")
	number, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || n > maxDisplayNumber {
		return 0, ErrDisplayName
	}
	return int(n), nil
}

// dial connects to the display's socket: the file, which a sandbox can bind
// mount, or the abstract one, which some servers offer alone.
func dial(display int) (int, error) {
	path := "/tmp/.X11-unix/X" + strconv.Itoa(display)
	fd, err := dialPath(path)
	if err != nil {
		if other, otherErr := dialPath("@" + path); otherErr == nil {
			return other, nil
		}
	}
	return fd, err
}

func dialPath(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, &OpenError{"making a socket", err}
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd) // never connected
		return -1, &OpenError{"connecting to " + path, err}
	}
	if err := checkServer(fd); err != nil {
		_ = unix.Close(fd) // nothing was sent on it
		return -1, &OpenError{"connecting to " + path, err}
	}
	return fd, nil
}

// checkServer refuses an X server that is neither this user's nor root's. Once
// the display's own has ended, any user may listen in its place, and would be
// given the cookie and counted as this user's input.
func checkServer(fd int) error {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return err
	}
	if uid := int(cred.Uid); uid != 0 && uid != unix.Geteuid() {
		return ErrForeign
	}
	return nil
}

// OpenError reports what failed while a display was being opened.
type OpenError struct {
	Doing string
	Err   error
}

func (e *OpenError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// screen is what the setup holds of the first screen.
type screen struct {
	root          xproto.Window
	width, height uint16
}

// setup introduces this client to the server, with a cookie or with none, and
// hands the connection to xgb. xgb would look for a cookie by itself, of another
// display, so its own greeting goes nowhere and is answered with what the server
// has answered.
func (c *conn) setup(key cookie) (screen, error) {
	if _, err := c.pipe.Write(greeting(key)); err != nil {
		return screen{}, err
	}
	if err := c.flush(); err != nil {
		return screen{}, err
	}
	deadline := time.Now().Add(replyTimeout)
	if err := c.need(setupHeadBytes, deadline); err != nil {
		return screen{}, err
	}
	const success = 1
	if c.in[0] != success {
		return screen{}, ErrRefused
	}
	length := setupHeadBytes + 4*int(binary.LittleEndian.Uint16(c.in[6:]))
	if err := c.need(length, deadline); err != nil {
		return screen{}, err
	}
	s, err := parseSetup(c.in[setupHeadBytes:length])
	if err != nil {
		return screen{}, err
	}
	c.pipe.feed(c.in[:length])
	c.r = length
	c.wipe()
	c.pipe.silence(true)
	c.x, err = xgb.NewConnNet(c.pipe)
	c.pipe.silence(false)
	if err != nil {
		return screen{}, errors.Join(ErrNonsense, err)
	}
	c.x.SetupBytes = nil // some KiB that nobody reads again
	return s, nil
}

// greeting is a client's first message: what follows is in xgb's byte order.
func greeting(key cookie) []byte {
	const littleEndian = 'l'
	b := []byte{littleEndian, 0}
	b = binary.LittleEndian.AppendUint16(b, 11) // the protocol's version,
	b = binary.LittleEndian.AppendUint16(b, 0)  // 11.0
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key.name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key.data)))
	b = append(b, 0, 0)
	for _, part := range []string{key.name, key.data} {
		b = append(b, part...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	return b
}

// need reads until n bytes are there.
func (c *conn) need(n int, deadline time.Time) error {
	for c.w < n {
		if n > len(c.in) {
			c.makeRoom(n)
		}
		got, err := c.fill()
		if err != nil {
			return err
		}
		if got == 0 {
			if err := c.wait(unix.POLLIN, deadline); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseSetup finds the first screen in the setup's variable part.
func parseSetup(b []byte) (screen, error) {
	if len(b) < minSetupBytes {
		return screen{}, ErrNonsense
	}
	vendor := int(binary.LittleEndian.Uint16(b[16:]))
	screens, formats := b[20], int(b[21])
	at := 32 + (vendor+3)/4*4 + 8*formats
	if screens == 0 || at+40 > len(b) {
		return screen{}, ErrNonsense
	}
	b = b[at:]
	return screen{
		root:   xproto.Window(binary.LittleEndian.Uint32(b)),
		width:  binary.LittleEndian.Uint16(b[20:]),
		height: binary.LittleEndian.Uint16(b[22:]),
	}, nil
}
