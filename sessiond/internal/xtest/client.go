package xtest

import (
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/screensaver"
	"github.com/jezek/xgb/xproto"
)

// askAgain is how long to wait before asking a window manager again: while it
// starts it hears nothing, and reports nothing when it is done.
const askAgain = 50 * time.Millisecond

// Client is an X client of a test: it makes windows and sets their properties,
// well or badly.
type Client struct {
	t    *testing.T
	x    *xgb.Conn
	root xproto.Window
}

// NewClient connects to a server until the test ends.
func NewClient(t *testing.T, s *Server) *Client {
	t.Helper()
	x, err := xgb.NewConnDisplay(s.Display)
	if err != nil {
		t.Fatalf("connecting a test client to %s: %v", s.Display, err)
	}
	t.Cleanup(x.Close)
	return &Client{t, x, xproto.Setup(x).DefaultScreen(x).Root}
}

// AwaitWM waits until a window manager is there.
func (c *Client) AwaitWM() {
	c.t.Helper()
	check := c.atom("_NET_SUPPORTING_WM_CHECK")
	for end := time.Now().Add(StartTimeout); time.Now().Before(end); {
		r, err := xproto.GetProperty(c.x, false, c.root, check, xproto.AtomWindow, 0, 1).Reply()
		if err == nil && len(r.Value) == 4 {
			return
		}
		<-time.After(askAgain)
	}
	c.t.Fatal("the window manager never came up")
}

// Window makes and maps a window of an application, with a title.
func (c *Client) Window(class, title string) uint32 {
	id, err := xproto.NewWindowId(c.x)
	if err != nil {
		c.t.Errorf("window id: %v", err)
		return 0
	}
	xproto.CreateWindow(c.x, xproto.WindowClassCopyFromParent, id, c.root, 10, 10, 200, 100, 0,
		xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent, 0, nil)
	c.Class(uint32(id), class+"\x00"+class+"\x00")
	c.Title(uint32(id), "UTF8_STRING", []byte(title))
	xproto.MapWindow(c.x, id)
	c.sync()
	return uint32(id)
}

// Activate moves the focus to a window, as a taskbar does, and waits for it.
func (c *Client) Activate(window uint32) {
	c.t.Helper()
	active := c.atom("_NET_ACTIVE_WINDOW")
	const fromPager = 2
	message := xproto.ClientMessageEvent{
		Format: 32, Window: xproto.Window(window), Type: active,
		Data: xproto.ClientMessageDataUnionData32New([]uint32{fromPager, 0, 0, 0, 0}),
	}
	for end := time.Now().Add(StartTimeout); time.Now().Before(end); {
		r, err := xproto.GetProperty(c.x, false, c.root, active, xproto.AtomWindow, 0, 1).Reply()
		if err == nil && len(r.Value) == 4 && xgb.Get32(r.Value) == window {
			return
		}
		xproto.SendEvent(c.x, false, c.root, xproto.EventMaskSubstructureNotify|xproto.EventMaskSubstructureRedirect, string(message.Bytes()))
		c.sync()
		<-time.After(askAgain)
	}
	c.t.Fatalf("the window manager did not activate window %d", window)
}

// Root is the root window.
func (c *Client) Root() uint32 { return uint32(c.root) }

// Child makes and maps a window in a window, without a class.
func (c *Client) Child(parent uint32) uint32 {
	id, err := xproto.NewWindowId(c.x)
	if err != nil {
		c.t.Errorf("window id: %v", err)
		return 0
	}
	xproto.CreateWindow(c.x, xproto.WindowClassCopyFromParent, id, xproto.Window(parent), 5, 5, 50, 50, 0,
		xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent, 0, nil)
	xproto.MapWindow(c.x, id)
	c.sync()
	return uint32(id)
}

// Focus sets X's input focus to a window; when that one ends, it goes back to the
// pointer's window.
func (c *Client) Focus(window uint32) {
	xproto.SetInputFocus(c.x, xproto.InputFocusPointerRoot, xproto.Window(window), xproto.TimeCurrentTime)
	c.sync()
}

// Number sets a property of a window to a number.
func (c *Client) Number(window uint32, name string, n uint32) {
	b := make([]byte, 4)
	xgb.Put32(b, n)
	xproto.ChangeProperty(c.x, xproto.PropModeReplace, xproto.Window(window), c.atom(name), xproto.AtomCardinal, 32, 1, b)
	c.sync()
}

