package testhost

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"time"

	"github.com/jezek/xgb/xproto"

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

// keysym returns X's name of what a key types.
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
// 0.10, xrdp sends Xorg 12 units a notch, and xorgxrdp has declared that 10 are
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
		// The server sends blue, green, red and a byte of nothing.
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = shot.Data[i+2], shot.Data[i+1], shot.Data[i], 0xff
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the screenshot: %w", err)
	}
	return errors.Join(png.Encode(f, img), f.Close())
}
