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

// mode is how the two numbers of a raw motion event are meant. What a
// device claims to be is no guide (xorgxrdp's claims to be relative and sends screen
// pixels), so every device is read in all ways at once, and where the pointer
// then really is shows which was right.
type mode int

const (
	asPixels   mode = iota // a place on the screen
	asFraction             // a place in the range that the axes declare
	asDelta                // a movement
	modes
)

// matchPx is how far a predicted place may be from the real one: both are
// rounded to pixels, on two axes.
const matchPx = 2.0

// track follows one device's motion through one batch.
type track struct {
	moved bool
	at    [modes]Point
	path  [modes]float64
}

// step takes one raw motion event: the device's two numbers, of which each may
// be absent. from is where the pointer was when the batch began.
func (t *track) step(value Point, hasX, hasY bool, from Point, axes [2]Axis, screen Size) {
	if !t.moved {
		t.moved = true
		t.at = [modes]Point{from, from, from}
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

// match returns the mode that fits the batch best, given where the pointer is now; ok
// is false if none leads there (the pointer was warped or held back). known is what
// earlier batches proved, and stays as long as it fits. proven means that no other
// mode would have led there as well.
func (t *track) match(now Point, known mode, isKnown bool) (best mode, ok, proven bool) {
	if isKnown && t.at[known].distance(now) <= matchPx {
		return known, true, true
	}
	fits := 0
	for m := modes - 1; m >= 0; m-- {
		switch d := t.at[m].distance(now); {
		case d > matchPx:
		case m == asPixels && fits == 1 && best == asFraction && t.path[m] == t.path[best]:
			best = m // without a declared range these two are one
		default:
			fits++
			if fits == 1 || d <= t.at[best].distance(now) {
				best = m
			}
		}
	}
	return best, fits > 0, fits == 1
}
