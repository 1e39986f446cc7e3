// Package picture takes one picture of an X screen: made small or blurred before anything
// else sees it, not taken at all while a window is there whose title rules drop, and not
// without telling the person in a window of its own.
package picture

import (
	"bytes"
	"image/jpeg"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/wire"
)

const (
	// blurredBy and readableBy are how many pixels of the screen a pixel of a picture
	// has in each direction. At a sixteenth a line of text is one pixel high. Where half of
	// a screen has more pixels than a picture may, as that of 3840×2160, readable is a third
	// of each side, or a quarter; of what is larger still there is none.
	blurredBy, readableBy, leastReadableBy = 16, 2, 4
	// quality is the JPEG's: half of a screen of 1920×1080 has some 40 kB.
	quality = 40
)

// OutcomeError is why there is no picture.
type OutcomeError wire.Outcome

// Error returns the outcome's number; nobody reads it.
func (e OutcomeError) Error() string { return "no picture: outcome " + string(rune('0'+byte(e))) }

// Options are which picture is taken.
type Options struct {
	// Readable is set for half of each side, or less where that has too many pixels; else the picture is blurred.
	Readable bool
	// Covers reports whether a window must not be on a picture; nil: none is looked at.
	Covers func(app string, titles []string) bool
}

// Picture is one that was taken.
type Picture struct {
	JPEG []byte
	// Shared is whether the X server wrote the screen into shared memory.
	Shared bool
}

// Screen is an open connection to a display, of which the first screen is taken.
type Screen struct {
	x     *xgb.Conn
	root  xproto.Window
	depth byte
	white uint32
	black uint32
	form  form
	types x11.TextAtoms
	// netWMName and visibleName are further names of a window's title, and netWMPid of the
	// process that made it.
	netWMName, visibleName, netWMPid xproto.Atom
	// between is called after the picture, before windows are looked at again.
	between func()
	// maxBytes bounds a picture.
	maxBytes int
	// noShared keeps from asking for shared memory.
	noShared bool
}

// Open connects to a display; letIn is called once the server has let it in.
func Open(display int, a x11.Authority, letIn func() error) (*Screen, error) {
	x, err := x11.Connect(display, a, letIn)
	if err != nil {
		return nil, err
	}
	setup := xproto.Setup(x)
	first := setup.DefaultScreen(x)
	s := &Screen{
		x: x, root: first.Root, depth: first.RootDepth, white: first.WhitePixel, black: first.BlackPixel,
		form: formOf(setup, first), between: func() {}, maxBytes: wire.MaxPictureBytes,
	}
	for _, atom := range []struct {
		name string
		to   *xproto.Atom
	}{{"UTF8_STRING", &s.types.UTF8String}, {"COMPOUND_TEXT", &s.types.CompoundText}, {"_NET_WM_NAME", &s.netWMName}, {"_NET_WM_PID", &s.netWMPid}, {"_NET_WM_VISIBLE_NAME", &s.visibleName}} {
		reply, err := xproto.InternAtom(x, false, uint16(len(atom.name)), atom.name).Reply()
		if err != nil {
			x.Close()
			return nil, OutcomeError(wire.OutcomeDisplay)
		}
		*atom.to = reply.Atom
	}
	return s, nil
}

// Close ends the connection.
func (s *Screen) Close() { s.x.Close() }

// Take takes a picture, unless a window is covered, before it or after. An error is an
// OutcomeError.
func (s *Screen) Take(o Options) (Picture, error) {
	if err := s.look(o); err != nil {
		return Picture{}, err
	}
	shrunk, shared, err := s.shrunk(o)
	if err != nil {
		return Picture{}, err
	}
	s.between()
	if err := s.look(o); err != nil {
		return Picture{}, err
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, shrunk, &jpeg.Options{Quality: quality}); err != nil || b.Len() > s.maxBytes {
		return Picture{}, OutcomeError(wire.OutcomeTooLarge)
	}
	return Picture{JPEG: b.Bytes(), Shared: shared}, nil
}

// look reports by an error that a window may not be on a picture.
func (s *Screen) look(o Options) error {
	if o.Covers == nil {
		return nil
	}
	covered, err := s.covered(o.Covers)
	if err == nil && covered {
		return OutcomeError(wire.OutcomeWindow)
	}
	return err
}
