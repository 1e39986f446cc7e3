// Package counting adds up what a session did: input, active time and focus
// time. It is pure arithmetic on instants that it is given; it knows neither X
// nor clocks. Nothing in it can hold a key code: the functions that count take
// none.
package counting

// Instant is a number of milliseconds since the helper started, by the
// monotonic clock; it is negative for what happened before.
type Instant int64

// Activity measures how long the user has been active and idle.
type Activity struct {
	idleAfter Instant // how long after an input the user still counts as active
	last      Instant // the last real input
	counted   Instant // up to here active is complete
	active    Instant
}

// NewActivity starts at an instant, with an input just then. The user counts as
// active until idleAfter milliseconds after each input.
func NewActivity(idleAfter, at Instant) *Activity {
	return &Activity{idleAfter: idleAfter, last: at, counted: at}
}

// StartIdle reports that by the start the user had been idle for some milliseconds.
func (a *Activity) StartIdle(idle Instant) { a.last = a.counted - max(idle, 0) }

// Touch notes a real input at an instant.
func (a *Activity) Touch(at Instant) {
	a.Advance(at)
	a.last = max(a.last, at)
}

// Advance adds up the active time until now.
func (a *Activity) Advance(now Instant) {
	if now <= a.counted {
		return
	}
	if end := min(now, a.last+a.idleAfter); end > a.counted {
		a.active += end - a.counted
	}
	a.counted = now
}

// ActiveMS is the active time up to the last Advance or Touch. It never
// decreases.
func (a *Activity) ActiveMS() uint64 { return uint64(a.active) }

// activeAt is the active time up to an instant. For one that Advance or Touch has
// passed already it is the least that it can have been.
func (a *Activity) activeAt(at Instant) Instant {
	a.Advance(at)
	return a.active - max(a.counted-at, 0)
}

// IdleMS is how long ago the last real input was.
func (a *Activity) IdleMS(now Instant) uint64 { return uint64(max(now-a.last, 0)) }

// Leave records that at an instant the user turned to something else, which is not
// theirs to be counted under: from then on they are idle.
func (a *Activity) Leave(at Instant) {
	a.Advance(at)
	a.last = min(a.last, at-a.idleAfter)
}
