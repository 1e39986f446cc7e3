package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"strings"
	"testing"

	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// open opens a screen until the test ends.
func open(t *testing.T, s *xtest.Server) *Screen {
	t.Helper()
	display, err := x11.ParseDisplay(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	screen, err := Open(display, x11.Authority{}, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(screen.Close)
	return screen
}

func take(t *testing.T, s *Screen, o Options) (Picture, image.Image) {
	t.Helper()
	p, err := s.Take(o)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	return p, decoded
}

// refused wants no picture, for that reason.
func refused(t *testing.T, s *Screen, o Options, want wire.Outcome) {
	t.Helper()
	var outcome OutcomeError
	if p, err := s.Take(o); !errors.As(err, &outcome) || wire.Outcome(outcome) != want || p.JPEG != nil {
		t.Errorf("%d bytes, %v; want outcome %d", len(p.JPEG), err, want)
	}
}

// paint fills a part of the root window with one colour.
func (s *Screen) paint(t *testing.T, pixel uint32, r xproto.Rectangle) {
	t.Helper()
	gc, err := xproto.NewGcontextId(s.x)
	if err != nil {
		t.Fatal(err)
	}
	xproto.CreateGC(s.x, gc, xproto.Drawable(s.root), xproto.GcForeground|xproto.GcSubwindowMode,
		[]uint32{pixel, xproto.SubwindowModeIncludeInferiors})
	xproto.PolyFillRectangle(s.x, xproto.Drawable(s.root), gc, []xproto.Rectangle{r})
	if err := xproto.FreeGCChecked(s.x, gc).Check(); err != nil {
		t.Fatal(err)
	}
}

// near reports whether a pixel has a colour, as far as JPEG keeps it.
func near(got color.Color, r, g, b int) bool {
	gr, gg, gb, _ := got.RGBA()
	const far = 40
	off := func(a uint32, b int) bool { d := int(a>>8) - b; return d > far || d < -far }
	return !off(gr, r) && !off(gg, g) && !off(gb, b)
}

// Both kinds have their size and the screen's colours, in 32 and 16 bits a pixel, and the
// same bytes whether memory is shared or not.
func TestTake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		red  uint32
	}{
		"32 bits": {nil, 0xFF0000},
		"16 bits": {[]string{"-screen", "0", "1000x700x16"}, 0xF800},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, xtest.Xvfb(t, c.args...))
			s.paint(t, c.red, xproto.Rectangle{Width: 500, Height: 700})
			s.paint(t, s.white, xproto.Rectangle{X: 500, Width: 500, Height: 700})
			for _, kind := range []struct {
				o    Options
				w, h int
			}{{Options{Readable: true}, 500, 350}, {Options{}, 62, 43}} {
				s.noShared = false
				p, shown := take(t, s, kind.o)
				if size := shown.Bounds().Size(); size != image.Pt(kind.w, kind.h) {
					t.Errorf("%+v: %v", kind.o, size)
				}
				if !near(shown.At(kind.w/4, kind.h-2), 255, 0, 0) || !near(shown.At(3*kind.w/4, 2), 255, 255, 255) {
					t.Errorf("%+v: %v and %v", kind.o, shown.At(kind.w/4, kind.h-2), shown.At(3*kind.w/4, 2))
				}
				if !p.Shared {
					t.Error("no shared memory")
				}
				s.noShared = true
				other, _ := take(t, s, kind.o)
				if other.Shared || !bytes.Equal(p.JPEG, other.JPEG) {
					t.Error("without shared memory it is another picture")
				}
			}
		})
	}
}

// A line of writing leaves no more of itself on a blurred picture than its average.
func TestBlurredHasNoWriting(t *testing.T) {
	t.Parallel()
	s := open(t, xtest.Xvfb(t))
	s.paint(t, s.white, xproto.Rectangle{Width: 1000, Height: 700})
	for x := int16(0); x < 992; x += 2 { // half of each block is black, in the finest pattern there is
		s.paint(t, s.black, xproto.Rectangle{X: x, Width: 1, Height: 700})
	}
	_, shown := take(t, s, Options{})
	for x := range shown.Bounds().Dx() {
		if !near(shown.At(x, 20), 127, 127, 127) {
			t.Fatalf("column %d is %v", x, shown.At(x, 20))
		}
	}
}

