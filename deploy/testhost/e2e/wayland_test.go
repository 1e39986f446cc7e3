package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// deskUser sits before a Wayland desktop; the number is the first that a host
// assigns.
const deskUser, deskRuntime = "anna", "/run/user/1000"

// TestSlowCompositors is the focus on the other compositors of Debian 13, each
// without a screen in a real session.
func TestSlowCompositors(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"sway":  {"sway", "--config", "/dev/null"},
		"labwc": {"labwc"},
		// A copy has no capability that the host may not have.
		"kwin": {"sh", "-c", "cp /usr/bin/kwin_wayland $XDG_RUNTIME_DIR && exec $XDG_RUNTIME_DIR/kwin_wayland --virtual --no-lockscreen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := desk(t, debian.Compositors(debian.Trixie))
			h.startDesktop(t, command...)
			r := h.startFocusHelper(t)
			r.until(t, "a report, as soon as the compositor is there", func() bool { return true })
			measureWindows(t, h, r, func() {})
		})
	}
}

// measureWindows opens an editor over a browser, renames it and closes it, and
// holds the time of each against the clock. What show does may have to be done
// until windows get the focus.
func measureWindows(t *testing.T, h *host, r *reports, show func()) {
	t.Helper()
	browser := h.openWindow(t, "browser", "News")
	r.until(t, "time in the browser", func() bool {
		show()
		return r.total("browser", "News") > 0
	})
	before, known := r.total("browser", "News"), time.UnixMilli(r.last.TimeUnixMilli)
	opened := time.Now()
	editor := h.openWindow(t, "editor", "draft")
	r.until(t, "time in the editor", func() bool { return r.total("editor", "draft") > 0 })
	renamed := time.Now()
	editor.title(t, "done")
	r.until(t, "time under another title", func() bool { return r.total("editor", "done") > 0 })
	closed := time.Now()
	editor.close()
	r.until(t, "the browser in front again", func() bool { return len(r.last.Focus) == 1 && r.last.Focus[0].App == "browser" })
	ended := time.Now()
	browser.close()
	r.until(t, "nothing in front", func() bool { return len(r.last.Focus) == 0 })
	for window, want := range map[[2]string]time.Duration{
		{"editor", "draft"}: renamed.Sub(opened),
		{"editor", "done"}:  closed.Sub(renamed),
		{"browser", "News"}: before + opened.Sub(known) + ended.Sub(closed),
	} {
		const tolerance = 1500 * time.Millisecond // opening a window takes that long on a busy machine
		if d := r.total(window[0], window[1]) - want; d < -tolerance || d > tolerance {
			t.Errorf("%v off in %q, want %v", d, window, want)
		}
	}
	if r.last.Trouble != wire.TroubleNone {
		t.Errorf("trouble %d", r.last.Trouble)
	}
}

// desk boots a host with a desktop, a user and trackerd's programs.
func desk(t *testing.T, base debian.Recipe) *host {
	t.Helper()
	h, err := testhost.Start(t.Context(), testhost.Options{Base: base, Hostname: "desk", Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &host{Host: h, began: time.Now()}
	d.install(t, debPath)
	d.run(t, "useradd", "--create-home", "--uid", "1000", "--shell", "/bin/bash", deskUser)
	window, err := os.ReadFile(buildWindow(t))
	if err != nil {
		t.Fatal(err)
	}
	const program = 0o755
	if err := h.WriteFile(t.Context(), "/usr/local/bin/window", bytes.NewReader(window), program); err != nil {
		t.Fatal(err)
	}
	return d
}

// buildWindow builds the program that shows a window.
func buildWindow(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "window")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./internal/waytest/window")
	cmd.Dir = "../../../sessiond"
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the window: %v\n%s", err, out)
	}
	return path
}

// startDesktop starts a compositor in a session of logind's, in place of the one
// before.
func (h *host) startDesktop(t *testing.T, command ...string) {
	t.Helper()
	_, _ = h.Run(t.Context(), "systemctl", "stop", "desk.service") // none is as good
	h.run(t, append([]string{
		"systemd-run", "--unit=desk", "--collect", "--property=PAMName=login", "--property=User=" + deskUser,
		"--setenv=XDG_SESSION_TYPE=wayland", "--setenv=XDG_SESSION_CLASS=user", "--setenv=LANG=C.UTF-8",
		"--setenv=DBUS_SESSION_BUS_ADDRESS=unix:path=" + deskRuntime + "/bus",
		"--setenv=WLR_BACKENDS=headless", "--setenv=WLR_RENDERER=pixman", "--setenv=WLR_LIBINPUT_NO_DEVICES=1",
	}, command...)...)
}

