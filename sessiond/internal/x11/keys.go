package x11

import "activity-tracker.example/sessiond/internal/counting"

// Keys that a client's keyboard and the session's are kept in step by, as Linux's
// X servers number them: xorgxrdp presses and releases one at once whenever its
// light differs from the client's.
const (
	capsLock   = 66
	numLock    = 77
	scrollLock = 78
)

// atOnceMS is within how many milliseconds of the server's clock events are of one
// moment: what a program does at once may fall on both sides of a tick. No hand
// presses and releases a key so fast.
const atOnceMS = 1

// keyEvent is a press or release of a key. It lives no longer than one Drain.
type keyEvent struct {
	device uint16
	code   uint32
	ms     uint32 // the server's clock
	at     counting.Instant
}

// atOnceWith reports whether two events are of one key, at one moment.
func (e *keyEvent) atOnceWith(o *keyEvent) bool {
	return e.device == o.device && e.code == o.code && o.ms-e.ms <= atOnceMS
}

// strokes finds the strokes among the events of keyboards on which a held key is
// pressed again and again. It keeps no key: a release is compared with the press
// right behind it, and forgotten then, or at the end of the Drain.
type strokes struct {
	in      *counting.Input
	waiting bool // release may be followed by its press
	release keyEvent

	lockDown bool // a lock key is down, since lockMS
	lockMS   uint32
}

// press takes a press.
func (s *strokes) press(e keyEvent, by counting.Strokes) {
	if s.waiting && s.release.atOnceWith(&e) {
		s.waiting, s.release = false, keyEvent{} // it belongs to this press
	}
	s.settle()
	switch {
	case by == counting.ByPress:
		s.in.Key(e.device, e.at)
	case !isLock(e.code):
		s.in.Hold(e.device, e.at)
	case !s.lockDown:
		s.lockDown, s.lockMS = true, e.ms
	}
}

// up takes a release.
func (s *strokes) up(e keyEvent, by counting.Strokes) {
	s.settle()
	switch {
	case by == counting.ByPress:
	case isLock(e.code):
		// A release without its press is xorgxrdp's own; both at once is what
		// keeps two keyboards in step.
		if s.lockDown && e.ms-s.lockMS > atOnceMS {
			s.in.Key(e.device, e.at)
		}
		s.lockDown = false
	case by == counting.ByLoneRelease:
		s.waiting, s.release = true, e
	default:
		s.in.Key(e.device, e.at)
	}
}

// settle counts a release that no press followed.
func (s *strokes) settle() {
	if s.waiting {
		s.in.Key(s.release.device, s.release.at)
	}
	s.waiting, s.release = false, keyEvent{}
}

func isLock(code uint32) bool { return code == capsLock || code == numLock || code == scrollLock }
