package counting

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"activity-tracker.example/sessiond/wire"
)

func TestActivity(t *testing.T) {
	t.Parallel()
	type step struct {
		touch, advance Instant // -1: not
		active         uint64
	}
	for name, c := range map[string]struct {
		idle  Instant
		steps []step
	}{
		"active from the start": {0, []step{{-1, 400, 400}, {-1, 1500, 1000}}},
		"idle at the start":     {5000, []step{{-1, 400, 0}, {500, 500, 0}, {-1, 700, 200}}},
		"half idle":             {600, []step{{-1, 300, 300}, {-1, 900, 400}}},
		"gaps":                  {5000, []step{{100, -1, 0}, {600, -1, 500}, {9000, -1, 1500}, {-1, 9001, 1501}}},
		"backwards":             {5000, []step{{1000, -1, 0}, {500, 1200, 200}, {-1, 1100, 200}}},
	} {
		a := NewActivity(1000, 0)
		a.StartIdle(c.idle)
		for i, s := range c.steps {
			if s.touch >= 0 {
				a.Touch(s.touch)
			}
			if s.advance >= 0 {
				a.Advance(s.advance)
			}
			if a.ActiveMS() != s.active {
				t.Errorf("%s, step %d: %d ms active, want %d", name, i, a.ActiveMS(), s.active)
			}
		}
	}
}

// TestActivityIsMonotone: reports in between change nothing, and active time
// never decreases nor exceeds the time.
func TestActivityIsMonotone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	reported, quiet := NewActivity(1000, 0), NewActivity(1000, 0)
	var now Instant
	for range 5000 {
		now += Instant(random.IntN(1500))
		before := reported.ActiveMS()
		if random.IntN(2) == 0 {
			reported.Touch(now)
			quiet.Touch(now)
		} else {
			reported.Advance(now)
		}
		if reported.ActiveMS() < before || reported.ActiveMS() > uint64(now) {
			t.Fatalf("%d ms after %d, at %d", reported.ActiveMS(), before, now)
		}
	}
	quiet.Advance(now)
	reported.Advance(now)
	if quiet.ActiveMS() != reported.ActiveMS() {
		t.Fatalf("%d with reports in between, %d without", reported.ActiveMS(), quiet.ActiveMS())
	}
}

func TestFocusTimes(t *testing.T) {
	t.Parallel()
	f := Focus{retitle: keep}
	a, b := Window{"A", "1"}, Window{"B", "2"}
	if f.Switch(Window{}, 10) || !f.Switch(a, 100) || f.Switch(a, 200) || !f.Switch(b, 300) || !f.Switch(Window{}, 350) || !f.Switch(a, 400) {
		t.Fatal("Switch told a change wrongly")
	}
	check := func(now Instant, want ...wire.Focus) {
		t.Helper()
		if got := f.Snapshot(nil, now); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("at %d: %v, want %v", now, got, want)
		}
	}
	const unseen = wire.ActiveUnknown
	check(450, wire.Focus{App: "A", Title: "1", DurationMS: 250, ActiveMS: unseen}, wire.Focus{App: "B", Title: "2", DurationMS: 50, ActiveMS: unseen})
	check(450, wire.Focus{App: "A", Title: "1", DurationMS: 250, ActiveMS: unseen}, wire.Focus{App: "B", Title: "2", DurationMS: 50, ActiveMS: unseen})
	f.Restart(450)
	check(450)
	check(460, wire.Focus{App: "A", Title: "1", DurationMS: 10, ActiveMS: unseen})
	f.Switch(b, 440) // late news of what was before: the time is booked once
	check(470, wire.Focus{App: "A", Title: "1", DurationMS: 10, ActiveMS: unseen}, wire.Focus{App: "B", Title: "2", DurationMS: 10, ActiveMS: unseen})
}

// TestFocusActive: the active part of a window's time is what the user was active
// for while it was in front.
func TestFocusActive(t *testing.T) {
	t.Parallel()
	a := NewActivity(1000, 0)
	f := Focus{Activity: a}
	f.Switch(Window{App: "A"}, 0)
	a.Touch(600) // active until 1600
	f.Switch(Window{App: "B"}, 1200)
	f.Switch(Window{}, 5000)
	a.Touch(5500) // nothing is in front: nobody's
	f.Switch(Window{App: "A"}, 6000)
	want := []wire.Focus{{App: "A", DurationMS: 5200, ActiveMS: 1700}, {App: "B", DurationMS: 3800, ActiveMS: 400}}
	if got := f.Snapshot(nil, 10_000); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	f.Restart(10_000)
	a.Touch(10_500)
	want = []wire.Focus{{App: "A", DurationMS: 1000, ActiveMS: 500}}
	if got := f.Snapshot(nil, 11_000); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("the next interval has %v, want %v", got, want)
	}
}

