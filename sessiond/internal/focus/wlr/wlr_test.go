package wlr

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/wayland"
	"activity-tracker.example/sessiond/internal/waytest/fake"
	"activity-tracker.example/sessiond/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow follows the windows of a fake compositor.
func follow(t *testing.T, titles bool) (*Windows, *wayland.Conn, *fake.Compositor) {
	t.Helper()
	compositor, fd := fake.New(t, Interface)
	conn := wayland.New(fd)
	t.Cleanup(conn.Close)
	globals, err := conn.Globals(Interface)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Follow(conn, globals[Interface], titles)
	if err != nil {
		t.Fatal(err)
	}
	<-compositor.Bound
	return w, conn, compositor
}

// event is what a compositor sends about its nth window; below 0 it is about all.
type event struct {
	window int
	opcode uint16
	args   []byte
}

func opened(n int) event              { return event{-1, managerToplevel, fake.Uint(object(n))} }
func titled(n int, s string) event    { return event{n, handleTitle, fake.Text(s)} }
func named(n int, s string) event     { return event{n, handleAppID, fake.Text(s)} }
func done(n int) event                { return event{n, handleDone, nil} }
func closed(n int) event              { return event{n, handleClosed, nil} }
func states(n int, all ...byte) event { return event{n, handleState, fake.Array(stateWords(all))} }

func stateWords(all []byte) []byte {
	var b []byte
	for _, s := range all {
		b = append(b, fake.Uint(uint32(s))...)
	}
	return b
}

func object(n int) uint32 { return fake.FirstObject + uint32(n) }

func (e event) bytes(manager uint32) []byte {
	if e.window < 0 {
		return fake.Event(manager, e.opcode, e.args)
	}
	return fake.Event(object(e.window), e.opcode, e.args)
}

// TestFront: which window is in front after what the compositor sent.
func TestFront(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("я", 30_000)
	editor := counting.Window{App: "editor", Title: "draft"}
	open := []event{opened(1), titled(1, "draft"), named(1, "editor"), states(1, stateActivated), done(1)}
	for name, c := range map[string]struct {
		events  []event
		want    counting.Window
		trouble wire.Trouble
	}{
		"nothing":           {nil, counting.Window{}, wire.TroubleNone},
		"one":               {open, editor, wire.TroubleNone},
		"not yet done":      {open[:4], counting.Window{}, wire.TroubleNone},
		"no longer":         {append(open[:5:5], states(1, 0, 1), done(1)), counting.Window{}, wire.TroubleNone},
		"closed":            {append(open[:5:5], closed(1)), counting.Window{}, wire.TroubleNone},
		"closed and others": {append(open[:5:5], closed(1), closed(1), titled(1, "ghost"), done(1)), counting.Window{}, wire.TroubleNone},
		"two in front": {
			append(open[:5:5], opened(2), named(2, "browser"), states(2, stateActivated), done(2), titled(1, "again"), done(1)),
			counting.Window{App: "browser"},
			wire.TroubleNone,
		},
		"without a name": {[]event{opened(1), states(1, 0, stateActivated), done(1)}, counting.Window{App: wire.UnknownApp}, wire.TroubleNone},
		"an odd title": {
			append(open[:4:4], titled(1, "a\x1b]0;\xffb"), done(1)),
			counting.Window{App: "editor", Title: "a ]0;\uFFFDb"},
			wire.TroubleNone,
		},
		"an endless title": {
			append(open[:4:4], titled(1, long), named(1, long), done(1)),
			counting.Window{App: long[:wire.MaxAppBytes], Title: long[:wire.MaxTitleBytes]},
			wire.TroubleNone,
		},
		"no more windows": {append(open[:5:5], event{-1, managerFinished, nil}), counting.Window{}, wire.TroubleNoFocus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, conn, compositor := follow(t, true)
			for _, e := range c.events {
				compositor.Write(e.bytes(compositor.Object))
			}
			if err := conn.RoundTrip(); err != nil {
				t.Fatal(err)
			}
			if got, trouble := w.Front(); got != c.want || trouble != c.trouble {
				t.Errorf("%.100q, trouble %d; want %.100q, %d", got, trouble, c.want, c.trouble)
			}
		})
	}
}

func TestTitlesAreLeftOut(t *testing.T) {
	t.Parallel()
	w, conn, compositor := follow(t, false)
	for _, e := range []event{opened(1), titled(1, "secret"), named(1, "editor"), states(1, stateActivated), done(1)} {
		compositor.Write(e.bytes(compositor.Object))
	}
	if err := conn.RoundTrip(); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.Front(); got != (counting.Window{App: "editor"}) || w.windows[object(1)].next.Title != "" {
		t.Errorf("%+v, want no title", got)
	}
}

// TestManyWindows: a compositor that makes up windows does not make us keep them.
func TestManyWindows(t *testing.T) {
	t.Parallel()
	w, conn, compositor := follow(t, true)
	var all []byte
	for n := range 10_000 {
		all = append(all, opened(n).bytes(compositor.Object)...)
		all = append(all, titled(n, strings.Repeat("x", 1000)).bytes(0)...)
	}
	go compositor.Write(all)
	for len(w.windows) < maxWindows {
		if _, err := conn.Dispatch(); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.RoundTrip(); err != nil {
		t.Fatal(err)
	}
	if len(w.windows) != maxWindows {
		t.Errorf("%d windows are followed, want %d", len(w.windows), maxWindows)
	}
}

// TestWindowTwice: no compositor makes an object that there is already.
func TestWindowTwice(t *testing.T) {
	t.Parallel()
	_, conn, compositor := follow(t, true)
	compositor.Write(bytes.Repeat(opened(1).bytes(compositor.Object), 2))
	if err := conn.RoundTrip(); !errors.Is(err, wayland.ErrNonsense) {
		t.Errorf("%v, want %v", err, wayland.ErrNonsense)
	}
}

// FuzzEvents: whatever a compositor sends about windows, a report of it can be
// sent.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x00\x00draft\x00\x01editor\x00\x04\x05"))
	f.Fuzz(func(t *testing.T, script []byte) {
		w := &Windows{titles: true, windows: map[uint32]*window{}}
		x := &window{}
		w.windows[fake.FirstObject] = x
		for len(script) > 1 {
			opcode, n := uint16(script[0]%8), min(int(script[1]), len(script)-2)
			m := wayland.NewMessage(opcode, script[2:2+n])
			script = script[2+n:]
			if opcode != handleClosed {
				_ = w.windowEvent(fake.FirstObject, x, m)
			}
		}
		front, trouble := w.Front()
		r := wire.Report{Focus: []wire.Focus{{App: front.App, Title: front.Title}}, Trouble: trouble}
		if _, err := wire.Decode(wire.Append(nil, &r)); err != nil {
			t.Fatalf("%+v: %v", front, err)
		}
	})
}
