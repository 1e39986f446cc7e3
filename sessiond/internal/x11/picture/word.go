package picture

import (
	"bytes"
	_ "embed"
	"strconv"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/wire"
)

// word is what the person is told, drawn: "A picture of this screen was taken" in both
// languages, as a portable bitmap. So it needs no font of the host's, no bus and no
// program that shows notifications.
//
//go:embed word.pbm
var word []byte

const (
	// wordTitle is the window's name, for programs that read screens aloud.
	wordTitle = "Activity Tracker: снимок экрана сделан / a picture of this screen was taken"
	// margin is between the window and the screen's edges, and around the words, in pixels.
	margin, border = 24, 12
	// largeScreen is from how many rows on the words are drawn twice as large.
	largeScreen = 1600
)

// Say shows for the time until Close that a picture was taken, in the lower right corner.
// It takes no focus.
func (s *Screen) Say() error {
	w, h, rows, ok := bitmap(word)
	size, err := xproto.GetGeometry(s.x, xproto.Drawable(s.root)).Reply()
	if err != nil || !ok {
		return OutcomeError(wire.OutcomeWord)
	}
	scale := 1
	if size.Height > largeScreen {
		scale = 2
	}
	width, height := scale*w+2*border, scale*h+2*border
	drawn, err := s.draw(width, height, runs(w, h, rows, scale))
	if err != nil {
		return OutcomeError(wire.OutcomeWord)
	}
	window, err := xproto.NewWindowId(s.x)
	if err != nil {
		return OutcomeError(wire.OutcomeWord)
	}
	const withoutManager = 1
	xproto.CreateWindow(s.x, s.depth, window, s.root, int16(max(int(size.Width)-width-margin, 0)), int16(max(int(size.Height)-height-margin, 0)),
		uint16(width), uint16(height), 1, xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent,
		xproto.CwBackPixmap|xproto.CwBorderPixel|xproto.CwOverrideRedirect, []uint32{uint32(drawn), s.black, withoutManager})
	xproto.ChangeProperty(s.x, xproto.PropModeReplace, window, s.netWMName, s.types.UTF8String, 8, uint32(len(wordTitle)), []byte(wordTitle))
	xproto.MapWindow(s.x, window)
	state, err := xproto.GetWindowAttributes(s.x, window).Reply()
	if err != nil || state.MapState != xproto.MapStateViewable {
		return OutcomeError(wire.OutcomeWord)
	}
	return nil
}

// draw makes a pixmap with black rectangles on white, by which the server paints the
// window whenever it has to.
func (s *Screen) draw(width, height int, black []xproto.Rectangle) (xproto.Pixmap, error) {
	pixmap, err := xproto.NewPixmapId(s.x)
	if err != nil {
		return 0, err
	}
	gc, err := xproto.NewGcontextId(s.x)
	if err != nil {
		return 0, err
	}
	on := xproto.Drawable(pixmap)
	xproto.CreatePixmap(s.x, s.depth, pixmap, xproto.Drawable(s.root), uint16(width), uint16(height))
	xproto.CreateGC(s.x, gc, on, xproto.GcForeground, []uint32{s.white})
	xproto.PolyFillRectangle(s.x, on, gc, []xproto.Rectangle{{Width: uint16(width), Height: uint16(height)}})
	xproto.ChangeGC(s.x, gc, xproto.GcForeground, []uint32{s.black})
	const atOnce = 1000 // a request has at most 256 KiB
	for len(black) > 0 {
		n := min(len(black), atOnce)
		xproto.PolyFillRectangle(s.x, on, gc, black[:n])
		black = black[n:]
	}
	return pixmap, xproto.FreeGCChecked(s.x, gc).Check()
}

// bitmap reads a portable bitmap ("P4"): its size, and its rows of whole bytes.
func bitmap(b []byte) (w, h int, rows []byte, ok bool) {
	fields := bytes.SplitN(b, []byte("\n"), 3)
	if len(fields) != 3 || string(fields[0]) != "P4" {
		return 0, 0, nil, false
	}
	width, height, _ := bytes.Cut(fields[1], []byte(" "))
	w, wErr := strconv.Atoi(string(width))
	h, hErr := strconv.Atoi(string(height))
	return w, h, fields[2], wErr == nil && hErr == nil && len(fields[2]) == (w+7)/8*h
}

// runs returns the black pixels of each row as rectangles.
func runs(w, h int, rows []byte, scale int) (list []xproto.Rectangle) {
	isBlack := func(x, y int) bool { return x < w && rows[y*((w+7)/8)+x/8]>>(7-x%8)&1 == 1 }
	for y := range h {
		for x := 0; x < w; x++ {
			from := x
			for isBlack(x, y) {
				x++
			}
			if x > from {
				list = append(list, xproto.Rectangle{
					X: int16(border + scale*from), Y: int16(border + scale*y), Width: uint16(scale * (x - from)), Height: uint16(scale),
				})
			}
		}
	}
	return list
}
