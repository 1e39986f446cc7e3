package testhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // the type that xgb takes
	"math"
	"net"
	"os"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// input speaks to the X server on which a client draws.
type input struct {
	conn *xgb.Conn
	root xproto.Window
	// keys holds the key code of each unshifted symbol.
	keys map[rune]xproto.Keycode
	x, y int
}

// dialInput connects to display n, which listens on TCP in the namespace.
func dialInput(ctx context.Context, ns *os.File, n int) (*input, error) {
	var conn net.Conn
	err := inNetns(ns, func() error {
		var d net.Dialer
		var err error
		conn, err = d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 6000+n))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the client's screen: %w", err)
	}
	quietXGB()
	c, err := xgb.NewConnNet(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open the client's screen: %w", err)
	}
	in := &input{conn: c, root: xproto.Setup(c).DefaultScreen(c).Root}
	if err := xtest.Init(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("use XTEST on the client's screen: %w", err)
	}
	// Or a key counts twice that is held a while since the machine is busy.
	off := []uint32{xproto.AutoRepeatModeOff}
	if err := xproto.ChangeKeyboardControlChecked(c, xproto.KbAutoRepeatMode, off).Check(); err != nil {
		c.Close()
		return nil, fmt.Errorf("turn the keyboard's repeat off: %w", err)
	}
	if err := in.readKeys(); err != nil {
		c.Close()
		return nil, err
	}
	return in, in.readPointer()
}

// quietXGB stops xgb from telling standard error that there is no cookie: the
// screens need none.
var quietXGB = sync.OnceFunc(func() { xgb.Logger = log.New(io.Discard, "", 0) })

func (in *input) close() error {
	in.conn.Close()
	return nil
}

// readKeys learns which key has which symbol.
func (in *input) readKeys() error {
	setup := xproto.Setup(in.conn)
	first, count := setup.MinKeycode, setup.MaxKeycode-setup.MinKeycode+1
	m, err := xproto.GetKeyboardMapping(in.conn, first, byte(count)).Reply()
	if err != nil {
		return fmt.Errorf("read the keyboard of the client's screen: %w", err)
	}
	in.keys = make(map[rune]xproto.Keycode)
	per := int(m.KeysymsPerKeycode)
	for i := range int(count) {
		sym := rune(m.Keysyms[i*per])
		if _, known := in.keys[sym]; sym != 0 && !known {
			in.keys[sym] = first + xproto.Keycode(i)
		}
	}
	return nil
}

func (in *input) readPointer() error {
	p, err := xproto.QueryPointer(in.conn, in.root).Reply()
	if err != nil {
		return fmt.Errorf("read the pointer of the client's screen: %w", err)
	}
	in.x, in.y = int(p.RootX), int(p.RootY)
	return nil
}

// focusClient sets the keyboard's focus to the client's window, once there is one.
func (in *input) focusClient(alive func() bool) (bool, error) {
	tree, err := xproto.QueryTree(in.conn, in.root).Reply()
	if err != nil {
		return false, err
	}
	for _, w := range tree.Children {
		a, err := xproto.GetWindowAttributes(in.conn, w).Reply()
		if err != nil || a.MapState != xproto.MapStateViewable {
			continue
		}
		err = xproto.SetInputFocusChecked(in.conn, xproto.InputFocusPointerRoot, w, xproto.TimeCurrentTime).Check()
		return err == nil, err
	}
	if !alive() {
		return false, errors.New("the client ended")
	}
	return false, nil
}

// send makes one event happen and waits until the X server has done it.
func (in *input) send(kind, detail byte, x, y int) error {
	err := xtest.FakeInputChecked(in.conn, kind, detail, 0, in.root, int16(x), int16(y), 0).Check()
	if err != nil {
		return fmt.Errorf("send input to the client's screen: %w", err)
	}
	return nil
}

// press presses and releases a key or a button.
func (in *input) press(ctx context.Context, down, up, detail byte) error {
	for _, kind := range []byte{down, up} {
		if err := in.send(kind, detail, 0, 0); err != nil {
			return err
		}
		if err := pause(ctx, eventGap); err != nil {
			return err
		}
	}
	return nil
}

// pause is pacing, as a hand has it.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// moveStraight moves along one axis.
func (in *input) moveStraight(ctx context.Context, x, y int) (int, error) {
	distance := 0
	for in.x != x || in.y != y {
		dx, dy := stepTowards(in.x, x), stepTowards(in.y, y)
		if err := in.send(xproto.MotionNotify, 0, in.x+dx, in.y+dy); err != nil {
			return distance, err
		}
		in.x, in.y = in.x+dx, in.y+dy
		distance += int(math.Abs(float64(dx)) + math.Abs(float64(dy)))
		if err := pause(ctx, eventGap); err != nil {
			return distance, err
		}
	}
	if distance == 0 {
		return 0, nil
	}
	return distance, pause(ctx, cornerGap)
}

func stepTowards(from, to int) int { return max(-moveStep, min(moveStep, to-from)) }
