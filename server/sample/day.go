package sample

import (
	"math/rand/v2"
	"time"

	"activity-tracker.example/server/api"
)

// span is what somebody does for a while.
type span int

const (
	working span = iota
	away         // nobody at the keyboard
	locked
	disconnected
)

// daysOff is how many of a hundred working days somebody is not there.
const daysOff = 6

// Day returns what they did on the day that begins at midnight, until the end, in records of
// that length. On weekends and days off there is nothing, unless present.
func (p *Person) Day(midnight, end time.Time, record time.Duration, present bool) []api.Event {
	r := rand.New(rand.NewPCG(p.number, uint64(midnight.Unix()))) //nolint:gosec // made up, and the same each time
	off := r.IntN(100) < daysOff
	if day := midnight.Weekday(); !present && (off || day == time.Saturday || day == time.Sunday) {
		return nil
	}
	begin := p.begin - 15 + r.IntN(30)
	leave := begin + p.length - 20 + r.IntN(40)
	if present {
		// Whoever must be there now came some hours ago, whatever the clock shows.
		leave = int(end.Sub(midnight) / time.Minute)
		begin = max(0, min(begin, leave-60-r.IntN(360)))
	}
	lunch, pause := begin+190+r.IntN(80), 25+r.IntN(25)
	var list []api.Event
	state, until, what, title := working, 0, 0, 0
	step := int(record / time.Minute)
	for m := begin / step * step; m+step <= leave; m += step {
		at := midnight.Add(time.Duration(m) * time.Minute)
		if at.Add(record).After(end) {
			break
		}
		if m >= until {
			state, until = p.next(r, m)
			what, title = p.use(r.IntN(100)), r.IntN(8)
		}
		now := state
		if m >= lunch && m < lunch+pause {
			now = locked
		}
		list = append(list, p.record(r, at, record, now, what, title))
	}
	return list
}

// next is what they do from that minute on, and until when.
func (p *Person) next(r *rand.Rand, m int) (state span, until int) {
	switch n := r.IntN(100); {
	case n < p.calls:
		return away, m + 8 + r.IntN(25)
	case n < p.calls+2:
		return disconnected, m + 15 + r.IntN(40)
	}
	return working, m + 8 + r.IntN(35)
}

// use is the number of the application that has this percent of their work.
func (p *Person) use(percent int) int {
	for i, u := range p.work.uses {
		if percent -= u.share; percent < 0 {
			return i
		}
	}
	return 0
}

// record is one event.
func (p *Person) record(r *rand.Rand, at time.Time, record time.Duration, state span, what, title int) api.Event {
	u := p.work.uses[what]
	seconds, share := int64(record/time.Second), 0.0
	e := api.Event{
		MachineID: p.MachineID, Timestamp: at, ActiveApp: u.app, ActiveWindow: u.titles[title%len(u.titles)], IntervalSec: &seconds,
		Username: p.Account, SessionKind: api.SessionRDP, IsIdle: state != working,
		CPUPercent: new(5 + 20*r.Float64()), RAMUsedPercent: new(40 + 10*r.Float64()), Connected: new(state != disconnected), Locked: new(state == locked),
	}
	if state == working {
		share = 0.65 + 0.35*r.Float64()
		minutes := int64(record / time.Minute)
		e.KeyCount, e.MouseClicks, e.ScrollCount = minutes*r.Int64N(160), minutes*r.Int64N(14), minutes*r.Int64N(25)
		e.MouseDistancePx = minutes * r.Int64N(9000)
	}
	active := float64(int(share * float64(seconds)))
	e.ActiveSeconds = &active
	if state != disconnected {
		e.Focus = []api.Focus{{App: u.app, Title: e.ActiveWindow, Seconds: float64(seconds), ActiveSeconds: &active}}
	}
	return e
}