// TestFocusActiveBounds: however late it is known which window was in front, the
// active parts add up to no more than the active time, and each is within its
// window's time.
func TestFocusActiveBounds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	a := NewActivity(1000, 0)
	f := Focus{Activity: a}
	var now Instant
	before := a.ActiveMS()
	for range 2000 {
		now += Instant(random.IntN(900))
		if random.IntN(3) > 0 {
			a.Touch(now)
		}
		f.Switch(Window{App: fmt.Sprint(random.IntN(4))}, now-Instant(random.IntN(250)))
		a.Advance(now)
		var sum uint64
		for _, e := range f.Snapshot(nil, now) {
			sum += e.ActiveMS
			if e.ActiveMS > e.DurationMS {
				t.Fatalf("at %d: %+v", now, e)
			}
		}
		if active := a.ActiveMS() - before; sum > active {
			t.Fatalf("at %d: %d ms of windows, %d active", now, sum, active)
		}
		if random.IntN(20) == 0 {
			f.Restart(now)
			before = a.ActiveMS()
		}
	}
}

// TestFocusOverflow: beyond the bound no time is lost, and applications keep
// theirs as long as there are not too many of them.
func TestFocusOverflow(t *testing.T) {
	t.Parallel()
	for _, apps := range []int{1, 3, wire.MaxFocus - 1, wire.MaxFocus, 100} {
		f := Focus{retitle: keep}
		var now Instant
		truth := map[string]uint64{}
		for i := range 1000 {
			app := fmt.Sprint("app", i%apps)
			f.Switch(Window{app, fmt.Sprint("title ", i)}, now)
			now += Instant(1 + i%7)
			truth[app] += uint64(1 + i%7)
		}
		var total uint64
		found := map[string]uint64{}
		entries := f.Snapshot(nil, now)
		for _, e := range entries {
			total += e.DurationMS
			found[e.App] += e.DurationMS
		}
		if len(entries) > wire.MaxFocus || total != uint64(now) {
			t.Errorf("%d apps: %d entries sum up to %d of %d ms", apps, len(entries), total, now)
		}
		if apps < wire.MaxFocus {
			for app, ms := range truth {
				if found[app] != ms {
					t.Errorf("%d apps: %d ms for %s, want %d", apps, found[app], app, ms)
				}
			}
		}
	}
}

// mouse plays a device: it walks a random way and sends it in one of the modes.
func mouse(t *testing.T, send func(prev, next Point, screen Size) Point, axes [2]Axis) (got, want float64) {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	in := NewInput(NewActivity(1000, 0))
	in.Screen = Size{1920, 1080}
	in.SetDevices(map[uint16]*Device{7: {Kind: RealDevice, Axes: axes}})
	at := Point{500, 500}
	in.Place(at)
	for range 300 {
		for range 1 + random.IntN(30) {
			next := Point{
				clamp(at.X+float64(random.IntN(41)-20), in.Screen.W),
				clamp(at.Y+float64(random.IntN(41)-20), in.Screen.H),
			}
			want += at.distance(next)
			in.Motion(7, send(at, next, in.Screen), true, true, 0)
			at = next
		}
		if p, known := in.Where(); known && p.distance(at) > 1 {
			t.Fatalf("the pointer is thought at %v, and is at %v", p, at)
		}
		in.Commit(at)
	}
	return float64(in.Counters().DistancePx), want
}

func TestDistanceInEveryMode(t *testing.T) {
	t.Parallel()
	tablet := [2]Axis{{0, 32767}, {0, 32767}}
	for name, c := range map[string]struct {
		send func(prev, next Point, screen Size) Point
		axes [2]Axis
	}{
		"pixels": {func(_, next Point, _ Size) Point { return next }, [2]Axis{}},
		// xorgxrdp's device: pixels, whatever its axes declare
		"pixels with a range":  {func(_, next Point, _ Size) Point { return next }, tablet},
		"pixels, range = size": {func(_, next Point, _ Size) Point { return next }, [2]Axis{{0, 1919}, {0, 1079}}},
		"a mouse":              {func(prev, next Point, _ Size) Point { return Point{next.X - prev.X, next.Y - prev.Y} }, [2]Axis{}},
		"a tablet": {func(_, next Point, screen Size) Point {
			return Point{next.X / (screen.W - 1) * 32767, next.Y / (screen.H - 1) * 32767}
		}, tablet},
	} {
		got, want := mouse(t, c.send, c.axes)
		if math.Abs(got-want) > want/200 {
			t.Errorf("%s: %.0f px, want %.0f", name, got, want)
		}
	}
}

