package kwin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/sessionbus"
	"activity-tracker.example/sessiond/internal/waytest"
	"activity-tracker.example/sessiond/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripting is a KWin on a real bus that runs no script.
type scripting struct {
	conn *dbus.Conn
	id   int32 // what a script gets; below 0 none does

	mu     sync.Mutex
	loaded map[string]bool
}

func (s *scripting) load(_, plugin string) (int32, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded[plugin] = s.id >= 0
	return s.id, nil
}

func (s *scripting) unload(plugin string) (bool, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.loaded[plugin]
	delete(s.loaded, plugin)
	return was, nil
}

func (s *scripting) has(plugin string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded[plugin]
}

func (s *scripting) run() *dbus.Error { return nil }

// fakeKWin puts a KWin on the bus of a session.
func fakeKWin(t *testing.T, id int32) (*waytest.Session, *scripting) {
	t.Helper()
	session := waytest.OwnSession(t)
	session.StartBus(t)
	s := &scripting{conn: connect(t, session), id: id, loaded: map[string]bool{}}
	err := errors.Join(
		s.conn.ExportMethodTable(map[string]any{"loadScript": s.load, "unloadScript": s.unload}, scriptingPath, "org.kde.kwin.Scripting"),
		s.conn.ExportMethodTable(map[string]any{"run": s.run}, "/Scripting/Script7", "org.kde.kwin.Script"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.RequestName(kwinName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return session, s
}

func connect(t *testing.T, s *waytest.Session) *dbus.Conn {
	t.Helper()
	conn, err := sessionbus.Connect(s.Runtime, func(*dbus.Signal) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// script is a file that need not be read.
func script(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.js")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func follow(t *testing.T, s *waytest.Session, titles bool) *Focus {
	t.Helper()
	f, err := Follow(s.Runtime, script(t), titles)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tell calls what the script calls.
func tell(conn *dbus.Conn, present bool, app, title string) error {
	return conn.Object(ownName, ownPath).Call(ownName+".Focused", 0, present, app, title).Err
}

// TestOnlyKWinIsHeard: the script's words count, anybody else's do not, and the
// script is gone with us.
func TestOnlyKWinIsHeard(t *testing.T) {
	t.Parallel()
	session, kwin := fakeKWin(t, 7)
	f := follow(t, session, true)
	if !kwin.has(plugin) {
		t.Error("no script was loaded")
	}
	long := strings.Repeat("я", 5000)
	for _, c := range []struct {
		present    bool
		app, title string
		want       counting.Window
	}{
		{true, "editor", "draft", counting.Window{App: "editor", Title: "draft"}},
		{true, "", "a\nb", counting.Window{App: wire.UnknownApp, Title: "a b"}},
		{true, long, long, counting.Window{App: long[:wire.MaxAppBytes], Title: long[:wire.MaxTitleBytes]}},
		{false, "ignored", "ignored", counting.Window{}},
		{true, "editor", "at last", counting.Window{App: "editor", Title: "at last"}},
	} {
		if err := tell(kwin.conn, c.present, c.app, c.title); err != nil {
			t.Fatal(err)
		}
		if got, trouble := f.Front(); got != c.want || trouble != wire.TroubleNone {
			t.Errorf("%.50q: %.100q, trouble %d", c.app, got, trouble)
		}
	}
	if err := tell(connect(t, session), true, "liar", "liar"); err == nil {
		t.Error("somebody else was heard")
	}
	if got, _ := f.Front(); got.App != "editor" {
		t.Errorf("somebody else put %+v in front", got)
	}
	f.Close()
	if kwin.has(plugin) {
		t.Error("the script is still loaded")
	}
}

func TestNoTitles(t *testing.T) {
	t.Parallel()
	session, kwin := fakeKWin(t, 7)
	f := follow(t, session, false)
	defer f.Close()
	var wanted bool
	if err := kwin.conn.Object(ownName, ownPath).Call(ownName+".Titles", 0).Store(&wanted); err != nil || wanted {
		t.Errorf("titles are wanted: %v, %v", wanted, err)
	}
	if err := tell(kwin.conn, true, "editor", "secret"); err != nil {
		t.Fatal(err)
	}
	if got, _ := f.Front(); got != (counting.Window{App: "editor"}) {
		t.Errorf("%+v, want no title", got)
	}
}

// TestNoScript: a KWin that takes no script, and a script that is not there,
// leave the focus unknown.
func TestNoScript(t *testing.T) {
	t.Parallel()
	session, _ := fakeKWin(t, -1)
	for _, file := range []string{script(t), "/nonexistent/script.js"} {
		f, err := Follow(session.Runtime, file, true)
		if !errors.Is(err, ErrNoScript) {
			t.Errorf("%s: %v, want %v", file, err, ErrNoScript)
		}
		if err == nil {
			f.Close()
		}
	}
}

// TestNotYet: a KWin that is not on the bus yet is no reason to give up.
func TestNotYet(t *testing.T) {
	t.Parallel()
	session := waytest.OwnSession(t)
	session.StartBus(t)
	if _, err := Follow(session.Runtime, script(t), true); err == nil || errors.Is(err, ErrNoScript) {
		t.Errorf("%v, want an error that may pass", err)
	}
}
