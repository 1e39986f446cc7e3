package loop

import (
	"time"

	"activity-tracker.example/sessiond/internal/counting"
)

// clock returns instants, which only go forward, and wall-clock time, which
// numbers the intervals and may jump.
type clock struct {
	start    time.Time
	interval time.Duration
}

// instant is now.
func (k clock) instant() counting.Instant {
	return counting.Instant(time.Since(k.start) / time.Millisecond)
}

// moment is what both clocks show at one time.
type moment struct {
	at       counting.Instant
	wall     time.Time
	fraction time.Duration // how far beyond at it was, below a millisecond
}

func (k clock) now() moment {
	t := time.Now()
	since := t.Sub(k.start)
	return moment{counting.Instant(since / time.Millisecond), t.Round(0), since % time.Millisecond}
}

// slot numbers the interval that holds a wall-clock time.
func (k clock) slot(wall time.Time) int64 {
	s, length := wall.Unix(), int64(k.interval/time.Second)
	n := s / length
	if s%length < 0 {
		n--
	}
	return n
}

// startOf is when an interval starts.
func (k clock) startOf(slot int64) time.Time {
	return time.Unix(slot*int64(k.interval/time.Second), 0)
}

// instantOf is the instant at which the wall clock shows (or showed) a time, if
// it does not jump. It comes out the same whenever it is asked for, so that an
// interval is not longer than it should be by a rounding.
func (k clock) instantOf(m moment, wall time.Time) counting.Instant {
	ahead := m.fraction + wall.Sub(m.wall)
	ms := ahead / time.Millisecond
	if ahead%time.Millisecond < 0 {
		ms--
	}
	return m.at + counting.Instant(ms)
}