// ReplaceSaver makes this client the screen's saver, as those do that lock it.
// screensaver.Init would write maps that the connections of other tests read.
func (c *Client) ReplaceSaver() {
	c.t.Helper()
	const name = "MIT-SCREEN-SAVER"
	found, err := xproto.QueryExtension(c.x, uint16(len(name)), name).Reply()
	if err != nil || !found.Present {
		c.t.Fatalf("the screen saver extension: %v", err)
	}
	c.x.ExtLock.Lock()
	c.x.Extensions[name] = found.MajorOpcode
	c.x.ExtLock.Unlock()
	screensaver.SetAttributes(c.x, xproto.Drawable(c.root), 0, 0, 10, 10, 0, xproto.WindowClassInputOutput,
		xproto.WindowClassCopyFromParent, 0, 0, nil)
	c.sync()
}

// Saver switches the screen's saver on or off.
func (c *Client) Saver(on bool) {
	mode := byte(xproto.ScreenSaverReset)
	if on {
		mode = xproto.ScreenSaverActive
	}
	xproto.ForceScreenSaver(c.x, mode)
	c.sync()
}

// Title sets a window's _NET_WM_NAME, as a property of the named type.
func (c *Client) Title(window uint32, kind string, title []byte) {
	c.property(xproto.PropModeReplace, window, "_NET_WM_NAME", kind, title)
}

// AppendTitle adds to a window's _NET_WM_NAME.
func (c *Client) AppendTitle(window uint32, title []byte) {
	c.property(xproto.PropModeAppend, window, "_NET_WM_NAME", "UTF8_STRING", title)
}

// Class sets a window's WM_CLASS.
func (c *Client) Class(window uint32, class string) {
	c.property(xproto.PropModeReplace, window, "WM_CLASS", "STRING", []byte(class))
}

// Destroy ends a window.
func (c *Client) Destroy(window uint32) {
	xproto.DestroyWindow(c.x, xproto.Window(window))
	c.sync()
}

// SetRootWindow makes a property of the root window name a window.
func (c *Client) SetRootWindow(name string, window uint32) {
	b := make([]byte, 4)
	xgb.Put32(b, window)
	xproto.ChangeProperty(c.x, xproto.PropModeReplace, c.root, c.atom(name), xproto.AtomWindow, 32, 1, b)
	c.sync()
}

// Warp moves the pointer as programs do.
func (c *Client) Warp(x, y int16) {
	xproto.WarpPointer(c.x, xproto.WindowNone, c.root, 0, 0, 0, 0, x, y)
	c.sync()
}

// Grab takes all keys and the pointer for this client, as a screen locker does.
func (c *Client) Grab() {
	c.t.Helper()
	k, err := xproto.GrabKeyboard(c.x, false, c.root, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
	if err != nil || k.Status != xproto.GrabStatusSuccess {
		c.t.Fatalf("grabbing the keyboard: %v", err)
	}
	p, err := xproto.GrabPointer(c.x, false, c.root, xproto.EventMaskButtonPress, xproto.GrabModeAsync, xproto.GrabModeAsync,
		xproto.WindowNone, xproto.CursorNone, xproto.TimeCurrentTime).Reply()
	if err != nil || p.Status != xproto.GrabStatusSuccess {
		c.t.Fatalf("grabbing the pointer: %v", err)
	}
}

func (c *Client) property(mode byte, window uint32, name, kind string, value []byte) {
	xproto.ChangeProperty(c.x, mode, xproto.Window(window), c.atom(name), c.atom(kind), 8, uint32(len(value)), value)
	c.sync()
}

func (c *Client) atom(name string) xproto.Atom {
	r, err := xproto.InternAtom(c.x, false, uint16(len(name)), name).Reply()
	if err != nil {
		c.t.Errorf("atom %s: %v", name, err)
		return 0
	}
	return r.Atom
}

// sync waits until the server has done everything so far.
func (c *Client) sync() {
	if _, err := xproto.GetInputFocus(c.x).Reply(); err != nil {
		c.t.Errorf("the test's X client: %v", err)
	}
}
