package seat

import "activity-tracker.example/sessiond/internal/counting"

// The kernel's buffer holds 64 events for the smallest device, a keyboard, and
// drops all of them when one more comes. A key takes two events each way.
const (
	// firstWindow is how long a device's events gather once it wakes, in ms: a
	// mouse that sends its place 1,000 times a second fills 48 of 64 by then.
	firstWindow counting.Instant = 16
	// minWindow is the least, in ms, for mice that are faster still.
	minWindow counting.Instant = 2
	// maxWindow is the most, in ms, for people who type.
	maxWindow counting.Instant = 250
	// fewEvents in a window leave room for windows four times as long.
	fewEvents = 8
	// manyEvents in a window are half of the smallest buffer.
	manyEvents = 32
)

// pace is how long one device's events may gather.
type pace struct {
	window counting.Instant
	// moves is set for devices that point: they go from rest to hundreds of
	// events a second at once, so their window never gets wider.
	moves bool
}

func newPace(moves bool) pace { return pace{window: firstWindow, moves: moves} }

// drained adapts the window to how many events there were.
func (p *pace) drained(n int) {
	switch {
	case n > manyEvents:
		p.window = max(p.window*manyEvents/counting.Instant(2*n), minWindow)
	case p.moves:
	case n == 0:
		p.window = firstWindow
	case n <= fewEvents:
		p.window = min(4*p.window, maxWindow)
	}
}
