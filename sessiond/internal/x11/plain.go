package x11

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/wire"
)

// Connect returns xgb's own connection to a display, for a program that asks a few things
// and ends. Nothing in it bounds what a server sends, or when it answers: whoever starts
// the program does. letIn is called once the server has let it in.
func Connect(display int, a Authority, letIn func() error) (*xgb.Conn, error) {
	xgb.Logger.SetOutput(io.Discard) // it logs its own workings; errors are returned
	key := a.cookie(display)
	x, err := connect(display, key)
	if err != nil && key != (cookie{}) {
		x, err = connect(display, cookie{}) // an old cookie must not keep out who needs none
	}
	if err != nil {
		return nil, err
	}
	if err := letIn(); err != nil {
		x.Close()
		return nil, &OpenError{"giving up what is needed no longer", err}
	}
	return x, nil
}

func connect(display int, key cookie) (*xgb.Conn, error) {
	fd, err := dial(display)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "display")
	c, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, &OpenError{"taking the display's socket", err}
	}
	x, err := xgb.NewConnNet(&greeter{Conn: c, greeting: greeting(key)})
	if err != nil {
		_ = c.Close() // of no use
		return nil, &OpenError{"greeting the X server", errors.Join(ErrRefused, err)}
	}
	return x, nil
}

// greeter sends a greeting of its own in place of xgb's, which has no cookie.
type greeter struct {
	net.Conn

	greeting []byte
}

// Write sends b, or at first the greeting.
func (g *greeter) Write(b []byte) (int, error) {
	if g.greeting == nil {
		return g.Conn.Write(b)
	}
	_, err := g.Conn.Write(g.greeting)
	clear(g.greeting) // the cookie
	g.greeting = nil
	return len(b), err
}

// Names are the texts by which a window is known, as rules are held against them.
type Names struct {
	// App is the application.
	App string
	// Titles are all that the window has, which may differ.
	Titles []string
}

// TextAtoms are the types of titles, as a server numbers them.
type TextAtoms struct{ UTF8String, CompoundText xproto.Atom }

// ReadNames reads a window's WM_CLASS, its _NET_WM_PID, and whatever texts it has for a
// title; nil is one that it has not. A window without a class has the name of the program
// that it names, whether that is true or not: only its own user could hide one so.
func ReadNames(types TextAtoms, class, pid *xproto.GetPropertyReply, titles ...*xproto.GetPropertyReply) Names {
	var n Names
	if class != nil {
		n.App = appName(propertyBytes(class))
	}
	if n.App == "" && pid != nil && pid.Format == 32 && len(pid.Value) >= 4 {
		n.App = programName(binary.LittleEndian.Uint32(pid.Value))
	}
	if n.App == "" {
		n.App = wire.UnknownApp
	}
	for _, reply := range titles {
		if reply == nil {
			continue
		}
		if t := textOf(reply, types.UTF8String, types.CompoundText, wire.MaxTitleBytes); t != "" {
			n.Titles = append(n.Titles, t)
		}
	}
	return n
}
