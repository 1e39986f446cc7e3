// Package sessionbus connects to the D-Bus bus of a user's session, by which
// desktops report more than their compositors do.
//
// Everything on that bus belongs to the user, and so does the bus: what comes
// from there is as true as the user's programs are. Signals are handed over in
// the order in which they come, and none is kept.
package sessionbus

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Patience is how long the bus and those on it may take to answer.
const Patience = 5 * time.Second

// The bus itself, as everybody knows it.
const (
	busName      = "org.freedesktop.DBus"
	busPath      = "/org/freedesktop/DBus"
	ownerChanged = "NameOwnerChanged"
)

// Signals takes each signal, in the goroutine that reads the bus: it must not
// wait.
type Signals func(s *dbus.Signal)

// DeliverSignal is called by the connection.
func (f Signals) DeliverSignal(_, _ string, s *dbus.Signal) { f(s) }

// Connect connects to the bus in the user's runtime folder.
func Connect(runtime string, signals Signals) (*dbus.Conn, error) {
	path := runtime + "/bus"
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return nil, fmt.Errorf("looking for the session's bus: %w", err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFSOCK || int(s.Uid) != os.Getuid() {
		return nil, fmt.Errorf("looking for the session's bus: %s is no socket of this user", path)
	}
	conn, err := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(path), dbus.WithSignalHandler(signals))
	if err != nil {
		return nil, fmt.Errorf("connecting to the session's bus: %w", err)
	}
	// A bus that sends nothing would be waited for without end.
	watchdog := time.AfterFunc(Patience, func() { _ = conn.Close() })
	defer watchdog.Stop()
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		_ = conn.Close() // it is of no use
		return nil, fmt.Errorf("greeting the session's bus: %w", err)
	}
	if err := conn.Hello(); err != nil {
		_ = conn.Close() // it is of no use
		return nil, fmt.Errorf("greeting the session's bus: %w", err)
	}
	return conn, nil
}

// Owner returns the unique name of who owns a name; it is an error if nobody
// does.
func Owner(conn *dbus.Conn, name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var owner string
	err := conn.Object(busName, busPath).CallWithContext(ctx, busName+".GetNameOwner", 0, name).Store(&owner)
	if err != nil {
		return "", fmt.Errorf("asking who is %s: %w", name, err)
	}
	return owner, nil
}

// FollowOwner asks for a signal whenever a name changes its owner.
func FollowOwner(conn *dbus.Conn, name string) error {
	err := conn.AddMatchSignal(dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName),
		dbus.WithMatchMember(ownerChanged), dbus.WithMatchArg(0, name))
	if err != nil {
		return fmt.Errorf("following who is %s: %w", name, err)
	}
	return nil
}

// NewOwner returns the new owner of a name if that is what a signal is about; it
// is empty if the name has none any more.
func NewOwner(s *dbus.Signal, name string) (owner string, changed bool) {
	const nameOldNew = 3
	if s.Sender != busName || s.Name != busName+"."+ownerChanged || len(s.Body) != nameOldNew || s.Body[0] != any(name) {
		return "", false
	}
	owner, changed = s.Body[2].(string)
	return owner, changed
}
