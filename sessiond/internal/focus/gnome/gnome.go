// Package gnome follows the window in front of GNOME Shell, which reports that to
// nobody but its extensions. The one in the package trackerd-gnome answers over
// the session's bus, to the user's own programs only, and only what is asked.
package gnome

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/focus/latest"
	"activity-tracker.example/sessiond/internal/sessionbus"
	"activity-tracker.example/sessiond/internal/text"
	"activity-tracker.example/sessiond/wire"
)

// Globals are what GNOME's compositor offers on Wayland and nobody else does.
func Globals() []string { return []string{"gtk_shell1"} }

// Names on the bus, as the extension has them.
const (
	name   = "example.activity_tracker.Focus1"
	path   = "/example/activity_tracker/Focus1"
	method = name + ".Focused"
)

// askEvery is the least time between two questions, so that a title that changes
// all the time costs little.
const askEvery = 250 * time.Millisecond

// Focus follows GNOME Shell's window in front.
type Focus struct {
	*latest.Word
	conn   *dbus.Conn
	titles bool
	poke   chan struct{} // holds one wish to ask
	stop   context.CancelFunc
	asking sync.WaitGroup
}

// Follow follows the window in front over the session's bus, from when the
// extension is there and whenever it is.
func Follow(runtime string, titles bool) (*Focus, error) {
	word, err := latest.New(wire.TroubleNoGNOMEExtension)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Focus{Word: word, titles: titles, poke: make(chan struct{}, 1), stop: stop}
	if f.conn, err = sessionbus.Connect(runtime, f.signal); err == nil {
		err = f.subscribe()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.asking.Go(func() { f.keepAsking(ctx) })
	f.signal(nil) // it may be there already
	return f, nil
}

func (f *Focus) subscribe() error {
	context.AfterFunc(f.conn.Context(), f.End)
	if err := sessionbus.FollowOwner(f.conn, name); err != nil {
		return err
	}
	err := f.conn.AddMatchSignal(dbus.WithMatchSender(name), dbus.WithMatchObjectPath(path), dbus.WithMatchInterface(name))
	if err != nil {
		return fmt.Errorf("following the extension: %w", err)
	}
	return nil
}

// signal notes that the extension has news, came or went: whichever it is shows
// when it is asked.
func (f *Focus) signal(*dbus.Signal) {
	select {
	case f.poke <- struct{}{}:
	default: // it will be asked anyway
	}
}

// keepAsking asks the extension after each wish, but not too often.
func (f *Focus) keepAsking(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.poke:
		}
		f.Set(f.ask(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
	}
}

// ask asks the extension once. It announces the next change only after it was
// asked, so a flood of changes is one signal.
func (f *Focus) ask(ctx context.Context) (counting.Window, wire.Trouble) {
	ctx, cancel := context.WithTimeout(ctx, sessionbus.Patience)
	defer cancel()
	var present bool
	var app, title string
	err := f.conn.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, f.titles).Store(&present, &app, &title)
	switch {
	case err != nil:
		return counting.Window{}, wire.TroubleNoGNOMEExtension
	case !present:
		return counting.Window{}, wire.TroubleNone
	}
	window := counting.Window{App: text.Clean([]byte(app), wire.MaxAppBytes)}
	if window.App == "" {
		window.App = wire.UnknownApp
	}
	if f.titles {
		window.Title = text.Clean([]byte(title), wire.MaxTitleBytes)
	}
	return window, wire.TroubleNone
}

// Close stops following.
func (f *Focus) Close() {
	f.stop()
	f.asking.Wait()
	if f.conn != nil {
		_ = f.conn.Close() // nothing is left to send
	}
	f.Word.Close()
}
