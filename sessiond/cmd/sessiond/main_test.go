package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

func TestReportsAndBoundaries(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("x", 120))
	h.Until("120 keys", func() bool { return h.Last.Counters.Keys == 120 })
	var ends int
	h.Until("three intervals", func() bool {
		ends = 0
		for _, r := range h.All {
			if r.IntervalStartUnix%5 != 0 {
				t.Fatalf("interval starts at %d", r.IntervalStartUnix)
			}
			if r.TimeUnixMilli == (r.IntervalStartUnix+5)*1000 {
				ends++
			}
		}
		return ends >= 3
	})
	first, last := h.All[0], h.Last
	activeFor := last.TimeUnixMilli - first.TimeUnixMilli
	if got := int64(last.Counters.ActiveMS - first.Counters.ActiveMS); got < activeFor-5 || got > activeFor+5 {
		t.Errorf("%d ms active within %d ms of the idle threshold", got, activeFor)
	}
}

func TestXGoesAway(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", "goodbye")
	inner.Run(t, "xdotool", "getmouselocation") // a round trip: the keys are there
	inner.Kill()
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
	if h.Last.Counters.Keys != 7 {
		t.Fatalf("last report %+v, want 7 keys", h.Last)
	}
}

func TestDaemonCloses(t *testing.T) {
	t.Parallel()
	h := startHelper(t, xtest.Xvfb(t))
	h.CloseSocket()
	if code := h.Exit(); code != launch.ExitOK {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestDaemonHangsUp has the daemon want no more, as when logind reports a
// logout before the helper notices that X is gone. It still reads last words.
func TestDaemonHangsUp(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", "lastwords")
	inner.Run(t, "xdotool", "getmouselocation")
	if err := unix.Shutdown(h.FD, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if code := h.Exit(); code != launch.ExitOK || h.Last.Counters.Keys != 9 {
		t.Fatalf("exit code %d, last report %+v", code, h.Last)
	}
}

func TestTerminated(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", "stop")
	inner.Run(t, "xdotool", "getmouselocation")
	if err := h.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := h.Exit(); code != launch.ExitOK || h.Last.Counters.Keys != 4 {
		t.Fatalf("exit code %d, last report %+v", code, h.Last)
	}
}

// TestDaemonAway lets intervals pass while nobody reads and the socket is full,
// and reads again: every interval has its last report, in order, and no count is
// missing.
func TestDaemonAway(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := newHelperWith(t, 1, "--display", inner.Display, "--interval", "5s")
	h.Until("the first report", func() bool { return len(h.All) > 0 }) // from here on it counts
	const rounds = 30
	for range rounds { // 30 s: some six intervals, and a socket that takes three reports
		outer.Run(t, "xdotool", "type", "--delay", "2", "away")
		outer.Run(t, "xdotool", "sleep", "1")
	}
	h.Until("all keys", func() bool { return h.Last.Counters.Keys == 4*rounds })
	seen := map[int64]bool{}
	for _, r := range h.All {
		seen[r.IntervalStartUnix] = true
	}
	for start := h.All[0].IntervalStartUnix; start < h.Last.IntervalStartUnix; start += 5 {
		if !seen[start] {
			t.Errorf("no report for the interval at %d", start)
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d intervals", len(seen))
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want int
		says string
	}{
		{"--help", launch.ExitOK, "Usage: sessiond"},
		{"--version", launch.ExitOK, "sessiond dev"},
		{"", launch.ExitUsage, "--display is missing"},
		{"--display", launch.ExitUsage, "needs a value"},
		{"--display 10", launch.ExitUsage, ":10"},
		{"--display :x", launch.ExitUsage, ":10"},
		{"--display :0 --interval 7s", launch.ExitUsage, "divisor"},
		{"--display :0 --interval 1s", launch.ExitUsage, "5s to 1h"},
		{"--display=:0 --idle-after=0s", launch.ExitUsage, "1s to 24h"},
		{"--display=:0 --report-every=0s", launch.ExitUsage, "1s to 60s"},
		{"--display :0 --no-titles=yes", launch.ExitUsage, "takes no value"},
		{"--display :0 extra", launch.ExitUsage, "unknown argument extra"},
		{"--display :0", launch.ExitUsage, "started by trackerd"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), path, strings.Fields(c.args)...)
			out, _ := cmd.CombinedOutput() // the exit code says more
			if code := cmd.ProcessState.ExitCode(); code != c.want || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d, %q; want %d, %q", code, out, c.want, c.says)
			}
		})
	}
}

