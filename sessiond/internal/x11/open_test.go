package x11

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/xtest"
)

func TestParseDisplay(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		":0": 0, ":10": 10, ":10.0": 10, "unix:3": 3,
		"": -1, ":": -1, "10": -1, ":x": -1, "host:1": -1, ":-1": -1, ":99999": -1, ":1x": -1,
	} {
		got, err := ParseDisplay(name)
		if want < 0 && !errors.Is(err, ErrDisplayName) || want >= 0 && (err != nil || got != want) {
			t.Errorf("ParseDisplay(%q) = %d, %v; want %d", name, got, err, want)
		}
	}
}

// TestCookie: a server that wants a cookie lets in with the right one, and with
// none or a wrong one refuses.
func TestCookie(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, number, data string) {
		var b []byte
		b = binary.BigEndian.AppendUint16(b, familyLocal)
		for _, f := range []string{host, number, cookieName, data} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(f)))
			b = append(b, f...)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(right, "", strings.Repeat("k", 16))
	write(wrong, "", strings.Repeat("w", 16))
	s := xtest.Xvfb(t, "-auth", right)
	number, err := ParseDisplay(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]error{right: nil, wrong: ErrRefused, filepath.Join(dir, "none"): ErrRefused, "": ErrRefused} {
		d, err := Open(Options{Display: number, Authority: Authority{[]string{file}, host}, Now: func() counting.Instant { return 0 }})
		if !errors.Is(err, want) {
			t.Errorf("with %q: %v, want %v", file, err, want)
		}
		if d != nil {
			d.Close()
		}
	}
}

func TestFindCookie(t *testing.T) {
	t.Parallel()
	entry := func(family uint16, fields ...string) []byte {
		b := binary.BigEndian.AppendUint16(nil, family)
		for _, f := range fields {
			b = binary.BigEndian.AppendUint16(b, uint16(len(f)))
			b = append(b, f...)
		}
		return b
	}
	other := entry(familyLocal, "old", "10", cookieName, "old")
	wild := entry(familyWild, "", "", cookieName, "wild")
	mine := entry(familyLocal, "me", "10", cookieName, "mine")
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"none":              {nil, ""},
		"another display":   {entry(familyLocal, "me", "11", cookieName, "no"), ""},
		"another kind":      {entry(familyLocal, "me", "10", "XDM-AUTHORIZATION-1", "no"), ""},
		"this host's first": {append(append(append([]byte{}, other...), mine...), wild...), "mine"},
		"wildcard":          {append(append([]byte{}, other...), wild...), "wild"},
		"renamed host":      {other, "old"},
		"cut off":           {append(append([]byte{}, wild...), mine[:9]...), "wild"},
	} {
		if got := findCookie(c.file, "10", "me"); got.data != c.want {
			t.Errorf("%s: %q, want %q", name, got.data, c.want)
		}
	}
}

// TestNonsenseServers: what answers is no X server, or a broken one. Opening and
// draining end with an error, soon, and never panic.
func TestNonsenseServers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][]byte{
		"closes":      nil,
		"refuses":     {0, 3, 11, 0, 0, 0, 1, 0, 'n', 'o', 0, 0},
		"speaks HTTP": []byte("HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 90_000)),
		"no screens":  append([]byte{1, 0, 11, 0, 0, 0, 20, 0}, make([]byte, 80)...),
		"huge reply":  append(greeted(), 1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"early reply": append(greeted(), 1, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"zeros":       append(greeted(), make([]byte, 4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, server := connected(t)
			go serve(server, answer)
			defer d.c.close()
			if err := d.start(cookie{}); err == nil {
				t.Error("no error")
			}
			_ = server.Close()
		})
	}
}

// connected is a display that is yet to be started, and the server's end of its
// connection.
func connected(t *testing.T) (*Display, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "server")
	server, err := net.FileConn(f)
	_ = f.Close() // FileConn has its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	d := &Display{opts: Options{Now: func() counting.Instant { return 0 }, Titles: true}, Focus: &counting.Focus{}}
	d.c = newConn(fds[0], d.rawEvent, d.event)
	d.SetTitles(func(_, title string) string { return title })
	return d, server
}

// greeted is what a server answers to a greeting.
func greeted() []byte { return append([]byte{1, 0, 11, 0, 0, 0, 30, 0}, setupBody()...) }

// serve sends an answer and then closes its half.
func serve(c net.Conn, answer []byte) {
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(answer)
	if u, ok := c.(*net.UnixConn); ok {
		_ = u.CloseWrite()
	}
}

// setupBody is a setup with one screen.
func setupBody() []byte {
	b := make([]byte, 120)
	b[20] = 1
	return b
}

// TestHungServer: a server that is stopped makes Drain fail, not hang.
func TestHungServer(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	w := watchDisplay(t, s)
	if err := s.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.watch.wmChanged = true // so that Drain asks something
	if _, _, err := w.Drain(w.opts.Now()); !errors.Is(err, ErrSilent) {
		t.Fatalf("Drain: %v, want %v", err, ErrSilent)
	}
}

// TestForeignServer: who listens in place of a user's X server, once that has
// ended, is not spoken to.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	const number, nobody = 59123, 65534
	path := "/tmp/.X11-unix/X59123"
	_ = os.Remove(path)
	listening, over := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends as nobody
		listening <- listenAs(nobody, path, over)
	}()
	if err := <-listening; err != nil {
		t.Fatalf("listening as another user takes root: %v", err)
	}
	defer close(over)
	defer func() { _ = os.Remove(path) }()
	if _, err := Open(Options{Display: number, Now: func() counting.Instant { return 0 }}); !errors.Is(err, ErrForeign) {
		t.Errorf("another user's server: %v, want %v", err, ErrForeign)
	}
}

// listenAs listens until over. The kernel keeps who called listen.
func listenAs(uid uintptr, path string, over <-chan struct{}) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	// Of this thread only, unlike unix.Setreuid.
	if _, _, errno := unix.RawSyscall(unix.SYS_SETREUID, ^uintptr(0), uid, 0); errno != 0 {
		return errno
	}
	go func() {
		<-over
		_ = unix.Close(fd)
	}()
	return unix.Listen(fd, 1)
}

// TestAuthorityThatIsNoFile: a user may put anything in its place.
func TestAuthorityThatIsNoFile(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "authority")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{fifo, "/dev/zero", t.TempDir()} {
		done := make(chan cookie, 1)
		go func() { done <- Authority{Files: []string{file}}.cookie(10) }()
		select {
		case got := <-done:
			if got != (cookie{}) {
				t.Errorf("%s gave a cookie", file)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("reading %s does not end", file)
		}
	}
}
