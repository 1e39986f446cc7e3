package screen

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"activity-tracker.example/testhost/internal/wait"
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

// Type types text, one key press for each rune, and returns how many presses it
// made. It knows what a keyboard types without Shift.
func (s *Screen) Type(ctx context.Context, text string) (presses int, err error) {
	for _, c := range text {
		code, ok := s.keys[keysym(c)]
		if !ok {
			return presses, fmt.Errorf("type %q: no key types it without Shift", c)
		}
		if err := s.press(ctx, xproto.KeyPress, xproto.KeyRelease, byte(code)); err != nil {
			return presses, err
		}
		presses++
	}
	return presses, nil
}

// Keys that type nothing, by X's name.
const (
	PageDown   = rune(0xff56)
	CapsLock   = rune(0xffe5)
	NumLock    = rune(0xff7f)
	ScrollLock = rune(0xff14)
)

// Hold holds a key down for a while, on a keyboard that repeats.
func (s *Screen) Hold(ctx context.Context, key rune, d time.Duration) error {
	if err := s.repeat(xproto.AutoRepeatModeOn); err != nil {
		return err
	}
	if err := s.Press(ctx, key, d); err != nil {
		return err
	}
	return s.repeat(xproto.AutoRepeatModeOff)
}

// Press presses a key and lets it go after a while. It does not repeat, however late
// that is.
func (s *Screen) Press(ctx context.Context, key rune, d time.Duration) error {
	code, ok := s.keys[keysym(key)]
	if !ok {
		return fmt.Errorf("press %q: there is no such key", key)
	}
	if err := s.send(xproto.KeyPress, byte(code), 0, 0); err != nil {
		return err
	}
	if err := wait.Pause(ctx, d); err != nil {
		return err
	}
	return s.send(xproto.KeyRelease, byte(code), 0, 0)
}

// TypeOverlapping types text as fast hands do: each key is let go only when the
// next one is down.
func (s *Screen) TypeOverlapping(ctx context.Context, text string) error {
	var down byte
	for _, c := range text {
		code, ok := s.keys[keysym(c)]
		if !ok {
			return fmt.Errorf("type %q: no key types it without Shift", c)
		}
		if err := s.strike(ctx, xproto.KeyPress, byte(code)); err != nil {
			return err
		}
		if down != 0 {
			if err := s.strike(ctx, xproto.KeyRelease, down); err != nil {
				return err
			}
		}
		down = byte(code)
	}
	if down == 0 {
		return nil
	}
	return s.strike(ctx, xproto.KeyRelease, down)
}

// strike makes one event of a key and pauses.
func (s *Screen) strike(ctx context.Context, kind, code byte) error {
	if err := s.send(kind, code, 0, 0); err != nil {
		return err
	}
	return wait.Pause(ctx, eventGap)
}

// Unfocus takes the keyboard's focus from all windows.
func (s *Screen) Unfocus() error {
	err := xproto.SetInputFocusChecked(s.conn, xproto.InputFocusNone, xproto.WindowNone, xproto.TimeCurrentTime).Check()
	if err != nil {
		return fmt.Errorf("take the focus from all windows: %w", err)
	}
	return nil
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

// Click clicks n times with a button, by X's number.
func (s *Screen) Click(ctx context.Context, n int, button byte) error {
	for range n {
		if err := s.press(ctx, xproto.ButtonPress, xproto.ButtonRelease, button); err != nil {
			return err
		}
	}
	return nil
}

// press presses and releases a key or a button.
func (s *Screen) press(ctx context.Context, down, up, detail byte) error {
	for _, kind := range []byte{down, up} {
		if err := s.send(kind, detail, 0, 0); err != nil {
			return err
		}
		if err := wait.Pause(ctx, eventGap); err != nil {
			return err
		}
	}
	return nil
}

// Pointer returns where the pointer is.
func (s *Screen) Pointer() (x, y int) { return s.x, s.y }

// Jump puts the pointer somewhere in one motion.
func (s *Screen) Jump(x, y int) error {
	if err := s.send(xproto.MotionNotify, 0, x, y); err != nil {
		return err
	}
	s.x, s.y = x, y
	return nil
}

// MoveTo moves the pointer first along the row, then along the column, and
// returns how many pixels that was: straight ways stay as long when motion events
// are merged.
func (s *Screen) MoveTo(ctx context.Context, x, y int) (distance int, err error) {
	for _, corner := range [][2]int{{x, s.y}, {x, y}} {
		n, err := s.moveStraight(ctx, corner[0], corner[1])
		distance += n
		if err != nil {
			return distance, err
		}
	}
	return distance, nil
}

// moveStraight moves along one axis.
func (s *Screen) moveStraight(ctx context.Context, x, y int) (int, error) {
	distance := 0
	for s.x != x || s.y != y {
		dx, dy := stepTowards(s.x, x), stepTowards(s.y, y)
		if err := s.Jump(s.x+dx, s.y+dy); err != nil {
			return distance, err
		}
		distance += int(math.Abs(float64(dx)) + math.Abs(float64(dy)))
		if err := wait.Pause(ctx, eventGap); err != nil {
			return distance, err
		}
	}
	if distance == 0 {
		return 0, nil
	}
	return distance, wait.Pause(ctx, cornerGap)
}

func stepTowards(from, to int) int { return max(-moveStep, min(moveStep, to-from)) }

// send makes one event happen and waits until the X server has done it.
func (s *Screen) send(kind, detail byte, x, y int) error {
	err := xtest.FakeInputChecked(s.conn, kind, detail, 0, s.root, int16(x), int16(y), 0).Check()
	if err != nil {
		return fmt.Errorf("send input to the screen: %w", err)
	}
	return nil
}
