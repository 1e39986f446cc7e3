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

// restrikeMS is the least time in which a hand strikes the key again that it has let
// go. A client that is busy lets go of a held key by itself and presses it again at
// once.
const restrikeMS = 50

// keyEvent is a press or release of a key. Its code lives no longer than one Drain.
type keyEvent struct {
	device uint16
	code   uint32 // 0 is forgotten
	ms     uint32 // the server's clock
	at     counting.Instant
}

// sameKey reports whether two events are, or can be, of one key.
func (e *keyEvent) sameKey(o *keyEvent) bool {
	return e.device == o.device && (e.code == o.code || e.code == 0 || o.code == 0)
}

// strokes finds the strokes among the events of keyboards on which a held key is
// pressed again and again. It keeps no key: events are compared with those next to
// them, and what is kept after a Drain is that the last key is held, not which.
type strokes struct {
	in *counting.Input

	waiting bool     // release may belong to the press behind it
	release keyEvent // if waiting

	pressed   bool     // the last that happened is press
	press     keyEvent // if pressed
	repeating bool     // and it was a repeat
	unsure    bool     // or it may have been one: its key was not compared
	lifted    bool     // a key that repeated was let go, perhaps by the client
	lift      keyEvent // if lifted

	// begun is how many strokes began and have not ended: a release beyond them is
	// none. Clients let Tab and others go that nobody pressed, when they get the focus.
	begun int

	lockDown bool // a lock key is down, since lockMS
	lockMS   uint32
}

// event takes a press or release, on a keyboard that shows strokes in that way.
func (s *strokes) event(e keyEvent, down bool, by counting.Strokes) {
	isPart := s.waiting && down && s.release.sameKey(&e) && e.ms-s.release.ms <= atOnceMS
	if s.waiting && !isPart {
		s.up(s.release)
	}
	s.waiting, s.release = false, keyEvent{}
	switch {
	case by == counting.ByPress:
		if down {
			s.in.Key(e.device, e.at)
		}
	case isLock(e.code):
		s.lock(e, down)
	case down:
		s.down(e)
	case by == counting.ByLoneRelease:
		s.waiting, s.release = true, e
	default:
		s.up(e)
	}
}

// lock takes a press or release of a lock key. A release without its press is
// xorgxrdp's own; both at once is what keeps two keyboards in step.
func (s *strokes) lock(e keyEvent, down bool) {
	s.putDown()
	s.pressed, s.repeating = false, false
	switch {
	case !down:
		if s.lockDown && e.ms-s.lockMS > atOnceMS {
			s.in.Key(e.device, e.at)
		}
		s.lockDown = false
	case !s.lockDown:
		s.lockDown, s.lockMS = true, e.ms
	}
}

// down takes a press: the beginning of a stroke, or a repeat.
func (s *strokes) down(e keyEvent) {
	repeats := uint64(0)
	switch {
	case s.lifted && s.lift.sameKey(&e) && e.ms-s.lift.ms < restrikeMS:
		s.lifted, s.lift = false, keyEvent{} // it is held on
	case s.lifted:
		s.putDown()
		s.begun++
	case s.pressed && !s.repeating && s.press.code == 0:
		s.unsure = true
		s.begun++
	default:
		s.repeating = s.pressed && s.press.sameKey(&e)
		if s.repeating && s.unsure {
			repeats++ // the one before was a repeat too: the first comes after a while
			s.begun--
		}
		s.unsure = false
		if !s.repeating {
			s.begun++
		}
	}
	if s.repeating {
		repeats++
	}
	s.pressed, s.press = true, e
	s.in.Hold(e.device, repeats, e.at)
}

// up takes a release that is no part of a press.
func (s *strokes) up(e keyEvent) {
	s.putDown()
	if s.pressed && s.repeating && s.press.sameKey(&e) {
		s.lifted, s.lift = true, e
		return
	}
	s.stroke(e)
}

// putDown counts the stroke of a key that was let go and not held on.
func (s *strokes) putDown() {
	if s.lifted {
		s.stroke(s.lift)
	}
	s.lifted, s.lift = false, keyEvent{}
}

func (s *strokes) stroke(e keyEvent) {
	s.pressed, s.repeating, s.unsure = false, false, false
	if s.begun > 0 {
		s.begun--
		s.in.Key(e.device, e.at)
	}
}

// settle ends a Drain at an instant: which keys they were is forgotten.
func (s *strokes) settle(now counting.Instant) {
	if s.waiting {
		s.up(s.release)
	}
	if s.lifted && now-s.lift.at >= restrikeMS {
		s.putDown()
	}
	s.waiting, s.release = false, keyEvent{}
	s.press.code, s.lift.code = 0, 0
}

func isLock(code uint32) bool { return code == capsLock || code == numLock || code == scrollLock }
