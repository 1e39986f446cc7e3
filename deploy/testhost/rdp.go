package testhost

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"activity-tracker.example/testhost/internal/screen"
	"activity-tracker.example/testhost/internal/wait"
)

var (
	//go:embed connected.sh
	connectedScript string
	//go:embed ready.sh
	readyScript string
)

// Limits of an RDP client.
const (
	// loginTimeout is for a machine under heavy load; 2 s is usual.
	loginTimeout = 60 * time.Second
	// leaveTimeout is for a disconnect or a logout to show.
	leaveTimeout = 20 * time.Second
	// defaultWidth and defaultHeight are small enough to be drawn quickly.
	defaultWidth, defaultHeight = 1024, 768
	// firstX and firstY are where a new session's pointer is: xorgxrdp begins
	// with 800 by 600 pixels, whatever the client asks for.
	firstX, firstY = 400, 300
)

// LoginOptions are how to log in. The zero value is a good one.
type LoginOptions struct {
	// Password of the user; what AddUser made unless given.
	Password string
	// Width and Height are the desktop's, in pixels; 1024 by 768 unless given.
	Width, Height int
	// Server is what draws the session: SessionXorg, or SessionXvnc; Xorg unless
	// given.
	Server string
	// Beside is the display of a session of theirs that goes on beside this one.
	Beside string
	// Bare is for a user whose session starts no window manager that names the window
	// in front: it can be used as soon as it shows a window.
	Bare bool
	// LockKeys has Caps Lock and Num Lock be on where the client is connected from.
	LockKeys bool
}

// What may draw a session: the names of the sections of xrdp.ini.
const (
	SessionXorg = "Xorg"
	SessionXvnc = "Xvnc"
)

// Session is a user's desktop session as the host's logind knows it.
type Session struct {
	// ID is logind's, such as "c1".
	ID string
	// Display is the session's X display on the host, such as ":10".
	Display string
	// Leader is the process id of the session's leader, on the host.
	Leader int
}

// RDP is one user's RDP client. Its methods are for one goroutine at a time;
// clients of different users may be used at once.
type RDP struct {
	host *Host
	// Session is the desktop that the client is connected to.
	Session Session
	info    rdpInfo
	locks   bool // the lock keys are on when the client is started

	mu     sync.Mutex
	screen *screen.Screen
}

// rdpInfo is what another process needs to drive the client.
type rdpInfo struct {
	User          string `json:"user"`
	Password      string `json:"password"`
	Width, Height int
	Server        string
	Beside        string `json:",omitempty"`
	Bare          bool
	// X and Y are where the session's pointer is while no client is connected.
	X, Y int
	// WheelRest is what the X server was sent of the wheel's turning that has
	// made no step yet.
	WheelRest int
	// Client is the process id of xfreerdp and Screen that of its X server.
	Client, Screen int
	// Display is the number of that X server.
	Display int
	Session Session
}

// Login logs a user in over RDP, as a client of its own with a screen of its
// own, and returns when the desktop can be used: the window manager runs and
// its terminal has the focus, unless LoginOptions.Bare.
func (h *Host) Login(ctx context.Context, user string, opts LoginOptions) (*RDP, error) {
	r := &RDP{host: h, locks: opts.LockKeys, info: rdpInfo{
		User: user, Password: opts.Password, Width: opts.Width, Height: opts.Height,
		Server: opts.Server, Beside: opts.Beside, Bare: opts.Bare, X: firstX, Y: firstY,
	}}
	if r.info.Password == "" {
		password, err := os.ReadFile(filepath.Join(h.dir(), "password-"+user))
		if err != nil {
			return nil, fmt.Errorf("log in %s: no such user was added: %w", user, err)
		}
		r.info.Password = string(password)
	}
	if r.info.Width == 0 || r.info.Height == 0 {
		r.info.Width, r.info.Height = defaultWidth, defaultHeight
	}
	if r.info.Server == "" {
		r.info.Server = SessionXorg
	}
	if r.info.Server == SessionXvnc { // it begins with the client's size
		r.info.X, r.info.Y = r.info.Width/2, r.info.Height/2
	}
	if err := r.connect(ctx); err != nil {
		return nil, fmt.Errorf("log in %s over RDP: %w", user, err)
	}
	return r, nil
}

// Reconnect connects again after Disconnect; the session goes on.
func (r *RDP) Reconnect(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return fmt.Errorf("reconnect %s over RDP: %w", r.info.User, err)
	}
	return nil
}

// connect starts a client and waits until its desktop can be used.
func (r *RDP) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	s, err := r.startClient(ctx)
	if err == nil {
		err = r.waitUsable(ctx, s)
	}
	if err != nil {
		err = fmt.Errorf("%w\nclient said:\n%s", err, r.clientLog())
		if s != nil {
			s.Close()
		}
		return errors.Join(err, r.stopClient(context.WithoutCancel(ctx)))
	}
	r.mu.Lock()
	r.screen = s
	r.mu.Unlock()
	return r.save()
}

