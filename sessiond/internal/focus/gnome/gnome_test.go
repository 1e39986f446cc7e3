package gnome

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/sessionbus"
	"activity-tracker.example/sessiond/internal/waytest"
	"activity-tracker.example/sessiond/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// extension is an extension on a real bus, without a GNOME Shell around it.
type extension struct {
	conn   *dbus.Conn
	answer atomic.Value // of answer
	asked  atomic.Int64
	titles atomic.Int64 // how often they were asked for
}

type answer struct {
	present    bool
	app, title string
}

func (e *extension) focused(titles bool) (bool, string, string, *dbus.Error) {
	e.asked.Add(1)
	if titles {
		e.titles.Add(1)
	}
	a := e.answer.Load().(answer) //nolint:forcetypeassert // only answers are stored
	return a.present, a.app, a.title, nil
}

// install puts an extension on the session's bus.
func install(t *testing.T, s *waytest.Session, first answer) *extension {
	t.Helper()
	conn, err := sessionbus.Connect(s.Runtime, func(*dbus.Signal) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	e := &extension{conn: conn}
	e.answer.Store(first)
	if err := conn.ExportMethodTable(map[string]any{"Focused": e.focused}, path, name); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return e
}

// changes answers something else from now on, and announces it.
func (e *extension) changes(t *testing.T, a answer) {
	t.Helper()
	e.answer.Store(a)
	if err := e.conn.Emit(path, name+".Changed"); err != nil {
		t.Fatal(err)
	}
}

// await waits until the newest word is what it should be.
func await(t *testing.T, f *Focus, want counting.Window, trouble wire.Trouble) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		got, why := f.Front()
		if got == want && why == trouble {
			return
		}
		left := time.Until(end)
		if left <= 0 {
			t.Fatalf("%.100q, trouble %d; want %.100q, %d", got, why, want, trouble)
		}
		fds := [...]unix.PollFd{{Fd: int32(f.FD()), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds[:], int(left/time.Millisecond)) // interrupted is as good
	}
}

func follow(t *testing.T, s *waytest.Session, titles bool) *Focus {
	t.Helper()
	f, err := Follow(s.Runtime, titles)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// TestComesAndGoes: the extension is missing, comes, reports changes, and goes.
func TestComesAndGoes(t *testing.T) {
	t.Parallel()
	s := waytest.OwnSession(t)
	s.StartBus(t)
	f := follow(t, s, true)
	nothing := counting.Window{}
	await(t, f, nothing, wire.TroubleNoGNOMEExtension)
	e := install(t, s, answer{true, "editor", "draft"})
	await(t, f, counting.Window{App: "editor", Title: "draft"}, wire.TroubleNone)
	e.changes(t, answer{true, "", "no name"})
	await(t, f, counting.Window{App: wire.UnknownApp, Title: "no name"}, wire.TroubleNone)
	e.changes(t, answer{false, "ignored", "ignored"})
	await(t, f, nothing, wire.TroubleNone)
	e.changes(t, answer{true, strings.Repeat("я", 5000), "a\nb" + strings.Repeat("я", 5000)})
	long := strings.Repeat("я", wire.MaxTitleBytes)
	await(t, f, counting.Window{App: long[:wire.MaxAppBytes], Title: "a b" + long[:wire.MaxTitleBytes-4]}, wire.TroubleNone)
	if err := e.conn.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, f, nothing, wire.TroubleNoGNOMEExtension)
}

// TestNoTitles: titles are not asked for, and one that comes all the same is
// dropped.
func TestNoTitles(t *testing.T) {
	t.Parallel()
	s := waytest.OwnSession(t)
	s.StartBus(t)
	e := install(t, s, answer{true, "editor", "secret"})
	await(t, follow(t, s, false), counting.Window{App: "editor"}, wire.TroubleNone)
	if n := e.titles.Load(); n != 0 {
		t.Errorf("titles were asked for %d times", n)
	}
}

// TestFlood: an extension that has news after each question is asked at our pace.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := waytest.OwnSession(t)
	s.StartBus(t)
	e := install(t, s, answer{true, "editor", "0"})
	began := time.Now()
	f := follow(t, s, true)
	const questions = 5
	for n := 1; n <= questions; n++ {
		title := strings.Repeat("x", n)
		e.changes(t, answer{true, "editor", title})
		await(t, f, counting.Window{App: "editor", Title: title}, wire.TroubleNone)
	}
	// The first two may come at once: at the start, and for the first change.
	if took := time.Since(began); took < (questions-2)*200*time.Millisecond {
		t.Errorf("asked %d times in %v", e.asked.Load(), took)
	}
}

// TestBusGoesAway: without a bus nothing will come any more.
func TestBusGoesAway(t *testing.T) {
	t.Parallel()
	s := waytest.OwnSession(t)
	bus := s.StartBus(t)
	f := follow(t, s, true)
	bus.Kill()
	for !f.Ended() {
		fds := [...]unix.PollFd{{Fd: int32(f.FD()), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds[:], 30_000); n == 0 {
			t.Fatal("never ended")
		}
		f.Front()
	}
}

// TestNoBus: a session without a bus, or with another user's, is not followed.
func TestNoBus(t *testing.T) {
	t.Parallel()
	if f, err := Follow(t.TempDir(), true); err == nil {
		f.Close()
		t.Error("followed without a bus")
	}
}
