package x11

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// newDesktop is a display with a real window manager.
func newDesktop(t *testing.T) (*xtest.Server, *xtest.Process) {
	t.Helper()
	s := xtest.Xvfb(t)
	wm := s.Start(t, "openbox", "--sm-disable")
	xtest.NewClient(t, s).AwaitWM()
	return s, wm
}

func TestFocusFollowsTheWindowManager(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	w := watchDisplay(t, s)
	if got := w.Focus.Current(); got != (counting.Window{}) {
		t.Fatalf("focus on %q with no window", got)
	}
	s.Start(t, "env", "LC_ALL=C.UTF-8", "xterm", "-T", "first — naïve", "-e", "sleep", "100")
	w.window(counting.Window{App: "XTerm", Title: "first — naïve"})
	editor := c.Window("Editor", "draft.txt")
	c.Activate(editor)
	w.window(counting.Window{App: "Editor", Title: "draft.txt"})
	c.Title(editor, "UTF8_STRING", []byte("draft.txt •"))
	w.window(counting.Window{App: "Editor", Title: "draft.txt •"})
	c.Class(editor, "editor\x00Rédacteur\x00")
	w.window(counting.Window{App: "Rédacteur", Title: "draft.txt •"})
	c.Destroy(editor)
	w.window(counting.Window{App: "XTerm", Title: "first — naïve"})

	var total uint64
	apps := map[string]bool{}
	now := w.opts.Now()
	for _, f := range w.Focus.Snapshot(nil, now) {
		total += f.DurationMS
		apps[f.App] = true
	}
	if total == 0 || total > uint64(now) || !apps["XTerm"] || !apps["Editor"] {
		t.Errorf("focus times %v sum up to %d of %d ms", apps, total, now)
	}
}

// TestFocusTimeIsTheServers: a window that had the focus while nobody drained
// gets its time by the events' own times.
func TestFocusTimeIsTheServers(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	first := c.Window("First", "1")
	c.Activate(first)
	w := watchDisplay(t, s)
	w.window(counting.Window{App: "First", Title: "1"})
	before := w.opts.Now()
	c.Title(first, "UTF8_STRING", []byte("2"))
	changed := w.opts.Now()
	for w.opts.Now() < changed+700 { // a time that must pass; nothing is drained in it
		<-time.After(10 * time.Millisecond)
	}
	w.window(counting.Window{App: "First", Title: "2"})
	now := w.opts.Now()
	for _, f := range w.Focus.Snapshot(nil, now) {
		switch ms := counting.Instant(f.DurationMS); f.Title {
		case "1":
			if ms > changed+5 {
				t.Errorf("%d ms for the first title, which ended by %d", ms, changed)
			}
		case "2":
			if ms < now-changed-5 || ms > now-before+5 {
				t.Errorf("%d ms for the second title, want %d to %d", ms, now-changed, now-before)
			}
		}
	}
}

// TestNoWindowManager: what a window manager has left behind counts for nothing;
// the window to which keys go does.
func TestNoWindowManager(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	c := xtest.NewClient(t, inner)
	w := watchDisplay(t, inner)
	gone := c.Window("Gone", "left behind")
	c.SetRootWindow("_NET_ACTIVE_WINDOW", gone)
	c.SetRootWindow("_NET_SUPPORTING_WM_CHECK", gone)
	outer.Run(t, "xdotool", "mousemove", "900", "600", "key", "a")
	w.counts(wire.Counters{Keys: 1})
	if got := w.Focus.Current(); got != (counting.Window{}) {
		t.Fatalf("focus on %q without a window manager, and the pointer on none", got)
	}
	outer.Run(t, "xdotool", "mousemove", "100", "50", "key", "a")
	w.window(counting.Window{App: "Gone", Title: "left behind"})
	other := c.Window("Other", "told to have the focus")
	c.Focus(other)
	outer.Run(t, "xdotool", "key", "a")
	w.window(counting.Window{App: "Other", Title: "told to have the focus"})
	child := c.Child(other)
	c.Focus(child)
	c.Title(other, "UTF8_STRING", []byte("within it"))
	outer.Run(t, "xdotool", "key", "a")
	w.window(counting.Window{App: "Other", Title: "within it"})
	var r wire.Report
	if w.Fill(&r, w.opts.Now()); r.Trouble != wire.TroubleNoWindowManager {
		t.Errorf("trouble %d: nothing shows that this is a guess", r.Trouble)
	}
	c.Destroy(other)
	w.window(counting.Window{App: "Gone", Title: "left behind"}) // the pointer's again
}

