package x11

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

func TestRealInputIsCountedExactly(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "500", "300")
	w := watchDisplay(t, inner)
	outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("hello", 40))
	outer.Run(t, "xdotool", "click", "--repeat", "7", "--delay", "5", "1")
	outer.Run(t, "xdotool", "click", "--repeat", "3", "--delay", "5", "3")
	outer.Run(t, "xdotool", "click", "--repeat", "11", "--delay", "5", "4")
	outer.Run(t, "xdotool", "click", "--repeat", "5", "--delay", "5", "5")
	w.counts(wire.Counters{Keys: 200, Clicks: 10, ScrollSteps: 16})
}

func TestDistanceIsThatOfThePath(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "100", "100")
	w := watchDisplay(t, inner)
	args := []string{"xdotool"}
	want := 0.0
	x, y := 100, 100
	for i := range 200 {
		nx, ny := 100+(i*37)%700, 100+(i*53)%500
		args = append(args, "mousemove", strconv.Itoa(nx), strconv.Itoa(ny), "sleep", "0.004")
		want += math.Hypot(float64(nx-x), float64(ny-y))
		x, y = nx, ny
	}
	outer.Run(t, args...)
	near := func() bool { return math.Abs(float64(w.Input.Counters().DistancePx)-want) <= want/100 }
	w.until("the distance is "+strconv.Itoa(int(want)), near)
	w.counts(wire.Counters{})
	if !near() {
		t.Fatalf("distance %d, want %.0f", w.Input.Counters().DistancePx, want)
	}
}

func TestSyntheticInputIsCountedApart(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "300", "300")
	w := watchDisplay(t, inner)
	w.Input.Counters()
	inner.Run(t, "xdotool", "type", "--delay", "2", "synthetic")
	inner.Run(t, "xdotool", "click", "--repeat", "4", "1")
	inner.Run(t, "xdotool", "click", "--repeat", "2", "5")
	inner.Run(t, "xdotool", "mousemove", "600", "600")
	outer.Run(t, "xdotool", "key", "a", "b", "c")
	w.counts(wire.Counters{Keys: 3, Synthetic: 15})
	if d := w.Input.Counters().DistancePx; d != 0 {
		t.Errorf("a program's pointer motion counted as %d px", d)
	}
}

// TestFloodOfSyntheticInput: a program that presses keys as fast as it can costs nobody
// a stroke of their own.
func TestFloodOfSyntheticInput(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "300", "300")
	w := watchDisplay(t, inner)
	inner.Start(t, "xdotool", "key", "--repeat", "20000", "--delay", "0", "a")
	outer.Run(t, "xdotool", "type", "--delay", "2", strings.Repeat("b", 100))
	w.counts(wire.Counters{Keys: 100, Synthetic: 20_000})
}

func TestIdleTime(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "300", "300", "key", "a")
	client := xtest.NewClient(t, inner)
	<-time.After(1200 * time.Millisecond) // idle time is what this test makes
	client.Warp(10, 10)
	inner.Run(t, "xdotool", "key", "b") // synthetic
	w := watchDisplay(t, inner)
	if idle := w.Activity.IdleMS(w.opts.Now()); idle < 1000 || idle > 60_000 {
		t.Fatalf("%d ms idle at the start, want what the devices say: above 1,200", idle)
	}
	client.Warp(20, 20)
	inner.Run(t, "xdotool", "key", "c")
	w.counts(wire.Counters{Synthetic: 1})
	if idle := w.Activity.IdleMS(w.opts.Now()); idle < 1000 {
		t.Fatalf("%d ms idle: a warp or a program's key ended it", idle)
	}
	outer.Run(t, "xdotool", "key", "d")
	w.counts(wire.Counters{Keys: 1, Synthetic: 1})
	if idle := w.Activity.IdleMS(w.opts.Now()); idle > 1000 {
		t.Fatalf("%d ms idle right after a key", idle)
	}
	if d := w.Input.Counters().DistancePx; d != 0 {
		t.Errorf("warping counted as %d px", d)
	}
}

// TestHeldKeyCountsOnce: the server's own repeats are no presses.
func TestHeldKeyCountsOnce(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xset", "r", "off") // the outer server's repeats would come as presses, as a client's do
	inner.Run(t, "xset", "r", "on", "r", "rate", "200", "50")
	outer.Run(t, "xdotool", "mousemove", "300", "300")
	w := watchDisplay(t, inner)
	outer.Run(t, "xdotool", "keydown", "x", "sleep", "1", "keyup", "x")
	w.counts(wire.Counters{Keys: 1})
}

// TestGrabsHideNothing: a screen locker or a menu holds keyboard and pointer.
func TestGrabsHideNothing(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "300", "300")
	w := watchDisplay(t, inner)
	xtest.NewClient(t, inner).Grab()
	outer.Run(t, "xdotool", "type", "--delay", "2", "password")
	outer.Run(t, "xdotool", "click", "1", "click", "4")
	w.counts(wire.Counters{Keys: 8, Clicks: 1, ScrollSteps: 1})
}

// TestNewDevices: input from a device that appeared a moment ago counts, and
// XTEST devices that a user makes stay synthetic.
func TestNewDevices(t *testing.T) {
	t.Parallel()
	inner, outer := xtest.Xephyr(t)
	outer.Run(t, "xdotool", "mousemove", "300", "300")
	w := watchDisplay(t, inner)
	devices := func() (n int) {
		for id := range uint16(256) {
			if w.Input.Device(id) != nil {
				n++
			}
		}
		return n
	}
	before := devices()
	other := watchDisplay(t, inner) // XIChangeHierarchy: add a master called "another"
	other.c.send(request(other.xinput, 43, []byte("\x01\x00\x00\x00\x01\x00\x04\x00\x07\x00\x01\x01another\x00")))
	if err := other.c.flush(); err != nil {
		t.Fatal(err)
	}
	w.until("two more devices", func() bool { return devices() == before+2 })
	inner.Run(t, "xdotool", "key", "a")
	outer.Run(t, "xdotool", "key", "b")
	w.counts(wire.Counters{Keys: 1, Synthetic: 1})
}
