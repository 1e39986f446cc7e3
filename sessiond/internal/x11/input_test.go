package x11

import (
	"math"
	"strconv"
	"strings"
	"testing"

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
