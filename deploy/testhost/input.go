package testhost

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
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

	"activity-tracker.example/testhost/debian"
)

// Pacing: what the way through xfreerdp, xrdp and xorgxrdp carries without
// losing or merging anything, with room to spare.
const (
	// eventGap lies between two key, button or motion events; 2 ms was enough.
	eventGap = 4 * time.Millisecond
	// cornerGap lies between two straight moves, so that no motion event is
	// merged across the corner.
	cornerGap = 60 * time.Millisecond
	// moveStep is how far one motion event goes, in pixels.
	moveStep = 10
)

// input speaks to the X server on which a client draws.
type input struct {
	conn *xgb.Conn
	root xproto.Window
	// keys gives the key code of each unshifted symbol.
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

// readKeys learns which key gives which symbol.
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

// focusClient gives the client's window the keyboard, once there is one.
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

var errDisconnected = errors.New("the RDP client is disconnected; use Reconnect")

func (r *RDP) connected() (*input, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.input == nil {
		return nil, errDisconnected
	}
	return r.input, nil
}

// Type types text, one key press for each rune, and returns how many presses
// it made. It knows what a keyboard types without Shift: lower-case letters,
// digits, the space, simple punctuation, and "\n" as Return.
func (r *RDP) Type(ctx context.Context, text string) (presses int, err error) {
	in, err := r.connected()
	if err != nil {
		return 0, err
	}
	for _, c := range text {
		code, ok := in.keys[keysym(c)]
		if !ok {
			return presses, fmt.Errorf("type %q: no key types it without Shift", c)
		}
		if err := in.press(ctx, xproto.KeyPress, xproto.KeyRelease, byte(code)); err != nil {
			return presses, err
		}
		presses++
	}
	return presses, nil
}

// keysym gives X's name of what a key types.
func keysym(c rune) rune {
	const (
		keyReturn    = 0xff0d
		keyBackspace = 0xff08
	)
	switch c {
	case '\n':
		return keyReturn
	case '\b':
		return keyBackspace
	}
	return c
}

// Click clicks n times with a button: 1 is left, 2 middle, 3 right.
func (r *RDP) Click(ctx context.Context, n int, button byte) error {
	in, err := r.connected()
	if err != nil {
		return err
	}
	for range n {
		if err := in.press(ctx, xproto.ButtonPress, xproto.ButtonRelease, button); err != nil {
			return err
		}
	}
	return nil
}

// Scroll turns the wheel by so many notches: down where positive, up where
// negative. It returns how many steps the session's X server makes of them,
// which is what a tracker should measure.
func (r *RDP) Scroll(ctx context.Context, notches int) (steps int, err error) {
	const wheelUp, wheelDown = 4, 5
	if notches < 0 {
		err = r.Click(ctx, -notches, wheelUp)
	} else {
		err = r.Click(ctx, notches, wheelDown)
	}
	if err != nil {
		return 0, err
	}
	return r.wheelSteps(notches), nil
}

// wheelSteps adds notches to what the X server was sent before. Since version
// 0.10, xrdp sends Xorg 12 units a notch, and xorgxrdp has told Xorg that 10 are
// a step; the rest waits for the next notch.
func (r *RDP) wheelSteps(notches int) int {
	const unitsNotch, unitsStep = 12, 10
	if r.host.info.Suite == debian.Bookworm || r.info.Server != SessionXorg {
		return max(notches, -notches)
	}
	units := r.info.WheelRest + notches*unitsNotch
	r.info.WheelRest = units % unitsStep
	steps := units / unitsStep
	return max(steps, -steps)
}

// Pointer is where the pointer is, in pixels of the desktop.
func (r *RDP) Pointer() (x, y int, err error) {
	in, err := r.connected()
	if err != nil {
		return 0, 0, err
	}
	return in.x, in.y, nil
}

// MoveTo moves the pointer to x, y: first along the row, then along the
// column. It returns how many pixels that was, which is what a tracker should
// measure: straight ways stay as long when motion events are merged.
func (r *RDP) MoveTo(ctx context.Context, x, y int) (distance int, err error) {
	in, err := r.connected()
	if err != nil {
		return 0, err
	}
	if x < 0 || y < 0 || x >= r.info.Width || y >= r.info.Height {
		return 0, fmt.Errorf("move to %d, %d: the desktop is %d by %d", x, y, r.info.Width, r.info.Height)
	}
	for _, corner := range [][2]int{{x, in.y}, {x, y}} {
		n, err := in.moveStraight(ctx, corner[0], corner[1])
		distance += n
		if err != nil {
			return distance, err
		}
	}
	return distance, nil
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

// Screenshot writes what the client shows to a PNG file.
func (r *RDP) Screenshot(path string) error {
	in, err := r.connected()
	if err != nil {
		return err
	}
	w, h := r.info.Width, r.info.Height
	shot, err := xproto.GetImage(in.conn, xproto.ImageFormatZPixmap, xproto.Drawable(in.root),
		0, 0, uint16(w), uint16(h), math.MaxUint32).Reply()
	if err != nil {
		return fmt.Errorf("take a screenshot: %w", err)
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := 0; i+3 < len(shot.Data) && i+3 < len(img.Pix); i += 4 {
		// The server gives blue, green, red and a byte of nothing.
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = shot.Data[i+2], shot.Data[i+1], shot.Data[i], 0xff
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the screenshot: %w", err)
	}
	return errors.Join(png.Encode(f, img), f.Close())
}