// TestNothingWhereAWindowManagerIsNeeded: a display without one is a program's.
func TestNothingWhereAWindowManagerIsNeeded(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	c := xtest.NewClient(t, s)
	c.Focus(c.Window("Job", "of a build"))
	w := watchWith(t, s, func(o *Options) { o.NeedWM = true })
	w.drain(300 * time.Millisecond)
	if got := w.Focus.Current(); got != (counting.Window{}) {
		t.Fatalf("focus on %q", got)
	}
}

// TestAFramesWindow: a window manager that is no EWMH one, as twm, puts windows into
// frames, and the keys go to the window under the pointer.
func TestAFramesWindow(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	c := xtest.NewClient(t, inner)
	frame := c.Child(c.Root())
	framed := c.Child(frame)
	c.Class(framed, "shell\x00Shell\x00")
	w := watchDisplay(t, inner)
	outer.Run(t, "xdotool", "mousemove", "20", "20", "key", "a")
	w.window(counting.Window{App: "Shell"})
	c.Destroy(framed)
	outer.Run(t, "xdotool", "key", "a")
	w.window(counting.Window{App: wire.UnknownApp})
}

// TestLocked: a saver that blanks the screen locks nothing; that of a client does.
func TestLocked(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	c := xtest.NewClient(t, s)
	w := watchDisplay(t, s)
	locked := func(d *Display) bool {
		var r wire.Report
		d.Fill(&r, d.opts.Now())
		return r.Locked
	}
	c.Saver(true)
	w.drain(300 * time.Millisecond)
	if locked(w.Display) {
		t.Error("a blank screen is locked")
	}
	c.Saver(false)
	c.ReplaceSaver()
	for range 2 {
		c.Saver(true)
		w.until("locked", func() bool { return locked(w.Display) })
		if late := watchDisplay(t, s); !locked(late.Display) {
			t.Error("who comes later does not see that it is locked")
		}
		c.Saver(false)
		w.until("not locked", func() bool { return !locked(w.Display) })
	}
}

// TestProgramsName: a window that names no class has its program's name, if the X
// server knows that it is that program's.
func TestProgramsName(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	w := watchDisplay(t, s)
	id := c.Window("Named", "title")
	c.Activate(id)
	w.window(counting.Window{App: "Named", Title: "title"})
	c.Number(id, "_NET_WM_PID", uint32(os.Getpid()))
	c.Class(id, "")
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	w.window(counting.Window{App: strings.TrimSpace(string(comm)), Title: "title"})
	c.Number(id, "_NET_WM_PID", 1) // not what the X server knows
	c.Title(id, "UTF8_STRING", []byte("changed"))
	w.window(counting.Window{App: wire.UnknownApp, Title: "changed"})
}

func TestAppName(t *testing.T) {
	t.Parallel()
	for class, want := range map[string]string{
		"xterm\x00XTerm\x00": "XTerm",
		"only\x00":           "only",
		"":                   "",
		"crx_nkbihfbeogaeaoehlefnkodbefgpgknn\x00Google-chrome\x00": "crx_nkbihfbeogaeaoehlefnkodbefgpgknn",
		"crx__mail\x00Chromium\x00":                                 "crx__mail",
		"google-chrome\x00Google-chrome\x00":                        "Google-chrome",
	} {
		if got := appName([]byte(class)); got != want {
			t.Errorf("appName(%q) = %q, want %q", class, got, want)
		}
	}
}