func TestNoDisplay(t *testing.T) {
	t.Parallel()
	h := newHelper(t, "--display", ":59000")
	if code := h.Exit(); code != launch.ExitOpen || !strings.Contains(h.Stderr.String(), "opening what is to be watched") {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestStrangeAuthority: an authority file that xgb would stumble over, or read
// for ever, is none.
func TestStrangeAuthority(t *testing.T) {
	s := xtest.Xvfb(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	odd := []byte{1, 0} // an entry for any display of this host, of another kind
	for _, field := range []string{host, "", "XDM-AUTHORIZATION-1", "0123456789abcdef"} {
		odd = append(odd, 0, byte(len(field)))
		odd = append(odd, field...)
	}
	file := filepath.Join(t.TempDir(), "authority")
	if err := os.WriteFile(file, odd, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, "/dev/zero"} {
		t.Setenv("XAUTHORITY", path)
		startHelper(t, s)
	}
}

// TestServerStopsAnswering: the helper ends with a code of its own, after a last
// report, so that its supervisor can start another.
func TestServerStopsAnswering(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	s.Start(t, "openbox", "--sm-disable")
	client := xtest.NewClient(t, s)
	client.AwaitWM()
	window := client.Window("App", "before")
	client.Activate(window)
	h := startHelper(t, s)
	// The helper lets events gather, then asks for the title: of a stopped server.
	client.Title(window, "UTF8_STRING", []byte("after"))
	if err := s.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if code := h.Exit(); code != launch.ExitProtocol || !strings.Contains(h.Stderr.String(), "does not answer") {
		t.Fatalf("exit code %d: %s", code, h.Stderr.String())
	}
}

// TestNobodyLooksInside: the session's user cannot read the helper's memory.
func TestNobodyLooksInside(t *testing.T) {
	t.Parallel()
	h := startHelper(t, xtest.Xvfb(t))
	status, err := os.ReadFile("/proc/" + strconv.Itoa(h.Cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Error("the helper may gain privileges")
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(h.Cmd.Process.Pid) + "/mem")
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 0 {
		t.Errorf("the memory's owner is %v, want root: the helper can be dumped", info.Sys())
	}
}

// TestTitlesAndFocus is the whole way of a title: window manager, helper, wire.
func TestTitlesAndFocus(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	s.Start(t, "openbox", "--sm-disable")
	client := xtest.NewClient(t, s)
	client.AwaitWM()
	client.Activate(client.Window("Editor", "draft\n.txt"))
	h := startHelper(t, s)
	without := startHelper(t, s, "--no-titles")
	want := wire.Focus{App: "Editor", Title: "draft .txt"}
	full := func(h *helpertest.Helper, want wire.Focus) func() bool {
		return func() bool {
			for _, f := range h.Last.Focus {
				if f.App == want.App && f.Title == want.Title && f.DurationMS >= 4999 {
					return true
				}
			}
			return false
		}
	}
	h.Until("an interval wholly in the editor", full(h, want))
	without.Until("the same without a title", full(without, wire.Focus{App: "Editor"}))
}

// TestUntil: a helper ends by itself at the second that its rules name, with a last report
// as of that instant; what is typed later is not counted, and an interval that begins
// there is not reported.
func TestUntil(t *testing.T) {
	t.Parallel()
	for name, interval := range map[string]int64{"within an interval": 3600, "at its end": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, outer := xtest.Xephyr(t)
			outer.Run(t, "xdotool", "mousemove", "500", "300")
			path, err := binary()
			if err != nil {
				t.Fatal(err)
			}
			h := helpertest.Start(t, helpertest.Options{
				Program: path, Args: []string{"--display", inner.Display, "--interval", strconv.FormatInt(interval, 10) + "s"},
				Interval: time.Duration(interval) * time.Second, Confine: true, NoRules: true,
			})
			h.Until("the first report", func() bool { return len(h.All) > 0 })
			until := (time.Now().Unix()/5 + 2) * 5
			h.SendRules(wire.Rules{ID: 1, Titles: true, UntilUnix: until})
			outer.Run(t, "xdotool", "type", "--delay", "2", "inside")
			h.Until("what is typed inside", func() bool { return h.Last.Counters.Keys == 6 })
			for typing := true; typing; { // across the border, for longer than it takes to end
				outer.Run(t, "xdotool", "type", "--delay", "20", "x")
				select {
				case <-h.Done():
					typing = false
				default:
				}
			}
			if code := h.Exit(); code != launch.ExitOK {
				t.Fatalf("exit code %d: %s", code, h.Stderr.String())
			}
			last := h.Last
			if last.TimeUnixMilli != until*1000 || last.IntervalStartUnix+interval < until || last.IntervalStartUnix >= until {
				t.Errorf("the last report is of %d, in the interval from %d; want %d", last.TimeUnixMilli, last.IntervalStartUnix, until)
			}
		})
	}
}

// TestTitleRules: no title is sent before there are rules, none that they take out ever
// is, and other rules restart no helper and hold for the interval's titles so far.
func TestTitleRules(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	s.Start(t, "openbox", "--sm-disable")
	client := xtest.NewClient(t, s)
	client.AwaitWM()
	window := client.Window("Editor", "first secret")
	client.Activate(window)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	h := helpertest.Start(t, helpertest.Options{
		Program: path, Args: []string{"--display", s.Display, "--interval", "1h"}, Interval: time.Hour, Confine: true, NoRules: true,
	})
	titled := func(title string) func() bool {
		return func() bool {
			return slices.ContainsFunc(h.Last.Focus, func(f wire.Focus) bool { return f.App == "Editor" && f.Title == title && f.DurationMS > 0 })
		}
	}
	h.Until("no title", titled(""))
	rules := wire.Rules{ID: 5, Titles: true, Lists: [][]wire.Rule{{{App: "^Editor$", Title: "secret", With: "hidden"}}}}
	h.SendRules(rules)
	h.Until("the rule's title", titled("hidden"))
	client.Title(window, "UTF8_STRING", []byte("draft.txt"))
	h.Until("a title without a rule", titled("draft.txt"))
	if strings.Contains(string(h.Wire), "secret") || h.Last.Rules != rules.ID {
		t.Errorf("rules %d; sent: %q", h.Last.Rules, h.Wire)
	}
	// The same again, as from a daemon that was restarted: what a rule put there is not
	// filtered by it.
	again := rules
	again.Lists = [][]wire.Rule{{rules.Lists[0][0], {Title: "hidden"}}}
	h.SendRules(again)
	client.Title(window, "UTF8_STRING", []byte("another secret"))
	h.Until("the rule's title again", titled("hidden"))
	client.Title(window, "UTF8_STRING", []byte("draft.txt"))
	h.SendRules(wire.Rules{ID: 6, Titles: true, Lists: [][]wire.Rule{rules.Lists[0], {{Title: "draft"}}}})
	h.Until("the other rules", func() bool { return h.Last.Rules == 6 })
	if titled("draft.txt")() || !titled("hidden")() || !titled("")() {
		t.Errorf("reported %+v", h.Last.Focus)
	}
	h.SendRules(wire.Rules{ID: 7, Titles: true, Lists: [][]wire.Rule{{{Title: "("}}}})
	h.Until("rules that do not compile", func() bool { return h.Last.Rules == 0 })
	for _, f := range h.Last.Focus {
		if f.Title != "" {
			t.Errorf("reported %+v", f)
		}
	}
}
