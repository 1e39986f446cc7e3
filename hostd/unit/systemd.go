package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// systemSocket is systemd's own, which only root can open; userSocket is the same
// of one person's service manager, below their XDG_RUNTIME_DIR.
const (
	systemSocket = "/run/systemd/private"
	userSocket   = "systemd/private"
)

const (
	// dialTimeout bounds connecting to systemd, which answers within
	// milliseconds.
	dialTimeout = 5 * time.Second
	// callTimeout bounds a call and the job that it makes.
	callTimeout = 10 * time.Second
	// startTimeout bounds a start, which takes 20 ms here and 15 s on a busy
	// machine that is emulated: giving up and starting again only adds to it.
	startTimeout = time.Minute
	// startsAtOnce is how many helpers are started side by side. Where hundreds
	// log in at once, systemd takes all jobs at the same time: each would take
	// as long as all of them, and none be done in time.
	startsAtOnce = 4
	// stopTimeout is what systemd grants a helper between SIGTERM and SIGKILL.
	// A logout has to be over within 10 s, and a helper needs milliseconds.
	stopTimeout = 2 * time.Second
)

const (
	errNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"
	errUnitExists = "org.freedesktop.systemd1.UnitExists"
	jobDone       = "done"
)

// Systemd runs helpers as transient units of the system's manager. Make one
// with NewSystemd and Close it at the end; it is safe for concurrent use.
type Systemd struct {
	ctx    context.Context // of the connection; ends with Close
	cancel context.CancelFunc
	socket string
	// properties is the whole setting of a unit with a socket.
	properties func(u Unit, socket int) []systemd.Property
	starts     chan struct{} // has room for startsAtOnce

	mu   sync.Mutex
	conn *systemd.Conn // nil until needed, and after it broke
}

// NewSystemd makes a Systemd that connects when it is first used, and again
// whenever that has broken meanwhile.
func NewSystemd() *Systemd {
	return newManager(systemSocket, properties)
}

// NewUserSystemd makes a Systemd that runs helpers in the service manager of the
// person who runs the daemon; runtimeDir is their XDG_RUNTIME_DIR.
func NewUserSystemd(runtimeDir string) *Systemd {
	return newManager(filepath.Join(runtimeDir, userSocket), userProperties)
}

func newManager(socket string, properties func(Unit, int) []systemd.Property) *Systemd {
	ctx, cancel := context.WithCancel(context.Background())
	return &Systemd{
		ctx: ctx, cancel: cancel, socket: socket, properties: properties,
		starts: make(chan struct{}, startsAtOnce),
	}
}

// Available reports whether there is a service manager to connect to.
func (s *Systemd) Available() bool {
	_, err := s.connect()
	return err == nil
}

// Close ends the connection. No unit is touched.
func (s *Systemd) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *Systemd) connect() (*systemd.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Connected() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	conn, err := systemd.NewConnection(func() (*dbus.Conn, error) { return dial(s.ctx, s.socket) })
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	s.conn = conn
	return conn, nil
}

// dial opens a connection of its own to systemd, ready for calls. No bus lies
// between (so no Hello either): there any user may send any connection what
// looks like the end of a job, or 32 MiB to decode.
func dial(ctx context.Context, socket string) (*dbus.Conn, error) {
	conn, err := dbus.Dial("unix:path="+socket, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", socket, err)
	}
	tooLate := time.AfterFunc(dialTimeout, func() { _ = conn.Close() })
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	if !tooLate.Stop() && err == nil {
		err = fmt.Errorf("no answer within %v", dialTimeout)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// Start implements helper.Units. It waits for its turn first.
func (s *Systemd) Start(ctx context.Context, u Unit) error {
	select {
	case s.starts <- struct{}{}:
		defer func() { <-s.starts }()
	case <-ctx.Done():
		return fmt.Errorf("start %s: %w", u.Name, ctx.Err())
	}
	conn, err := s.connect()
	if err != nil {
		return err
	}
	err = s.start(ctx, conn, u)
	if isBusError(err, errUnitExists) {
		// A unit of an earlier session with this id, or one that failed.
		if err := s.Stop(ctx, u.Name); err != nil {
			return fmt.Errorf("replace %s: %w", u.Name, err)
		}
		err = s.start(ctx, conn, u)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	return nil
}

func (s *Systemd) start(ctx context.Context, conn *systemd.Conn, u Unit) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	raw, err := u.Socket.SyscallConn()
	if err != nil {
		return fmt.Errorf("pass the helper's socket: %w", err)
	}
	job := make(chan string, 1)
	var callErr error
	err = raw.Control(func(fd uintptr) {
		_, callErr = conn.StartTransientUnitContext(ctx, u.Name, "fail", s.properties(u, int(fd)), job)
	})
	if err := errors.Join(err, callErr); err != nil {
		return err
	}
	return wait(ctx, job)
}

// wait returns when the job is done. A connection that breaks meanwhile shows
// as the end of ctx.
func wait(ctx context.Context, job <-chan string) error {
	select {
	case result := <-job:
		if result != jobDone {
			return fmt.Errorf("systemd's job ended with %q; see the unit's journal", result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for systemd's job: %w", ctx.Err())
	}
}

// Stop implements helper.Units.
func (s *Systemd) Stop(ctx context.Context, name string) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	job := make(chan string, 1)
	_, err = conn.StopUnitContext(ctx, name, "replace", job)
	if err == nil {
		err = wait(ctx, job)
	}
	if err != nil && !isBusError(err, errNoSuchUnit) {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	// A unit that failed would stay and keep its name in use.
	err = conn.ResetFailedUnitContext(ctx, name)
	if err != nil && !isBusError(err, errNoSuchUnit) {
		return fmt.Errorf("clean up %s: %w", name, err)
	}
	return nil
}

// Command implements helper.Units.
func (s *Systemd) Command(ctx context.Context, name string) ([]string, error) {
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	active, err := conn.GetUnitPropertyContext(ctx, name, "ActiveState")
	if err != nil {
		return nil, fmt.Errorf("ask for the state of %s: %w", name, err)
	}
	if state, _ := active.Value.Value().(string); state != "active" && state != "activating" {
		return nil, nil
	}
	exec, err := conn.GetServicePropertyContext(ctx, name, "ExecStart")
	if err != nil {
		return nil, fmt.Errorf("ask for the command of %s: %w", name, err)
	}
	return argv(exec.Value.Value()), nil
}

// argv takes the arguments out of ExecStart, which is a(sasbttttuii).
func argv(value any) []string {
	list, _ := value.([][]any)
	if len(list) == 0 || len(list[0]) < 2 {
		return nil
	}
	args, _ := list[0][1].([]string)
	return args
}

func isBusError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}