func TestWindowManagerDiesAndComesBack(t *testing.T) {
	t.Parallel()
	s, wm := newDesktop(t)
	c := xtest.NewClient(t, s)
	app := c.Window("App", "title")
	c.Activate(app)
	w := watchDisplay(t, s)
	here := counting.Window{App: "App", Title: "title"}
	w.window(here)
	for range 2 {
		wm.Kill()
		w.until("no window manager", func() bool { return w.watch.wm == 0 })
		wm = s.Start(t, "openbox", "--sm-disable")
		c.Activate(app)
		w.window(here)
	}
}

func TestHostileTitles(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	w := watchDisplay(t, s)
	id := c.Window("App", "start")
	c.Activate(id)
	w.window(counting.Window{App: "App", Title: "start"})
	for name, h := range map[string]struct {
		kind  string
		title []byte
		want  string
	}{
		"a megabyte":            {"UTF8_STRING", bytes.Repeat([]byte("x"), 250_000), strings.Repeat("x", wire.MaxTitleBytes)},
		"cut on a rune":         {"UTF8_STRING", []byte("1" + strings.Repeat("é", 2000)), "1" + strings.Repeat("é", 511)},
		"invalid UTF-8":         {"UTF8_STRING", []byte("a\xff\xfeb"), "a\ufffd\ufffdb"},
		"control characters":    {"UTF8_STRING", []byte("a\x00b\nc\x1b[31m\u0085d"), "a b c [31m d"},
		"Latin-1":               {"STRING", []byte("caf\xe9"), "café"},
		"UTF-8 called STRING":   {"STRING", []byte("café"), "café"},
		"compound":              {"COMPOUND_TEXT", []byte("caf\xe9"), "café"},
		"compound, three sets":  {"COMPOUND_TEXT", []byte("caf\xe9 \x1b-L\xbf\xe0\xd8 \x1b-A\xe9 \x1b%G\xe2\x80\x94\x1b%@!"), "café При é —!"},
		"compound, unknown set": {"COMPOUND_TEXT", []byte("\x1b$(B4A\x1b(Bok"), "\ufffd\ufffdok"},
		"no text at all":        {"ATOM", []byte("abcd"), ""},
		"empty":                 {"UTF8_STRING", nil, ""},
		"only controls":         {"UTF8_STRING", []byte("\x01\x02"), "  "},
	} {
		c.Title(id, "UTF8_STRING", []byte("between"))
		w.window(counting.Window{App: "App", Title: "between"})
		c.Title(id, h.kind, h.title)
		w.until(name, func() bool { return w.Focus.Current().Title == h.want })
		if got := w.Focus.Current().Title; !utf8.ValidString(got) {
			t.Errorf("%s: %q", name, got)
		}
	}
	// Megabytes by parts, as no request holds them.
	c.Title(id, "UTF8_STRING", []byte("s"))
	for range 5 {
		c.AppendTitle(id, bytes.Repeat([]byte("y"), 250_000))
	}
	w.window(counting.Window{App: "App", Title: "s" + strings.Repeat("y", wire.MaxTitleBytes-1)})
	c.Class(id, strings.Repeat("c", 5000)+"\x00"+strings.Repeat("d", 5000)+"\x00")
	w.until("a long class", func() bool { return w.Focus.Current().App == strings.Repeat("c", wire.MaxAppBytes) })
	c.Class(id, "")
	w.until("no class", func() bool { return w.Focus.Current().App == wire.UnknownApp })
}

func TestTitlesLeftOut(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	w := watchWith(t, s, func(o *Options) { o.Titles = false })
	c.Activate(c.Window("Secret", "a title"))
	w.window(counting.Window{App: "Secret"})
}

// TestWindowsDieBetweenCalls opens and closes windows as fast as X can while
// the display is drained: none may break the connection or leave a dead window
// focused.
func TestWindowsDieBetweenCalls(t *testing.T) {
	t.Parallel()
	s, _ := newDesktop(t)
	c := xtest.NewClient(t, s)
	w := watchDisplay(t, s)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range 300 {
			c.Destroy(c.Window("Mayfly", "here and gone"))
		}
	}()
	for running := true; running; {
		w.drain(time.Millisecond)
		select {
		case <-stop:
			running = false
		default:
		}
	}
	w.window(counting.Window{})
}
