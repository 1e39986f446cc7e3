package loop

import "time"

// lateWake is how late the end of counting may be noticed for what arrived since to be
// taken in: its share from after the end is less than is typed in so long.
const lateWake = 200 * time.Millisecond

// over reports whether counting has ended.
func (l *loop) over(now moment) bool { return !l.until.IsZero() && !now.wall.Before(l.until) }

// last is the moment as of which the last report is: now, or when counting ended.
func (l *loop) last() moment {
	now := l.clock.now()
	if !l.over(now) {
		return now
	}
	return moment{at: min(max(l.clock.instantOf(now, l.until), l.settled), now.at), wall: l.until}
}

// drainLast takes in what has happened up to the last moment. Not all events carry their
// times: noticed too late, what waits is nobody's.
func (l *loop) drainLast() error {
	if now := l.clock.now(); l.over(now) && now.wall.Sub(l.until) > lateWake {
		l.ended = true
	}
	return l.drain(l.last().at)
}
