package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// perConnection is how many sessions are opened over one connection: the bus
// allows 128 calls that wait for their answers.
const perConnection = 100

// logind is who keeps sessions.
type logind struct {
	conns   []*dbus.Conn
	mu      sync.Mutex
	leaders []*exec.Cmd
	kept    []*os.File
}

// connect returns a logind for so many sessions.
func connect(ctx context.Context, sessions int) (*logind, error) {
	l := new(logind)
	for range sessions/perConnection + 1 {
		conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
		if err != nil {
			l.close()
			return nil, fmt.Errorf("connect to the system bus: %w", err)
		}
		l.conns = append(l.conns, conn)
	}
	return l, nil
}

// open opens all sessions, evenly over their time. Each is begun when its time
// has come, whether those before it are open or not.
func (l *logind) open(ctx context.Context, o options) error {
	tick := time.NewTicker(max(o.over/time.Duration(o.sessions), time.Microsecond))
	defer tick.Stop()
	failed := make(chan error, o.sessions)
	var wg sync.WaitGroup
	for i := range o.sessions {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		wg.Go(func() {
			if err := l.create(ctx, l.conns[i/perConnection], uint32(o.firstUID)+uint32(i), fmt.Sprintf(":%d", o.display+i)); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// sessionOf is what CreateSession answers.
type sessionOf struct {
	id       string
	path     dbus.ObjectPath
	runtime  string
	fifo     dbus.UnixFD
	uid      uint32
	seat     string
	vt       uint32
	existing bool
}

// create opens one session, as pam_systemd does for xrdp-sesman: with a process
// of root's as leader, and a display. It lasts as long as the answer's
// descriptor is open.
func (l *logind) create(ctx context.Context, conn *dbus.Conn, uid uint32, display string) error {
	leader := exec.CommandContext(ctx, "sleep", "infinity")
	leader.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := leader.Start(); err != nil {
		return fmt.Errorf("start a session's leader: %w", err)
	}
	l.mu.Lock()
	l.leaders = append(l.leaders, leader)
	l.mu.Unlock()
	var s sessionOf
	err := conn.Object("org.freedesktop.login1", "/org/freedesktop/login1").CallWithContext(ctx,
		"org.freedesktop.login1.Manager.CreateSession", 0,
		uid, uint32(leader.Process.Pid), "xrdp-sesman", "x11", "user", "", "", uint32(0), "", display, false, "", "",
		[]struct {
			Name  string
			Value dbus.Variant
		}{},
	).Store(&s.id, &s.path, &s.runtime, &s.fifo, &s.uid, &s.seat, &s.vt, &s.existing)
	if err != nil {
		return fmt.Errorf("open a session of %d: %w", uid, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, os.NewFile(uintptr(s.fifo), "session "+s.id))
	return nil
}

func (l *logind) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.kept {
		_ = f.Close()
	}
	for _, c := range l.leaders {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for _, c := range l.conns {
		_ = c.Close()
	}
}
