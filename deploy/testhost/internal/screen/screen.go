// Package screen drives an X server as a person's hands and eyes would.
package screen

import (
	"errors"
	"fmt"
	"image"
	"io"
	"log" //nolint:depguard // the type that xgb takes
	"math"
	"net"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// Screen is a connection to an X server. Its methods are for one goroutine at a
// time.
type Screen struct {
	conn *xgb.Conn
	root xproto.Window
	// keys holds the key code of each unshifted symbol.
	keys map[rune]xproto.Keycode
	x, y int
}

// Open uses a connection to an X server that needs no cookie. It closes the
// connection if it fails.
func Open(conn net.Conn) (*Screen, error) {
	quietXGB()
	c, err := xgb.NewConnNet(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open the screen: %w", err)
	}
	s := &Screen{conn: c, root: xproto.Setup(c).DefaultScreen(c).Root}
	if err := s.prepare(); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// quietXGB stops xgb from writing to standard error that there is no cookie.
var quietXGB = sync.OnceFunc(func() { xgb.Logger = log.New(io.Discard, "", 0) })

func (s *Screen) prepare() error {
	if err := xtest.Init(s.conn); err != nil {
		return fmt.Errorf("use XTEST on the screen: %w", err)
	}
	// Or a key counts twice that is held a while since the machine is busy.
	if err := s.repeat(xproto.AutoRepeatModeOff); err != nil {
		return err
	}
	if err := s.readKeys(); err != nil {
		return err
	}
	return s.readPointer()
}

// Close closes the connection.
func (s *Screen) Close() { s.conn.Close() }

// repeat switches on or off that held keys repeat.
func (s *Screen) repeat(mode uint32) error {
	err := xproto.ChangeKeyboardControlChecked(s.conn, xproto.KbAutoRepeatMode, []uint32{mode}).Check()
	if err != nil {
		return fmt.Errorf("switch the keyboard's repeat: %w", err)
	}
	return nil
}

// readKeys learns which key has which symbol.
func (s *Screen) readKeys() error {
	setup := xproto.Setup(s.conn)
	first, count := setup.MinKeycode, setup.MaxKeycode-setup.MinKeycode+1
	m, err := xproto.GetKeyboardMapping(s.conn, first, byte(count)).Reply()
	if err != nil {
		return fmt.Errorf("read the keyboard of the screen: %w", err)
	}
	s.keys = make(map[rune]xproto.Keycode)
	per := int(m.KeysymsPerKeycode)
	for i := range int(count) {
		sym := rune(m.Keysyms[i*per])
		if _, known := s.keys[sym]; sym != 0 && !known {
			s.keys[sym] = first + xproto.Keycode(i)
		}
	}
	return nil
}

func (s *Screen) readPointer() error {
	p, err := xproto.QueryPointer(s.conn, s.root).Reply()
	if err != nil {
		return fmt.Errorf("read the pointer of the screen: %w", err)
	}
	s.x, s.y = int(p.RootX), int(p.RootY)
	return nil
}

// FocusWindow sets the keyboard's focus to the first window that is shown. It
// reports false while there is none and alive returns true.
func (s *Screen) FocusWindow(alive func() bool) (bool, error) {
	tree, err := xproto.QueryTree(s.conn, s.root).Reply()
	if err != nil {
		return false, err
	}
	for _, w := range tree.Children {
		a, err := xproto.GetWindowAttributes(s.conn, w).Reply()
		if err != nil || a.MapState != xproto.MapStateViewable {
			continue
		}
		err = xproto.SetInputFocusChecked(s.conn, xproto.InputFocusPointerRoot, w, xproto.TimeCurrentTime).Check()
		return err == nil, err
	}
	if !alive() {
		return false, errors.New("the client ended")
	}
	return false, nil
}

// Picture returns what the screen shows, from its upper left corner on.
func (s *Screen) Picture(width, height int) (image.Image, error) {
	shot, err := xproto.GetImage(s.conn, xproto.ImageFormatZPixmap, xproto.Drawable(s.root),
		0, 0, uint16(width), uint16(height), math.MaxUint32).Reply()
	if err != nil {
		return nil, fmt.Errorf("take a picture of the screen: %w", err)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := 0; i+3 < len(shot.Data) && i+3 < len(img.Pix); i += 4 {
		// The server sends blue, green, red and a byte of nothing.
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = shot.Data[i+2], shot.Data[i+1], shot.Data[i], 0xff
	}
	return img, nil
}