// A screen of which half would be too large is made smaller still, and no smaller than it
// must be; none is ever sharper than half.
func TestLargeScreens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ width, height, by int }{
		{800, 600, 2}, {1920, 1080, 2}, {2560, 1440, 2}, {4000, 2000, 2}, {3840, 2160, 3}, {5120, 2160, 3}, {5120, 2880, 3}, {7680, 2160, 3}, {6016, 3384, 4}, {7680, 4320, 4},
	} {
		if got := (Options{Readable: true}).by(c.width, c.height); got != c.by {
			t.Errorf("%d×%d: by %d, want %d", c.width, c.height, got, c.by)
		}
		if got := (Options{}).by(c.width, c.height); got != blurredBy {
			t.Errorf("%d×%d: blurred by %d", c.width, c.height, got)
		}
	}
	s := open(t, xtest.Xvfb(t, "-screen", "0", "3840x2160x24"))
	s.paint(t, s.white, xproto.Rectangle{Width: 3840, Height: 2160})
	s.paint(t, 0xFF0000, xproto.Rectangle{Width: 1920, Height: 2160})
	p, shown := take(t, s, Options{Readable: true})
	if size := shown.Bounds().Size(); size != image.Pt(1280, 720) || len(p.JPEG) > wire.MaxPictureBytes {
		t.Errorf("%v, %d bytes", size, len(p.JPEG))
	}
	if !near(shown.At(2, 2), 255, 0, 0) || !near(shown.At(630, 718), 255, 0, 0) || !near(shown.At(650, 718), 255, 255, 255) || !near(shown.At(1278, 2), 255, 255, 255) {
		t.Errorf("%v, %v, %v", shown.At(2, 2), shown.At(650, 718), shown.At(1278, 2))
	}
	if _, blurred := take(t, s, Options{}); blurred.Bounds().Size() != image.Pt(240, 135) {
		t.Errorf("%v", blurred.Bounds())
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := open(t, xtest.Xvfb(t, "-screen", "0", "8200x4000x24"))
	refused(t, s, Options{Readable: true}, wire.OutcomeTooLarge)
	s = open(t, xtest.Xvfb(t))
	p, _ := take(t, s, Options{Readable: true})
	s.maxBytes = len(p.JPEG) - 1
	refused(t, s, Options{Readable: true}, wire.OutcomeTooLarge)
}

// secrets covers one application's windows and one title.
func secrets(app string, titles []string) bool {
	return app == "Secrets" || strings.Contains(strings.Join(titles, "\n"), "password")
}

func TestCoveredWindows(t *testing.T) {
	t.Parallel()
	server := xtest.Xvfb(t)
	s, c := open(t, server), xtest.NewClient(t, server)
	o := Options{Covers: secrets}
	c.Window("Editor", "notes")
	take(t, s, o)
	window := c.Window("Secrets", "x")
	refused(t, s, o, wire.OutcomeWindow)
	if err := xproto.UnmapWindowChecked(s.x, xproto.Window(window)).Check(); err != nil {
		t.Fatal(err)
	}
	take(t, s, o)
	// What is within another window counts, and a window without a class.
	frame := c.Child(c.Root())
	inner := c.Child(c.Child(frame))
	take(t, s, o)
	c.Title(inner, "UTF8_STRING", []byte("your password"))
	refused(t, s, o, wire.OutcomeWindow)
	if err := xproto.UnmapWindowChecked(s.x, xproto.Window(frame)).Check(); err != nil { // it is mapped still, and cannot be seen
		t.Fatal(err)
	}
	take(t, s, o)
}

// A window that opens while the picture is taken, or is named so then, makes it be thrown
// away.
func TestCoveredMeanwhile(t *testing.T) {
	t.Parallel()
	server := xtest.Xvfb(t)
	s, c := open(t, server), xtest.NewClient(t, server)
	o := Options{Covers: secrets}
	window := c.Window("Editor", "notes")
	s.between = func() { c.Title(window, "UTF8_STRING", []byte("password")) }
	refused(t, s, o, wire.OutcomeWindow)
	s.between = func() {}
	c.Title(window, "UTF8_STRING", []byte("notes"))
	take(t, s, o)
	s.between = func() { c.Window("Secrets", "x") }
	refused(t, s, o, wire.OutcomeWindow)
}

