package counting

import "math"

// Point is a place on the screen, in pixels.
type Point struct{ X, Y float64 }

func (p Point) distance(q Point) float64 { return math.Hypot(p.X-q.X, p.Y-q.Y) }

// Axis is the range that a device declares for one of its two axes; Max <= Min
// means none.
type Axis struct{ Min, Max float64 }

// Size is the screen's size in pixels.
type Size struct{ W, H float64 }

// reading is a way of reading the two numbers of a raw motion event. What a
// device claims to be is no guide (xorgxrdp's claims to be relative and sends screen
// pixels), so every device is read in all ways at once, and where the pointer
// then really is shows which was right.
type reading int

const (
	asPixels   reading = iota // a place on the screen
	asFraction                // a place in the range that the axes declare
	asDelta                   // a movement
	readings
)

// matchPx is how far a predicted place may be from the real one: both are
// rounded to pixels, on two axes.
const matchPx = 2.0

// track follows one device's motion through one batch.
type track struct {
	moved bool
	at    [readings]Point
	path  [readings]float64
}

// step takes one raw motion event: the device's two numbers, of which each may
// be absent. from is where the pointer was when the batch began.
func (t *track) step(value Point, hasX, hasY bool, from Point, axes [2]Axis, screen Size) {
	if !t.moved {
		t.moved = true
		t.at = [readings]Point{from, from, from}
	}
	next := t.at
	if hasX {
		next[asPixels].X = value.X
		next[asFraction].X = axes[0].place(value.X, screen.W)
		next[asDelta].X = clamp(next[asDelta].X+value.X, screen.W)
	}
	if hasY {
		next[asPixels].Y = value.Y
		next[asFraction].Y = axes[1].place(value.Y, screen.H)
		next[asDelta].Y = clamp(next[asDelta].Y+value.Y, screen.H)
	}
	for r := range t.at {
		t.path[r] += t.at[r].distance(next[r])
	}
	t.at = next
}

// place turns a value of the axis into pixels of a side that is length long.
func (a Axis) place(v, length float64) float64 {
	if a.Max <= a.Min {
		return v
	}
	return (v - a.Min) / (a.Max - a.Min) * (length - 1)
}

// clamp keeps a coordinate on a side that is length long: a pointer that is
// pushed against the screen's edge does not travel.
func clamp(v, length float64) float64 {
	if length <= 0 {
		return v
	}
	return min(max(v, 0), length-1)
}

// judge reports how the batch is best read, given where the pointer is now; ok is
// false if no reading leads there (the pointer was warped or held back). known
// is what earlier batches proved, and stays as long as it fits. proven means
// that no other reading would have led there as well.
func (t *track) judge(now Point, known reading, isKnown bool) (best reading, ok, proven bool) {
	if isKnown && t.at[known].distance(now) <= matchPx {
		return known, true, true
	}
	fits := 0
	for r := readings - 1; r >= 0; r-- {
		switch d := t.at[r].distance(now); {
		case d > matchPx:
		case r == asPixels && fits == 1 && best == asFraction && t.path[r] == t.path[best]:
			best = r // without a declared range these two are one
		default:
			fits++
			if fits == 1 || d <= t.at[best].distance(now) {
				best = r
			}
		}
	}
	return best, fits > 0, fits == 1
}