// waitUsable waits on the client's side for its window, and on the host's for
// a session whose desktop is up and connected.
func (r *RDP) waitUsable(ctx context.Context, s *screen.Screen) error {
	if err := wait.Until(ctx, func() (bool, error) { return s.FocusWindow(r.clientAlive) }); err != nil {
		return fmt.Errorf("wait for the client's window: %w", err)
	}
	usable := "focused"
	if r.info.Bare {
		usable = "shown"
	}
	var res Result
	err := wait.Until(ctx, func() (bool, error) {
		var err error
		res, err = r.host.Exec(ctx, Command{Args: []string{"sh", "-c", connectedScript + readyScript, "ready", r.info.User, "40", r.info.Beside, usable}})
		if err == nil && res.Code != 0 && !r.clientAlive() {
			err = errors.New("the client ended")
		}
		return res.Code == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for the desktop of %s (%s): %w", r.info.User, strings.TrimSpace(res.Stderr), err)
	}
	if _, err := fmt.Sscan(res.Stdout, &r.Session.ID, &r.Session.Display, &r.Session.Leader); err != nil {
		return fmt.Errorf("read the session from %q: %w", res.Stdout, err)
	}
	r.info.Session = r.Session
	return nil
}

// Disconnect closes the client, as somebody does who shuts the laptop. The
// session goes on without it.
func (r *RDP) Disconnect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := errors.Join(r.stopClient(ctx), r.save()); err != nil {
		return err
	}
	err := wait.Until(ctx, func() (bool, error) {
		connected, err := r.Connected(ctx)
		return !connected, err
	})
	if err != nil {
		return fmt.Errorf("wait for %s to be disconnected: %w", r.info.User, err)
	}
	return nil
}

// Connected reports whether the host sees a client on the session's display.
func (r *RDP) Connected(ctx context.Context) (bool, error) {
	res, err := r.host.Run(ctx, "sh", "-c", connectedScript+`connected "$1" && echo yes || echo no`, "connected", r.Session.Display)
	return res == "yes", err
}

// endDesktop ends the user's desktop: XFCE's session manager, which runs under
// the name by which Debian started it, or else the window manager on $DISPLAY.
const endDesktop = `pkill -TERM -u "$USER" -x 'xfce4-session|x-session-manag' || exec openbox --exit`

// Logout ends the session as the user would: by ending the desktop. It
// returns when the session's X server and the client are gone. The session
// may stay "closing" in logind for some seconds more.
func (r *RDP) Logout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	// It may fail because it succeeds: X goes away under its feet.
	_, err := r.host.Exec(ctx, Command{User: r.info.User, Env: []string{"DISPLAY=" + r.Session.Display}, Args: []string{"sh", "-c", endDesktop}})
	if err != nil {
		return fmt.Errorf("log %s out: %w", r.info.User, err)
	}
	gone := `! grep -q "@/tmp/.X11-unix/X$1\$" /proc/net/unix`
	err = wait.Until(ctx, func() (bool, error) {
		res, err := r.host.Exec(ctx, Command{Args: []string{"sh", "-c", gone, "gone", strings.TrimPrefix(r.Session.Display, ":")}})
		return res.Code == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for the X server of %s to end: %w", r.info.User, err)
	}
	return r.stopClient(ctx)
}

// RunInSession runs a program as the user with the session's display, as from
// its terminal, and returns what it printed.
func (r *RDP) RunInSession(ctx context.Context, args ...string) (string, error) {
	env := append([]string{"env", "DISPLAY=" + r.Session.Display}, args...)
	return r.host.RunAs(ctx, r.info.User, env...)
}

func (r *RDP) path(ext string) string {
	return filepath.Join(r.host.dir(), "rdp-"+r.info.User+"."+ext)
}

// save lets AttachRDP find the client.
func (r *RDP) save() error {
	b, err := json.Marshal(r.info)
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("json"), b, 0o600)
}

// AttachRDP returns the user's client that another process started.
func (h *Host) AttachRDP(ctx context.Context, user string) (*RDP, error) {
	r := &RDP{host: h, info: rdpInfo{User: user}}
	b, err := os.ReadFile(r.path("json"))
	if err != nil {
		return nil, fmt.Errorf("%s is not logged in on this test host: %w", user, err)
	}
	if err := json.Unmarshal(b, &r.info); err != nil {
		return nil, fmt.Errorf("read the client of %s: %w", user, err)
	}
	r.Session = r.info.Session
	if !r.clientAlive() {
		return r, nil // disconnected: Reconnect and Logout work
	}
	r.screen, err = r.openScreen(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the client of %s: %w", user, err)
	}
	return r, nil
}

// Detach lets go of the client without ending it; AttachRDP finds it again.
func (r *RDP) Detach() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.screen != nil {
		r.screen.Close()
		r.screen = nil
	}
	return nil
}
