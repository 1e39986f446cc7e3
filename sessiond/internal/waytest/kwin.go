package waytest

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// KWin starts KDE's compositor, without the rest of KDE, in a session of its own
// with a bus.
func KWin(t *testing.T) *Session {
	t.Helper()
	s := NewSession(t)
	s.StartBus(t)
	s.compositor = s.start(t, s.Copy(t, "/usr/bin/kwin_wayland"), // a copy has no capability that this machine may not have

		"--virtual", "--no-lockscreen", "--no-global-shortcuts", "--socket", "wayland-0")
	s.display = filepath.Base(s.awaitSocket(t, "wayland-?"))
	s.until(t, "KWin on the bus", func() bool {
		_, err := s.call("org.kde.KWin", "/KWin", "org.freedesktop.DBus.Peer", "Ping")
		return err == nil
	})
	return s
}

// Copy copies a file into the runtime folder, for the session's user to read and
// run.
func (s *Session) Copy(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("copying %s: %v (is it installed?)", file, err)
	}
	path := filepath.Join(s.Runtime, filepath.Base(file))
	// A program that is started meanwhile would have the file open for writing as well for a
	// moment, and the kernel runs none that somebody writes.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	const forAll = 0o755
	if err := os.WriteFile(path, b, forAll); err != nil { //nolint:gosec // another user's to read
		t.Fatal(err)
	}
	return path
}

// StartBus starts the session's bus.
func (s *Session) StartBus(t *testing.T) *Process {
	t.Helper()
	s.bus = "unix:path=" + filepath.Join(s.Runtime, "bus")
	bus := s.start(t, "dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+s.bus)
	s.until(t, "a bus in "+s.Runtime, func() bool {
		conn, err := net.Dial("unix", filepath.Join(s.Runtime, "bus")) //nolint:noctx // it never waits
		if err == nil {
			_ = conn.Close() // it served its purpose
		}
		return err == nil
	})
	return bus
}

// Script has KWin run a script once.
func (s *Session) Script(t *testing.T, script string) {
	t.Helper()
	file := filepath.Join(s.Runtime, "test.js")
	const readable = 0o644
	if err := os.WriteFile(file, []byte(script), readable); err != nil {
		t.Fatal(err)
	}
	const kwin, scripting, iface = "org.kde.KWin", "/Scripting", "org.kde.kwin.Scripting"
	out, err := s.call(kwin, scripting, iface, "loadScript", "ss", file, "test")
	if err != nil {
		t.Fatalf("loading a script: %v", err)
	}
	number := strings.TrimPrefix(strings.TrimSpace(out), "i ")
	if _, err = s.call(kwin, "/"+number, "org.kde.kwin.Script", "run"); err != nil {
		_, err = s.call(kwin, "/Scripting/Script"+number, "org.kde.kwin.Script", "run")
	}
	if err != nil {
		t.Fatalf("running a script: %v", err)
	}
	if _, err = s.call(kwin, scripting, iface, "unloadScript", "s", "test"); err != nil {
		t.Fatalf("unloading a script: %v", err)
	}
}

// IsScriptLoaded reports whether KWin has a script of that name.
func (s *Session) IsScriptLoaded(t *testing.T, name string) bool {
	t.Helper()
	out, err := s.call("org.kde.KWin", "/Scripting", "org.kde.kwin.Scripting", "isScriptLoaded", "s", name)
	if err != nil {
		t.Fatalf("asking for scripts: %v", err)
	}
	return strings.TrimSpace(out) == "b true"
}

// Activate moves KWin's focus to the window of an application, if it has one.
func (s *Session) Activate(t *testing.T, app string) {
	t.Helper()
	s.Script(t, `
		const six = workspace.windowActivated !== undefined;
		const all = six ? workspace.windowList() : workspace.clientList();
		const found = all.find((window) => String(window.resourceClass) === "`+app+`");
		if (found && six) workspace.activeWindow = found;
		if (found && !six) workspace.activeClient = found;
	`)
}

// call calls a method over the session's bus and returns the answer as busctl
// prints it.
func (s *Session) call(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := s.command(ctx, append([]string{"busctl", "--address=" + s.bus, "call"}, args...)...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", &callError{problem.String(), err}
	}
	return out.String(), nil
}

// callError is what busctl complained of.
type callError struct {
	problem string
	err     error
}

func (e *callError) Error() string { return e.err.Error() + ": " + strings.TrimSpace(e.problem) }

func (e *callError) Unwrap() error { return e.err }
