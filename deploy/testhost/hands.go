package testhost

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/screen"
	"activity-tracker.example/testhost/internal/wait"
)

var errDisconnected = errors.New("the RDP client is disconnected; use Reconnect")

func (r *RDP) connected() (*screen.Screen, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.screen == nil {
		return nil, errDisconnected
	}
	return r.screen, nil
}

// Type types text, one key press for each rune, and returns how many presses
// it made. It knows what a keyboard types without Shift: lower-case letters,
// digits, the space, simple punctuation, and "\n" as Return.
func (r *RDP) Type(ctx context.Context, text string) (presses int, err error) {
	s, err := r.connected()
	if err != nil {
		return 0, err
	}
	return s.Type(ctx, text)
}

// Keys that type nothing.
const (
	PageDown = screen.PageDown
	CapsLock = screen.CapsLock
	NumLock  = screen.NumLock
)

// Hold holds a key down for a while, on a keyboard that repeats held keys.
func (r *RDP) Hold(ctx context.Context, key rune, d time.Duration) error {
	s, err := r.connected()
	if err != nil {
		return err
	}
	return s.Hold(ctx, key, d)
}

// TypeOverlapping types text as fast hands do: each key is let go only when the
// next one is down.
func (r *RDP) TypeOverlapping(ctx context.Context, text string) error {
	s, err := r.connected()
	if err != nil {
		return err
	}
	return s.TypeOverlapping(ctx, text)
}

// Press presses a key for as long as hands do.
func (r *RDP) Press(ctx context.Context, key rune) error {
	const usual = 100 * time.Millisecond
	s, err := r.connected()
	if err != nil {
		return err
	}
	return s.Press(ctx, key, usual)
}

// Elsewhere does something on the client's side while its window does not have the
// focus, which it then has again.
func (r *RDP) Elsewhere(ctx context.Context, do func() error) error {
	s, err := r.connected()
	if err != nil {
		return err
	}
	if err := errors.Join(s.Unfocus(), do()); err != nil {
		return err
	}
	return wait.Until(ctx, func() (bool, error) { return s.FocusWindow(r.clientAlive) })
}

// LockKeys is LoginOptions.LockKeys for the next Reconnect.
func (r *RDP) LockKeys() { r.locks = true }

// Click clicks n times with a button: 1 is left, 2 middle, 3 right.
func (r *RDP) Click(ctx context.Context, n int, button byte) error {
	s, err := r.connected()
	if err != nil {
		return err
	}
	return s.Click(ctx, n, button)
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
	s, err := r.connected()
	if err != nil {
		return 0, 0, err
	}
	x, y = s.Pointer()
	return x, y, nil
}

// MoveTo moves the pointer to x, y: first along the row, then along the
// column. It returns how many pixels that was, which is what a tracker should
// measure.
func (r *RDP) MoveTo(ctx context.Context, x, y int) (distance int, err error) {
	s, err := r.connected()
	if err != nil {
		return 0, err
	}
	if x < 0 || y < 0 || x >= r.info.Width || y >= r.info.Height {
		return 0, fmt.Errorf("move to %d, %d: the desktop is %d by %d", x, y, r.info.Width, r.info.Height)
	}
	return s.MoveTo(ctx, x, y)
}

// Screenshot writes what the client shows to a PNG file.
func (r *RDP) Screenshot(path string) error {
	s, err := r.connected()
	if err != nil {
		return err
	}
	picture, err := s.Picture(r.info.Width, r.info.Height)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the screenshot: %w", err)
	}
	return errors.Join(png.Encode(f, picture), f.Close())
}