// TestDeviceChangesItsWays: a device that sent places and now sends movements
// (some viewers can switch) is found out before long.
func TestDeviceChangesItsWays(t *testing.T) {
	t.Parallel()
	in := NewInput(NewActivity(1000, 0))
	in.Screen = Size{1000, 1000}
	in.SetDevices(map[uint16]*Device{1: {Kind: RealDevice}})
	at := Point{500, 500}
	in.Place(at)
	batch := func(i int, relative bool) {
		step := Point{float64(7 - i%2*14), float64(3 - i%2*6)} // to and fro
		at.X, at.Y = at.X+step.X, at.Y+step.Y
		if relative {
			in.Motion(1, step, true, true, 0)
		} else {
			in.Motion(1, at, true, true, 0)
		}
		p, known := in.Where()
		if !known {
			p = at // asked
		}
		in.Commit(p)
	}
	for i := range 10 {
		batch(i, false)
	}
	for i := range 2 * trustBatches {
		batch(i, true)
	}
	before := in.Counters().DistancePx
	for i := range 100 {
		batch(i, true)
	}
	want := 100 * math.Hypot(7, 3)
	if got := float64(in.Counters().DistancePx - before); math.Abs(got-want) > want/100 {
		t.Errorf("%.0f px, want %.0f", got, want)
	}
}

func TestMouseAtTheEdgeDoesNotTravel(t *testing.T) {
	t.Parallel()
	in := NewInput(NewActivity(1000, 0))
	in.Screen = Size{100, 100}
	in.SetDevices(map[uint16]*Device{1: {Kind: RealDevice}})
	in.Place(Point{90, 50})
	for range 10 {
		in.Motion(1, Point{X: 5}, true, false, 0)
	}
	in.Commit(Point{99, 50})
	if got := in.Counters().DistancePx; got != 9 {
		t.Errorf("%d px, want 9", got)
	}
}

func TestInputByDevice(t *testing.T) {
	t.Parallel()
	a := NewActivity(1000, 0)
	a.StartIdle(60_000)
	in := NewInput(a)
	in.SetDevices(map[uint16]*Device{1: {Kind: RealDevice}, 2: {Kind: SyntheticDevice}, 4: {Kind: MachineDevice}})
	in.Key(4, 400)
	in.Commit(Point{})
	in.Key(2, 500)
	in.Button(2, false, 500)
	in.Button(2, true, 500)
	if !in.Commit(Point{}) || a.IdleMS(500) != 60_500 {
		t.Fatalf("synthetic input ended idleness: %d", a.IdleMS(500))
	}
	in.Key(3, 600) // unknown
	if !in.HasUnknown() {
		t.Fatal("an unknown device is not noticed")
	}
	in.Commit(Point{})
	in.Key(1, 700)
	in.Button(1, false, 710)
	in.Button(1, true, 720)
	in.Button(1, true, 730)
	if in.HasUnknown() || !in.Pending() {
		t.Fatal("a known device is not known")
	}
	in.Commit(Point{})
	if in.Commit(Point{}) {
		t.Error("nothing was news")
	}
	want := wire.Counters{Keys: 1, Clicks: 1, ScrollSteps: 2, Synthetic: 4}
	if got := in.Counters(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if a.IdleMS(730) != 0 || a.ActiveMS() != 30 {
		t.Errorf("idle %d, active %d", a.IdleMS(730), a.ActiveMS())
	}
}

// TestAHeldKeyKeepsNobodyActive: the first press of a key that is held is a hand's,
// its repeats are not.
func TestAHeldKeyKeepsNobodyActive(t *testing.T) {
	t.Parallel()
	a := NewActivity(1000, 0)
	a.StartIdle(5000)
	in := NewInput(a)
	in.SetDevices(map[uint16]*Device{1: {Kind: RealDevice, Strokes: ByRelease}})
	for at := Instant(0); at <= 5000; at += 40 {
		in.Hold(1, min(uint64(at), 1), at)
		in.Commit(Point{})
	}
	if a.Advance(5000); a.ActiveMS() != 1000 {
		t.Errorf("%d ms active while a key was held for 5 s, want 1,000", a.ActiveMS())
	}
	in.Key(1, 5100)
	in.Commit(Point{})
	if a.IdleMS(5100) != 0 || in.Counters().Keys != 1 || in.Counters().Repeats != 125 {
		t.Errorf("%d ms idle, %+v, after it was let go", a.IdleMS(5100), in.Counters())
	}
}

// TestTooManyDevices: a server that names ever new devices costs no memory.
func TestTooManyDevices(t *testing.T) {
	t.Parallel()
	in := NewInput(NewActivity(1000, 0))
	for id := range uint16(60_000) {
		in.Key(id, 0)
		in.Button(id, true, 0)
		in.Motion(id, Point{}, true, true, 0)
	}
	if len(in.batch) > maxDevices {
		t.Fatalf("%d tallies", len(in.batch))
	}
}