// window is a window on a host.
type window struct {
	titles io.WriteCloser // closing it closes the window
	ended  chan struct{}
}

// openWindow opens a window of an application with a title.
func (h *host) openWindow(t *testing.T, app, title string) *window {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	x := &window{w, make(chan struct{})}
	go func() {
		defer close(x.ended)
		_, _ = h.Exec(ctx, testhost.Command{ // how it ends does not matter
			Args: []string{"window", app, title}, User: deskUser, Env: []string{"XDG_RUNTIME_DIR=" + deskRuntime}, Stdin: r,
		})
		_ = r.Close() // nobody reads titles any more
	}()
	t.Cleanup(func() {
		x.close()
		cancel()
	})
	return x
}

func (w *window) title(t *testing.T, title string) {
	t.Helper()
	if _, err := fmt.Fprintln(w.titles, title); err != nil {
		t.Fatal(err)
	}
}

func (w *window) close() {
	_ = w.titles.Close() // twice is as good
	<-w.ended
}

// reports are what a helper has reported.
type reports struct {
	socket *os.File
	last   wire.Report
	count  int
	totals map[int64][]wire.Focus // by interval
}

// sandbox is what trackerd takes away from the helper of a session, as far as it
// may be in the way of compositors and buses.
func sandbox() []string {
	var args []string
	for _, setting := range []string{
		"User=" + deskUser, "NoNewPrivileges=yes", "CapabilityBoundingSet=", "PrivateNetwork=yes", "PrivateTmp=yes",
		"PrivateDevices=yes", "ProtectSystem=strict", "ProtectHome=read-only", "ProtectProc=invisible", "ProcSubset=pid",
		"PrivateIPC=yes", "RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes",
		"RestrictAddressFamilies=AF_UNIX", "SystemCallFilter=@system-service", "LimitNOFILE=32", "TasksMax=24",
	} {
		args = append(args, "--property="+setting)
	}
	return args
}

// startFocusHelper starts the helper as trackerd would, in a unit to which the
// socket is passed.
func (h *host) startFocusHelper(t *testing.T) *reports {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(pair[1], false); err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "reports"), os.NewFile(uintptr(pair[1]), "socket")
	// Without rules a helper keeps titles to itself.
	if _, err := ours.Write(wire.AppendRules(nil, &wire.Rules{ID: 1, Titles: true})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer theirs.Close()
		args := append([]string{"systemd-run", "--pipe", "--wait", "--collect", "--quiet"}, sandbox()...)
		args = append(args, "/usr/libexec/trackerd/sessiond-wayland", "--interval", "5s")
		res, err := h.Exec(ctx, testhost.Command{Args: args, Stdin: theirs})
		if ctx.Err() == nil && (err != nil || res.Code != 0) {
			t.Errorf("the helper: %v, exit code %d: %s", err, res.Code, res.Stderr)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = ours.Close() // only read
	})
	return &reports{socket: ours, totals: map[int64][]wire.Focus{}}
}

// until reads reports until what is waited for is there.
func (r *reports) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	b := make([]byte, wire.MaxMessageBytes)
	for end := time.Now().Add(time.Minute); r.count == 0 || !is(); {
		if err := r.socket.SetReadDeadline(end); err != nil {
			t.Fatal(err)
		}
		n, err := r.socket.Read(b)
		if err != nil {
			t.Fatalf("never: %s; last report %+v; %v", what, r.last, err)
		}
		if r.last, err = wire.Decode(b[:n]); err != nil {
			t.Fatal(err)
		}
		r.count++
		r.totals[r.last.IntervalStartUnix] = r.last.Focus
	}
}

// total is how long a window has been in front in all intervals.
func (r *reports) total(app, title string) (sum time.Duration) {
	for _, focus := range r.totals {
		for _, f := range focus {
			if f.App == app && f.Title == title {
				sum += time.Duration(f.DurationMS) * time.Millisecond
			}
		}
	}
	return sum
}
