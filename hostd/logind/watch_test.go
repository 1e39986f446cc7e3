package logind

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitTime bounds waiting for what must happen; it is far more than it takes.
const waitTime = 20 * time.Second

// testBus is a real dbus-daemon of the test's own. logind itself needs systemd
// as process 1: the tests on a booted host have it; here login1 is answered by
// the test, so that its failures can be made at will.
type testBus struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
}

func newTestBus(t *testing.T) *testBus {
	t.Helper()
	dir := t.TempDir()
	b := &testBus{t: t, dir: dir, address: "unix:path=" + filepath.Join(dir, "bus")}
	config := fmt.Sprintf(`<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>`, b.address)
	if err := os.WriteFile(filepath.Join(dir, "bus.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	b.start()
	return b
}

func (b *testBus) start() {
	b.t.Helper()
	_ = os.Remove(filepath.Join(b.dir, "bus"))
	b.cmd = exec.CommandContext(context.Background(), "dbus-daemon", "--nofork", "--config-file="+filepath.Join(b.dir, "bus.conf"))
	if err := b.cmd.Start(); err != nil {
		b.t.Fatalf("dbus-daemon is needed (package dbus): %v", err)
	}
	eventually(b.t, "the bus to listen", func() bool {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(b.dir, "bus"), Net: "unix"})
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

func (b *testBus) stop() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	b.cmd = nil
}

// client connects as any program would.
func (b *testBus) client() *dbus.Conn {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	tooLate := time.AfterFunc(waitTime, cancel)
	defer tooLate.Stop()
	conn, err := dbus.Connect(b.address, dbus.WithContext(ctx))
	if err != nil {
		b.t.Fatal(err)
	}
	return conn
}

type listEntry struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

// login1 answers as logind does.
type login1 struct {
	list func() []listEntry
}

func (l login1) ListSessions() ([]listEntry, *dbus.Error) { return l.list(), nil }

type sessionObject struct{}

func (sessionObject) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	type user struct {
		UID  uint32
		Path dbus.ObjectPath
	}
	type seat struct {
		Name string
		Path dbus.ObjectPath
	}
	props := xrdpSession()
	props["User"] = dbus.MakeVariant(user{1001, "/org/freedesktop/login1/user/_1001"})
	props["Seat"] = dbus.MakeVariant(seat{"", "/"})
	return props, nil
}

const sessionPath = dbus.ObjectPath(busPath + "/session/c1")

func (b *testBus) serveLogind(list func() []listEntry) *dbus.Conn {
	b.t.Helper()
	conn := b.client()
	for _, err := range []error{
		conn.Export(login1{list}, busPath, managerIface),
		conn.Export(sessionObject{}, sessionPath, propsIface),
	} {
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(busName, dbus.NameFlagDoNotQueue); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

func oneSession() []listEntry {
	return []listEntry{{ID: "c1", UID: 1001, User: "anna", Path: sessionPath}}
}

func (b *testBus) watch() (*Watcher, <-chan []Session) {
	b.t.Helper()
	w := NewWatcher(slog.New(slog.DiscardHandler))
	w.address = b.address
	w.settle = nil // only what is heard brings another list
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan []Session)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, out) }()
	b.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				b.t.Errorf("Run returned %v", err)
			}
		case <-time.After(waitTime):
			b.t.Error("Run did not end with its context")
		}
	})
	return w, out
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(waitTime)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func next(t *testing.T, lists <-chan []Session, want int) []Session {
	t.Helper()
	deadline := time.After(waitTime)
	for {
		select {
		case list := <-lists:
			if len(list) == want {
				return list
			}
		case <-deadline:
			t.Fatalf("no list of %d sessions came", want)
		}
	}
}

func TestWatcherListsAndHearsOfALogin(t *testing.T) {
	b := newTestBus(t)
	state := make(chan []listEntry, 1)
	state <- nil
	logind := b.serveLogind(func() []listEntry { l := <-state; state <- l; return l })
	w, lists := b.watch()
	next(t, lists, 0)
	if err := w.Healthy(); err != nil {
		t.Errorf("not healthy: %v", err)
	}
	<-state
	state <- oneSession()
	if err := logind.Emit(busPath, managerIface+".SessionNew", "c1", sessionPath); err != nil {
		t.Fatal(err)
	}
	list := next(t, lists, 1)
	if list[0].User != "anna" || list[0].Display != ":10" {
		t.Errorf("got %+v", list[0])
	}
	<-state
	state <- nil
	w.Refresh()
	next(t, lists, 0)
}

// A session may end between the list and its properties.
func TestWatcherLeavesOutASessionThatVanishes(t *testing.T) {
	b := newTestBus(t)
	b.serveLogind(func() []listEntry {
		return append(oneSession(), listEntry{ID: "c2", UID: 1002, User: "bert", Path: busPath + "/session/c2"})
	})
	_, lists := b.watch()
	if list := next(t, lists, 1); list[0].Key.ID != "c1" {
		t.Errorf("got %+v", list)
	}
}

func TestWatcherSurvivesLogindAndTheBus(t *testing.T) {
	b := newTestBus(t)
	logind := b.serveLogind(oneSession)
	w, lists := b.watch()
	next(t, lists, 1)
	_ = logind.Close()
	logind = b.serveLogind(func() []listEntry { return nil })
	next(t, lists, 0) // the name's new owner was noticed
	_ = logind.Close()
	b.stop()
	eventually(t, "the watcher to be unhealthy", func() bool {
		select {
		case <-lists:
		default:
		}
		return w.Healthy() != nil
	})
	b.start()
	b.serveLogind(oneSession)
	next(t, lists, 1)
}

// Anybody on the bus may send a signal that looks like logind's.
func TestForeignSignalsAreNotHeard(t *testing.T) {
	owner := ":1.5"
	s := &signals{poke: make(chan struct{}, 1)}
	s.owner.Store(&owner)
	s.DeliverSignal(managerIface, "SessionNew", &dbus.Signal{Sender: ":1.66", Name: managerIface + ".SessionNew"})
	s.DeliverSignal(driverName, "NameOwnerChanged", &dbus.Signal{
		Sender: ":1.66", Name: ownerChanged, Body: []any{busName, ":1.5", ":1.66"},
	})
	if len(s.poke) != 0 || *s.owner.Load() != owner {
		t.Error("a stranger's signal was believed")
	}
	s.DeliverSignal(managerIface, "SessionNew", &dbus.Signal{Sender: owner, Name: managerIface + ".SessionNew"})
	s.DeliverSignal(managerIface, "SessionNew", &dbus.Signal{Sender: owner, Name: managerIface + ".SessionNew"})
	if len(s.poke) != 1 {
		t.Error("logind's signals were not gathered into one")
	}
}