func TestCrowdedScreen(t *testing.T) {
	t.Parallel()
	s := open(t, xtest.Xvfb(t))
	for range maxWindows + 1 {
		id, err := xproto.NewWindowId(s.x)
		if err != nil {
			t.Fatal(err)
		}
		xproto.CreateWindow(s.x, 0, id, s.root, 0, 0, 1, 1, 0, xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent, 0, nil)
	}
	refused(t, s, Options{Covers: secrets}, wire.OutcomeCrowded)
	take(t, s, Options{})
}

// A display that is gone makes no picture, and no window seem not to be there.
func TestDisplayGone(t *testing.T) {
	t.Parallel()
	server := xtest.Xvfb(t)
	s := open(t, server)
	server.Kill()
	refused(t, s, Options{}, wire.OutcomeDisplay)
	refused(t, s, Options{Covers: secrets}, wire.OutcomeDisplay)
}

func TestSay(t *testing.T) {
	t.Parallel()
	server := xtest.Xvfb(t)
	s := open(t, server)
	s.paint(t, 0x808080, xproto.Rectangle{Width: 1000, Height: 700})
	if err := s.Say(); err != nil {
		t.Fatal(err)
	}
	found := false
	said := func(_ string, titles []string) bool {
		found = found || strings.Contains(strings.Join(titles, ""), "a picture")
		return false
	}
	_, shown := take(t, s, Options{Readable: true, Covers: said})
	if !found {
		t.Error("no window says it")
	}
	// Black on white in the lower right corner, and nothing elsewhere.
	var dark, light, outside int
	for y := range 350 {
		for x := range 500 {
			lum, _, _, _ := shown.At(x, y).RGBA()
			switch {
			case x < 250 || y < 300:
				if !near(shown.At(x, y), 0x80, 0x80, 0x80) {
					outside++
				}
			case lum>>8 < 96:
				dark++
			case lum>>8 > 220:
				light++
			}
		}
	}
	if dark < 300 || light < 4*dark || outside > 0 {
		t.Errorf("%d dark and %d light pixels, %d elsewhere", dark, light, outside)
	}
	s.Close()
	other := open(t, server)
	found = false
	take(t, other, Options{Covers: said})
	if found {
		t.Error("the window outlives its connection")
	}
}

func TestBitmap(t *testing.T) {
	t.Parallel()
	if w, h, _, ok := bitmap(word); !ok || w > 600 || h > 60 {
		t.Errorf("%d x %d, %v", w, h, ok)
	}
	for _, bad := range []string{"", "P4\n", "P4\n8 2\n.", "P4\nx 1\n.", "P1\n8 1\n."} {
		if _, _, _, ok := bitmap([]byte(bad)); ok {
			t.Errorf("%q is a bitmap", bad)
		}
	}
	got := runs(10, 1, []byte{0b0110_0001, 0b1000_0000}, 2)
	want := []xproto.Rectangle{{X: border + 2, Y: border, Width: 4, Height: 2}, {X: border + 14, Y: border, Width: 4, Height: 2}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mask, pixel, want uint32 }{
		{0xFF0000, 0x123456, 0x12}, {0xF800, 0xF800, 255}, {0x07E0, 0, 0}, {0x001F, 0x10, 131}, {0x3FF00000, 0x3FF00000, 255},
	} {
		if got := channelOf(c.mask).of(c.pixel); got != c.want {
			t.Errorf("%x of %x: %d, want %d", c.pixel, c.mask, got, c.want)
		}
	}
}

// A window without a class is of the program that it names, as in records, and what window
// managers keep for themselves covers nothing.
func TestCoveredWithoutClass(t *testing.T) {
	t.Parallel()
	server := xtest.Xvfb(t)
	server.Start(t, "openbox", "--sm-disable")
	s, c := open(t, server), xtest.NewClient(t, server)
	c.AwaitWM()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	of := func(app string) Options {
		return Options{Covers: func(a string, _ []string) bool { return a == app }}
	}
	mine := of(strings.TrimSpace(string(comm)))
	take(t, s, mine)
	window := c.Child(c.Root())
	c.Title(window, "UTF8_STRING", []byte("a window"))
	take(t, s, mine)
	refused(t, s, of(wire.UnknownApp), wire.OutcomeWindow)
	c.Number(window, "_NET_WM_PID", uint32(os.Getpid()))
	refused(t, s, mine, wire.OutcomeWindow)
}
