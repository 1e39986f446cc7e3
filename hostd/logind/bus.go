package logind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// dialTimeout bounds connecting to the bus: a bus that is up answers
	// within milliseconds, and one that hangs must not hold the watcher.
	dialTimeout = 5 * time.Second
	// callTimeout bounds one call. logind may have to be started by it, which
	// took under a second on a loaded machine.
	callTimeout = 10 * time.Second
	// maxSessions bounds a list. logind itself refuses more than 8192 by
	// default (SessionsMax=).
	maxSessions = 8192
)

// defaultAddress is where the system bus listens.
const defaultAddress = "unix:path=/run/dbus/system_bus_socket"

const (
	busName      = "org.freedesktop.login1"
	busPath      = "/org/freedesktop/login1"
	managerIface = "org.freedesktop.login1.Manager"
	sessionIface = "org.freedesktop.login1.Session"
	propsIface   = "org.freedesktop.DBus.Properties"
	driverName   = "org.freedesktop.DBus"
	ownerChanged = "org.freedesktop.DBus.NameOwnerChanged"
	errNoOwner   = "org.freedesktop.DBus.Error.NameHasNoOwner"
	errNoSession = "org.freedesktop.login1.NoSuchSession"
	errNoObject  = "org.freedesktop.DBus.Error.UnknownObject"
	errNoMethod  = "org.freedesktop.DBus.Error.UnknownMethod"
	errNoIface   = "org.freedesktop.DBus.Error.UnknownInterface"
)

// bus is one connection to the system bus, subscribed to logind's signals.
type bus struct {
	conn *dbus.Conn
	sig  *signals
}

// signals turns every signal of logind into one poke: what changed is read
// anew anyway, so nothing is queued and a flood costs nothing.
type signals struct {
	poke  chan struct{}
	owner atomic.Pointer[string]
}

// DeliverSignal is called for each signal that reaches the connection. Anybody
// on the bus may send one to it, so only logind's own and the bus's count.
func (s *signals) DeliverSignal(_, _ string, sig *dbus.Signal) {
	switch {
	case sig.Sender == driverName && sig.Name == ownerChanged:
		var name, before, after string
		if dbus.Store(sig.Body, &name, &before, &after) != nil || name != busName {
			return
		}
		s.owner.Store(&after)
	case sig.Sender == "" || s.owner.Load() == nil || sig.Sender != *s.owner.Load():
		return
	}
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// connect opens a connection of its own to the bus at address (the system
// bus where it is empty) and subscribes. It ends with ctx or close.
func connect(ctx context.Context, address string) (*bus, error) {
	sig := &signals{poke: make(chan struct{}, 1)}
	opts := []dbus.ConnOption{dbus.WithContext(ctx), dbus.WithSignalHandler(sig)}
	conn, err := dial(ctx, address, opts)
	if err != nil {
		return nil, fmt.Errorf("connect to the system bus: %w", err)
	}
	b := &bus{conn: conn, sig: sig}
	tooLate := time.AfterFunc(dialTimeout, func() { _ = conn.Close() })
	err = b.greet(ctx)
	if !tooLate.Stop() && err == nil {
		err = fmt.Errorf("no answer within %v", dialTimeout)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("connect to the system bus: %w", err)
	}
	return b, nil
}

// dial opens the bus's socket and bounds what it may send.
func dial(ctx context.Context, address string, opts []dbus.ConnOption) (*dbus.Conn, error) {
	address = cmp.Or(address, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), defaultAddress)
	path, ok := strings.CutPrefix(address, "unix:path=")
	if !ok {
		return nil, fmt.Errorf("address %q: want unix:path=PATH", address)
	}
	path, _, _ = strings.Cut(path, ",") // the bus's GUID may follow
	dialer := net.Dialer{Timeout: dialTimeout}
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	conn, err := dbus.NewConn(&limited{Conn: socket}, opts...)
	if err != nil {
		_ = socket.Close() // nothing was sent on it
		return nil, err
	}
	return conn, nil
}

// greet authenticates and subscribes, so that an enumeration after it misses
// no login.
func (b *bus) greet(ctx context.Context) error {
	uid := strconv.Itoa(os.Geteuid())
	if err := b.conn.Auth([]dbus.Auth{dbus.AuthExternal(uid)}); err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	if err := b.conn.Hello(); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	matches := [][]dbus.MatchOption{
		{
			dbus.WithMatchSender(driverName), dbus.WithMatchInterface(driverName),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, busName),
		},
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(managerIface), dbus.WithMatchMember("SessionNew")},
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(managerIface), dbus.WithMatchMember("SessionRemoved")},
		{
			dbus.WithMatchSender(busName), dbus.WithMatchInterface(propsIface),
			dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace(busPath + "/session"),
		},
	}
	for _, m := range matches {
		if err := b.conn.AddMatchSignalContext(ctx, m...); err != nil {
			return fmt.Errorf("subscribe to logind: %w", err)
		}
	}
	var owner string
	err := b.conn.BusObject().CallWithContext(ctx, driverName+".GetNameOwner", 0, busName).Store(&owner)
	if err != nil && !isError(err, errNoOwner) {
		return fmt.Errorf("ask who is logind: %w", err)
	}
	// A change that arrived meanwhile is newer than the answer.
	b.sig.owner.CompareAndSwap(nil, &owner)
	return nil
}

func (b *bus) close() { _ = b.conn.Close() }

// sessions reads the whole list. A session that ends between the list and its
// properties is left out. bad counts the sessions that made no sense.
func (b *bus) sessions(ctx context.Context) (list []Session, bad int, err error) {
	var entries []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	manager := b.conn.Object(busName, busPath)
	if err := call(ctx, manager, managerIface+".ListSessions").Store(&entries); err != nil {
		return nil, 0, fmt.Errorf("list logind's sessions: %w", err)
	}
	if len(entries) > maxSessions {
		bad += len(entries) - maxSessions
		entries = entries[:maxSessions]
	}
	list = make([]Session, 0, len(entries))
	for _, e := range entries {
		if !e.Path.IsValid() {
			bad++
			continue
		}
		var props map[string]dbus.Variant
		err := call(ctx, b.conn.Object(busName, e.Path), propsIface+".GetAll", sessionIface).Store(&props)
		if isError(err, errNoSession, errNoObject, errNoMethod, errNoIface) {
			continue
		}
		if err != nil {
			return nil, bad, fmt.Errorf("read a session of logind: %w", err)
		}
		s, err := parseSession(props)
		if err != nil {
			bad++
			continue
		}
		list = append(list, s)
	}
	return list, bad, nil
}

func call(ctx context.Context, o dbus.BusObject, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return o.CallWithContext(ctx, method, 0, args...)
}

func isError(err error, names ...string) bool {
	var e dbus.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, n := range names {
		if e.Name == n {
			return true
		}
	}
	return false
}
