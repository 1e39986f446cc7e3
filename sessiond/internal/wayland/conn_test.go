package wayland

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/waytest/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect is a connection to a compositor that offers some interfaces.
func connect(t *testing.T, globals ...string) (*Conn, *fake.Compositor) {
	t.Helper()
	compositor, fd := fake.New(t, globals...)
	c := New(fd)
	t.Cleanup(c.Close)
	return c, compositor
}

func TestGlobals(t *testing.T) {
	t.Parallel()
	c, compositor := connect(t, "wl_seat", "wanted", "wanted", "other")
	globals, err := c.Globals("wanted", "missing")
	if err != nil || len(globals) != 1 || globals["wanted"].name != 1 {
		t.Fatalf("globals %+v, %v; want the first of the wanted one", globals, err)
	}
	id, err := c.Bind(globals["wanted"], 1, func(*Message) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	<-compositor.Bound
	if compositor.Object != id {
		t.Errorf("bound as %d, want %d", compositor.Object, id)
	}
}

// TestNonsense: what no compositor sends ends the connection.
func TestNonsense(t *testing.T) {
	t.Parallel()
	const object = fake.FirstObject
	short := fake.Event(object, 0)
	short[6] = 4 // shorter than its header
	odd := fake.Event(object, 0, fake.Uint(1))
	odd[6] = 11
	for name, sent := range map[string][]byte{
		"shorter than a header":     short,
		"no multiple of a word":     odd,
		"no argument":               fake.Event(object, 0),
		"a text longer than it is":  fake.Event(object, 0, fake.Uint(1<<31), fake.Uint(0)),
		"a text of all bytes":       fake.Event(object, 0, fake.Uint(1<<32-1), fake.Uint(0)),
		"a text without end":        fake.Event(object, 0, fake.Array([]byte("abcd"))),
		"a text that ends twice":    fake.Event(object, 0, fake.Array([]byte("ab\x00\x00"))),
		"an error of the display's": fake.Event(displayID, displayError, fake.Uint(1), fake.Uint(1), fake.Text("go away")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, compositor := connect(t)
			c.Listen(object, func(m *Message) error {
				m.Text()
				return nil
			})
			compositor.Write(sent)
			if err := c.await(func() bool { return false }); !errors.Is(err, ErrNonsense) {
				t.Errorf("%v, want %v", err, ErrNonsense)
			}
		})
	}
}

func TestNewIDIsTheCompositors(t *testing.T) {
	t.Parallel()
	for id, want := range map[uint32]bool{0: false, 5: false, fake.FirstObject: true, 1<<32 - 1: true} {
		m := Message{rest: fake.Uint(id)}
		if got := m.NewID(); (got == id && !m.bad) != want {
			t.Errorf("object %#x: %#x, bad %v", id, got, m.bad)
		}
	}
}

func TestClosedWithinAMessage(t *testing.T) {
	t.Parallel()
	c, compositor := connect(t)
	compositor.Write(fake.Event(fake.FirstObject, 0, fake.Text("cut off"))[:12])
	compositor.Close()
	if err := c.await(func() bool { return false }); !errors.Is(err, ErrGone) {
		t.Errorf("%v, want %v", err, ErrGone)
	}
}

func TestSilentCompositor(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(pair[0]) }()
	c := New(pair[1])
	defer c.Close()
	c.patience = 50 * time.Millisecond
	if err := c.RoundTrip(); !errors.Is(err, ErrSilent) {
		t.Errorf("%v, want %v", err, ErrSilent)
	}
	// One that reads nothing: a request that is not taken is not waited for.
	for err = nil; err == nil; {
		err = c.Send(displayID, displaySync, word(2))
	}
	if !errors.Is(err, ErrSilent) {
		t.Errorf("%v, want %v", err, ErrSilent)
	}
}

// TestFlood: one Dispatch ends, however much there is to read, and keeps no more
// than a message. A file stands for a socket that never runs dry.
func TestFlood(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "flood")
	if err := os.WriteFile(path, bytes.Repeat(fake.Event(fake.FirstObject, 7, make([]byte, 60_000)), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := New(fd)
	defer c.Close()
	for range 5 {
		if got, err := c.Dispatch(); !got || err != nil {
			t.Fatalf("read %v, %v", got, err)
		}
		if n := c.Garbage(); n > maxDispatchBytes+cap(c.in) || cap(c.in) > 4*maxMessageBytes {
			t.Fatalf("%d bytes were read at once, %d are kept", n, cap(c.in))
		}
	}
}

// FuzzDeliver: whatever arrives, in whatever pieces, makes no reader panic, and
// what is kept is less than a message.
func FuzzDeliver(f *testing.F) {
	f.Add(fake.Event(fake.FirstObject, 0, fake.Text("title"), fake.Uint(7), fake.Array([]byte{1, 2, 3})), 5)
	f.Add(fake.Event(displayID, displayError, fake.Uint(1)), 1)
	f.Add([]byte{0, 0, 0, 0xff, 0, 0, 4, 0}, 3)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		if piece <= 0 || len(b) > 1<<20 {
			return
		}
		c := New(-1)
		total := len(b)
		c.Listen(fake.FirstObject, func(m *Message) error {
			if len(m.Text()) > total || len(m.Array()) > total {
				t.Fatal("an argument longer than all that came")
			}
			m.Uint()
			m.NewID()
			return nil
		})
		for len(b) > 0 {
			n := min(piece, len(b))
			c.in = append(c.in, b[:n]...)
			b = b[n:]
			if c.deliver() != nil {
				return
			}
			if len(c.in) > maxMessageBytes {
				t.Fatalf("%d bytes are kept", len(c.in))
			}
		}
	})
}
