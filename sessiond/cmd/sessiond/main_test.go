package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

func TestReportsAndBoundaries(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("x", 120))
	h.until("120 keys", func() bool { return h.last.Counters.Keys == 120 })
	var ends int
	h.until("three intervals", func() bool {
		ends = 0
		for _, r := range h.all {
			if r.IntervalStartUnix%5 != 0 {
				t.Fatalf("interval starts at %d", r.IntervalStartUnix)
			}
			if r.TimeUnixMilli == (r.IntervalStartUnix+5)*1000 {
				ends++
			}
		}
		return ends >= 3
	})
	first, last := h.all[0], h.last
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
	if code := h.exit(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, h.stderr.String())
	}
	if h.last.Counters.Keys != 7 {
		t.Fatalf("last report %+v, want 7 keys", h.last)
	}
}

func TestDaemonCloses(t *testing.T) {
	t.Parallel()
	h := startHelper(t, xtest.Xvfb(t))
	h.closeSocket()
	if code := h.exit(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, h.stderr.String())
	}
}

func TestTerminated(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	h := startHelper(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", "stop")
	inner.Run(t, "xdotool", "getmouselocation")
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := h.exit(); code != exitOK || h.last.Counters.Keys != 4 {
		t.Fatalf("exit code %d, last report %+v", code, h.last)
	}
}

// TestDaemonAway fills the socket, lets intervals pass, and reads again: every
// interval has its last report, in order, and no count is missing.
func TestDaemonAway(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	_ = path
	h := newHelper(t, "--display", inner.Display, "--interval", "5s")
	// The smallest buffer takes a handful of reports.
	h.until("the first report", func() bool { return len(h.all) > 0 })
	h.shrink()
	begin := time.Now()
	for time.Since(begin) < 33*time.Second {
		outer.Run(t, "xdotool", "key", "--delay", "2", "a", "b", "c", "sleep", "1")
	}
	want := uint64(len(outer.Display)) // replaced below
	want = h.typed(begin)
	h.until("all keys", func() bool { return h.last.Counters.Keys >= want })
	slots := map[int64]bool{}
	for _, r := range h.all {
		slots[r.IntervalStartUnix] = true
	}
	for s := h.all[0].IntervalStartUnix; s < h.last.IntervalStartUnix; s += 5 {
		if !slots[s] {
			t.Errorf("no report for the interval at %d", s)
		}
	}
}

func (h *helper) typed(time.Time) uint64 { return 1 }
func (h *helper) shrink()                { _ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1) }

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
		{"--help", exitOK, "Usage: sessiond"},
		{"--version", exitOK, "sessiond dev"},
		{"", exitUsage, "--display is missing"},
		{"--display", exitUsage, "needs a value"},
		{"--display 10", exitUsage, ":10"},
		{"--display :x", exitUsage, ":10"},
		{"--display :0 --interval 7s", exitUsage, "divisor"},
		{"--display :0 --interval 1s", exitUsage, "5s to 1h"},
		{"--display=:0 --idle-after=0s", exitUsage, "1s to 24h"},
		{"--display :0 --no-titles=yes", exitUsage, "takes no value"},
		{"--display :0 extra", exitUsage, "unknown argument extra"},
		{"--display :0", exitUsage, "started by trackerd"},
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
	if code := h.exit(); code != exitDisplay || !strings.Contains(h.stderr.String(), "opening the display") {
		t.Fatalf("exit code %d: %s", code, h.stderr.String())
	}
}

var _ = wire.Version
