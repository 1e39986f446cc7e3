// Package kwin follows the window in front of KDE's compositor. KWin reports that
// only to its own scripts, so a small one is loaded into it over the session's
// bus, for as long as the helper runs: it calls back whenever that changes.
package kwin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/focus/latest"
	"activity-tracker.example/sessiond/internal/sessionbus"
	"activity-tracker.example/sessiond/internal/text"
	"activity-tracker.example/sessiond/wire"
)

// Globals are what KWin offers on Wayland and nobody else does.
func Globals() []string {
	return []string{"org_kde_plasma_shell", "kde_output_device_v2", "kde_output_management_v2"}
}

// ErrNoScript means that KWin cannot load the script.
var ErrNoScript = errors.New("KWin does not load the script that follows the focus")

// Names on the bus. The script has ours too.
const (
	kwinName        = "org.kde.KWin"
	scriptingPath   = "/Scripting"
	scriptingPrefix = "org.kde.kwin.Scripting."
	runMethod       = "org.kde.kwin.Script.run"

	ownName = "example.activity_tracker.KWinFocus"
	ownPath = "/example/activity_tracker/KWinFocus"
	plugin  = "example.activity_tracker.focus" // the script, to KWin
)

// Focus follows KWin's window in front.
type Focus struct {
	*latest.Word
	conn   *dbus.Conn
	titles bool
	kwin   string // KWin's unique name: nobody else is listened to
}

// Follow loads the script, a file that KWin can read, into the KWin of the
// session's bus.
func Follow(runtime, script string, titles bool) (*Focus, error) {
	if _, err := os.Stat(script); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoScript, err)
	}
	conn, err := sessionbus.Connect(runtime, func(*dbus.Signal) {})
	if err != nil {
		return nil, err
	}
	word, err := latest.New(wire.TroubleNone)
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, err
	}
	f := &Focus{Word: word, conn: conn, titles: titles}
	if err := f.start(script); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Focus) start(script string) (err error) {
	context.AfterFunc(f.conn.Context(), f.End)
	if f.kwin, err = sessionbus.Owner(f.conn, kwinName); err != nil {
		return err
	}
	methods := map[string]any{"Titles": f.wantsTitles, "Focused": f.focused}
	if err := f.conn.ExportMethodTable(methods, ownPath, ownName); err != nil {
		return fmt.Errorf("offering a place to call back: %w", err)
	}
	reply, err := f.conn.RequestName(ownName, dbus.NameFlagDoNotQueue|dbus.NameFlagReplaceExisting|dbus.NameFlagAllowReplacement)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		return fmt.Errorf("taking the name %s: %w", ownName, errors.Join(err, errTaken(reply)))
	}
	return f.load(script)
}

// errTaken is nil if the name is ours.
func errTaken(reply dbus.RequestNameReply) error {
	if reply == dbus.RequestNameReplyPrimaryOwner {
		return nil
	}
	return errors.New("somebody else has it")
}

// load loads the script and runs it. One that a killed helper left is replaced.
func (f *Focus) load(script string) error {
	if err := f.call(scriptingPath, scriptingPrefix+"unloadScript", nil, plugin); err != nil {
		return fmt.Errorf("%w: %w", ErrNoScript, err)
	}
	var id int32
	if err := f.call(scriptingPath, scriptingPrefix+"loadScript", &id, script, plugin); err != nil {
		return fmt.Errorf("%w: %w", ErrNoScript, err)
	}
	if id < 0 {
		return ErrNoScript
	}
	// KWin 6 has scripts below its scripting; KWin 5 has them at the top.
	number := strconv.Itoa(int(id))
	err := f.call(dbus.ObjectPath(scriptingPath+"/Script"+number), runMethod, nil)
	if err != nil {
		err = f.call(dbus.ObjectPath("/"+number), runMethod, nil)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoScript, err)
	}
	return nil
}

// call calls a method of KWin and stores its one result, if that is wanted.
func (f *Focus) call(path dbus.ObjectPath, method string, result any, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), sessionbus.Patience)
	defer cancel()
	call := f.conn.Object(f.kwin, path).CallWithContext(ctx, method, 0, args...)
	if call.Err != nil {
		return fmt.Errorf("%s: %w", method, call.Err)
	}
	if result == nil {
		return nil
	}
	if err := call.Store(result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// wantsTitles answers the script's question whether it may read titles at all.
func (f *Focus) wantsTitles(sender dbus.Sender) (bool, *dbus.Error) {
	if string(sender) != f.kwin {
		return false, refused()
	}
	return f.titles, nil
}

// focused is called by the script: a window came to the front, or its title
// changed, or there is none any more.
func (f *Focus) focused(sender dbus.Sender, present bool, app, title string) *dbus.Error {
	if string(sender) != f.kwin {
		return refused()
	}
	var window counting.Window
	if present {
		if window.App = text.Clean([]byte(app), wire.MaxAppBytes); window.App == "" {
			window.App = wire.UnknownApp
		}
		if f.titles {
			window.Title = text.Clean([]byte(title), wire.MaxTitleBytes)
		}
	}
	f.Set(window, wire.TroubleNone)
	return nil
}

func refused() *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"only KWin may call this"})
}

// Close takes the script out of KWin.
func (f *Focus) Close() {
	_ = f.call(scriptingPath, scriptingPrefix+"unloadScript", nil, plugin) // KWin may be gone
	_ = f.conn.Close()                                                     // nothing is left to send
	f.Word.Close()
}
