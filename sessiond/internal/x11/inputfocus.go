package x11

import (
	"encoding/binary"

	"github.com/jezek/xgb/xproto"
)

// maxDepth bounds the way through a tree of windows. A window manager puts some
// two frames around a program's window, a toolkit some ten windows into it.
const maxDepth = 32

// Windows that GetInputFocus names where the focus is on none.
const (
	focusNone        = 0
	focusPointerRoot = 1 // the keys go to the window under the pointer
)

// inputFocus returns the program's window to which keys go, where no window manager
// names the one in front: a window with a class, from the one that has X's input
// focus upwards, or from the root down to the pointer. It may be a program's panel
// or a menu, which a window manager would not count.
func (d *Display) inputFocus() (xproto.Window, error) {
	asked := xproto.GetInputFocus(d.c.x)
	d.c.owe(asked.Cookie, nil)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	if err != nil || reply == nil {
		return 0, err
	}
	switch reply.Focus {
	case focusNone:
		return 0, nil
	case focusPointerRoot, d.root:
		return d.underPointer()
	}
	return d.upwards(reply.Focus)
}

// underPointer returns the first window with a class on the way down to the
// pointer, else the one below the root; 0 where there is none.
func (d *Display) underPointer() (xproto.Window, error) {
	var top xproto.Window
	for window, depth := d.root, 0; depth < maxDepth; depth++ {
		asked := xproto.QueryPointer(d.c.x, window)
		d.c.owe(asked.Cookie, nil)
		reply, err := answer(d.c, asked.Cookie, asked.Reply)
		if err != nil || reply == nil || reply.Child == 0 {
			return top, err
		}
		window = reply.Child
		if top == 0 {
			top = window
		}
		if named, err := d.hasClass(window); named || err != nil {
			return window, err
		}
	}
	return top, nil
}

// upwards returns the first window with a class from one on towards the root, else
// the one below the root.
func (d *Display) upwards(window xproto.Window) (xproto.Window, error) {
	for range maxDepth {
		if named, err := d.hasClass(window); named || err != nil {
			return window, err
		}
		asked := xproto.QueryTree(d.c.x, window)
		d.c.owe(asked.Cookie, isTree)
		reply, err := answer(d.c, asked.Cookie, asked.Reply)
		if err != nil || reply == nil {
			return 0, err
		}
		if reply.Parent == d.root || reply.Parent == 0 {
			return window, nil
		}
		window = reply.Parent
	}
	return 0, nil
}

func (d *Display) hasClass(window xproto.Window) (bool, error) {
	asked := d.getProperty(window, xproto.AtomWmClass)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	return reply != nil && len(reply.Value) > 0, err
}

// isTree reports whether a list of windows is as long as its reply states.
func isTree(reply []byte) bool {
	const countAt, windowBytes = 16, 4
	return windowBytes*int(binary.LittleEndian.Uint16(reply[countAt:])) <= len(reply)-headerBytes
}
