// Command window is a Wayland window for tests: `window APPLICATION TITLE` shows one, a
// blank picture, until its standard input ends. Each line of that becomes the
// title.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/compositor"
	"activity-tracker.example/sessiond/internal/wayland"
)

// Requests and events of the core protocol and of xdg-shell, in version 1.
const (
	compositorCreateSurface = 0
	shmCreatePool           = 0
	poolCreateBuffer        = 0
	surfaceAttach           = 1
	surfaceDamage           = 2
	surfaceCommit           = 6
	wmGetSurface            = 2
	wmPong                  = 3
	wmPing                  = 0
	xdgGetToplevel          = 1
	xdgAckConfigure         = 4
	xdgConfigure            = 0
	toplevelSetTitle        = 2
	toplevelSetAppID        = 3
	toplevelClose           = 1

	formatXRGB = 1
	pixelBytes = 4
	width      = 320
	height     = 240
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, wayland.ErrGone) {
		fmt.Fprintln(os.Stderr, "window:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	const applicationAndTitle = 2
	if len(args) != applicationAndTitle {
		return errors.New("usage: window APPLICATION TITLE")
	}
	fd, err := compositor.Place{Runtime: os.Getenv("XDG_RUNTIME_DIR")}.Connect()
	if err != nil {
		return err
	}
	w := &window{Conn: wayland.New(fd)}
	if err := w.open(args[0], args[1]); err != nil {
		return err
	}
	titles := make(chan string)
	go readTitles(titles)
	arrived := make(chan struct{})
	go awaitEvents(fd, arrived)
	for {
		select {
		case title, more := <-titles:
			if !more {
				return nil
			}
			err = errors.Join(w.Send(w.toplevel, toplevelSetTitle, wayland.AppendText(nil, title)), w.RoundTrip())
		case <-arrived:
			_, err = w.Dispatch()
			arrived <- struct{}{}
		}
		if err != nil {
			return err
		}
	}
}

func readTitles(titles chan<- string) {
	defer close(titles)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		titles <- lines.Text()
	}
}

// awaitEvents reports whenever something has arrived, and goes on when that was
// taken.
func awaitEvents(fd int, arrived chan struct{}) {
	for {
		fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds[:], -1) // interrupted is as good as ready
		arrived <- struct{}{}
		<-arrived
	}
}

// window is the one window.
type window struct {
	*wayland.Conn
	surface, buffer, xdg, toplevel uint32
}

func (w *window) open(app, title string) error {
	globals, err := w.Globals("wl_compositor", "wl_shm", "xdg_wm_base")
	if err != nil {
		return err
	}
	bound := map[string]uint32{}
	for name, g := range globals {
		if bound[name], err = w.Bind(g, 1, w.ping(bound)); err != nil {
			return err
		}
	}
	if err := w.makeBuffer(bound["wl_shm"]); err != nil {
		return err
	}
	// Compositors want new objects in the order of their numbers.
	w.surface, w.xdg, w.toplevel = w.NewObject(ignore), w.NewObject(w.configure), w.NewObject(closed)
	return errors.Join(
		w.Send(bound["wl_compositor"], compositorCreateSurface, words(w.surface)),
		w.Send(bound["xdg_wm_base"], wmGetSurface, words(w.xdg, w.surface)),
		w.Send(w.xdg, xdgGetToplevel, words(w.toplevel)),
		w.Send(w.toplevel, toplevelSetAppID, wayland.AppendText(nil, app)),
		w.Send(w.toplevel, toplevelSetTitle, wayland.AppendText(nil, title)),
		w.Send(w.surface, surfaceCommit, nil),
	)
}

// ping answers the compositor's question whether we live.
func (w *window) ping(bound map[string]uint32) wayland.Handler {
	return func(m *wayland.Message) error {
		if m.Opcode != wmPing || bound["xdg_wm_base"] == 0 {
			return nil // a format of wl_shm
		}
		return w.Send(bound["xdg_wm_base"], wmPong, words(m.Uint()))
	}
}

// configure shows the picture, whatever size the compositor would like.
func (w *window) configure(m *wayland.Message) error {
	if m.Opcode != xdgConfigure {
		return nil
	}
	return errors.Join(
		w.Send(w.xdg, xdgAckConfigure, words(m.Uint())),
		w.Send(w.surface, surfaceAttach, words(w.buffer, 0, 0)),
		w.Send(w.surface, surfaceDamage, words(0, 0, width, height)),
		w.Send(w.surface, surfaceCommit, nil),
	)
}

// makeBuffer makes the picture in memory that the compositor shares.
func (w *window) makeBuffer(shm uint32) error {
	const size = width * height * pixelBytes
	memory, err := unix.MemfdCreate("window", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	defer func() { _ = unix.Close(memory) }() // the compositor has its own
	if err := unix.Ftruncate(memory, size); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	pool := w.NewObject(ignore)
	w.buffer = w.NewObject(ignore)
	const requestBytes = 16
	request := words(shm, requestBytes<<16|shmCreatePool, pool, size)
	if err := unix.Sendmsg(w.FD(), request, unix.UnixRights(memory), nil, 0); err != nil {
		return os.NewSyscallError("sendmsg", err)
	}
	return w.Send(pool, poolCreateBuffer, words(w.buffer, 0, width, height, width*pixelBytes, formatXRGB))
}

// closed ends the program when the window is to close.
func closed(m *wayland.Message) error {
	if m.Opcode == toplevelClose {
		return wayland.ErrGone
	}
	return nil
}

func ignore(*wayland.Message) error { return nil }

func words(all ...uint32) []byte {
	var b []byte
	for _, v := range all {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}
