// Package minutes is what accounts and people did in each minute of UTC: the state, and
// how much of it somebody was there. Time that accounts of one person share counts once.
package minutes

import (
	"iter"
	"slices"
	"time"
)

// State is what an account or a person did in a minute.
type State uint8

// The states, those first of which several at once leave the last: who is active
// somewhere is active.
const (
	// Unknown means that there is no record.
	Unknown State = iota
	NotCollected
	Disconnected
	Locked
	NoInput
	Active
)

// String returns the state as the API names it.
func (s State) String() string {
	return [...]string{"unknown", "not_collected", "disconnected", "locked", "no_input", "active"}[s]
}

const (
	// Length is the grain.
	Length = time.Minute
	// LengthMS is a minute in milliseconds.
	LengthMS = int64(Length / time.Millisecond)
	micros   = int64(Length / time.Microsecond)
)

// Minute is one minute of an account or a person.
type Minute struct {
	State State
	// Paused is why it is NotCollected: the person had paused. Else it was outside work
	// hours. False for other states.
	Paused bool
	// ActiveMS is for how many milliseconds somebody was there, a minute at most. It is
	// small, since a week of many people has millions of minutes.
	ActiveMS uint16
}

// Record is what a record holds of its time.
type Record struct {
	// Start is in Unix microseconds.
	Start int64
	// LengthMS is its length and ActiveMS how much of that somebody was there, in
	// milliseconds.
	LengthMS, ActiveMS int64
	// Rest is the state of minutes without activity.
	Rest State
}

// Grid is a run of minutes.
type Grid struct {
	// From is the first minute's start, in Unix microseconds.
	From int64
	List []Minute
	// touched are the places that were added to since Take, most of them in order.
	touched []places
}

// places are those from one to before another.
type places struct{ from, to int }

// touch notes that places were added to.
func (g *Grid) touch(from, to int) {
	if n := len(g.touched); n > 0 && from >= g.touched[n-1].from && from <= g.touched[n-1].to {
		g.touched[n-1].to = max(to, g.touched[n-1].to)
		return
	}
	if from < to {
		g.touched = append(g.touched, places{from, to})
	}
}

// NewGrid returns the minutes from one time to before another, all unknown. A time
// within a minute is taken as that minute's start.
func NewGrid(from, to time.Time) *Grid {
	start := floor(from.UnixMicro())
	return &Grid{From: start, List: make([]Minute, max(0, (floor(to.UnixMicro())-start)/micros))}
}

// Clone returns a copy.
func (g *Grid) Clone() *Grid {
	return &Grid{From: g.From, List: slices.Clone(g.List), touched: slices.Clone(g.touched)}
}

func floor(at int64) int64 {
	within := at % micros
	if within < 0 {
		within += micros
	}
	return at - within
}

// Add adds a record of one account. Its active time is spread evenly over its length,
// to the millisecond: what lies in two minutes adds up to the record's.
func (g *Grid) Add(r Record) {
	if r.LengthMS <= 0 {
		return
	}
	end := r.Start + r.LengthMS*1000
	first := max(0, (floor(r.Start)-g.From)/micros)
	for i := first; i < int64(len(g.List)); i++ {
		from, to := max(r.Start, g.From+i*micros), min(end, g.From+(i+1)*micros)
		if from >= to {
			return
		}
		active := r.until(to) - r.until(from)
		g.List[i].add(stateOf(active, r.Rest), active)
		g.touch(int(i), int(i+1))
	}
}

// Cover notes that nothing of the account was collected in from ≤ t < to, by rule, or since
// the person had paused. What is recorded of a minute counts before that.
func (g *Grid) Cover(from, to time.Time, paused bool) {
	place := func(at int64) int { return int(min(max(0, at/micros), int64(len(g.List)))) }
	first, end := place(floor(from.UnixMicro())-g.From), place(to.UnixMicro()+micros-1-g.From)
	for i := first; i < end; i++ {
		g.List[i].add(NotCollected, 0)
		g.List[i].Paused = g.List[i].Paused || paused
	}
	g.touch(first, end)
}

func stateOf(active int64, rest State) State {
	if active > 0 {
		return Active
	}
	return rest
}

// add adds what another record of the same account holds of the minute.
func (m *Minute) add(state State, active int64) {
	m.State, m.ActiveMS = max(m.State, state), uint16(min(LengthMS, int64(m.ActiveMS)+active))
}

// until is how much of the record's active time lies before a time within it.
func (r *Record) until(at int64) int64 { return r.ActiveMS * (at - r.Start) / (r.LengthMS * 1000) }

// Take adds another account of the same person, of minutes that begin at the same time, and
// empties it: of a minute the first of both states, and the larger of both active times.
func (g *Grid) Take(o *Grid) {
	for _, p := range o.touched {
		for i := p.from; i < p.to; i++ {
			m, other := &g.List[i], o.List[i]
			m.State, m.ActiveMS = max(m.State, other.State), max(m.ActiveMS, other.ActiveMS)
			m.Paused = m.Paused || other.Paused
		}
		clear(o.List[p.from:p.to])
	}
	o.touched = o.touched[:0]
}

// Sum adds up the minutes from one time to before another: for how long somebody was
// there, and how much more of the minutes is recorded.
func (g *Grid) Sum(from, to time.Time) (activeMS, idleMS int64) {
	recorded := int64(0)
	for _, m := range g.Part(from, to) {
		activeMS += int64(m.ActiveMS)
		if m.State > NotCollected {
			recorded++
		}
	}
	return activeMS, recorded*LengthMS - activeMS
}

// Part returns the minutes from one time to before another.
func (g *Grid) Part(from, to time.Time) []Minute {
	place := func(at time.Time) int64 {
		return min(max(0, (floor(at.UnixMicro())-g.From)/micros), int64(len(g.List)))
	}
	return g.List[place(from):max(place(from), place(to))]
}

// Segment is a run of minutes of one state, and of one reason where they are NotCollected.
type Segment struct {
	State      State
	Start, End time.Time
	ActiveMS   int64
	// Paused is as in Minute, and false of other states.
	Paused bool
}

// Segments joins minutes of one state and reason that follow each other. They are made one by
// one, since a page of many people has a hundred thousand.
func (g *Grid) Segments() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for i := 0; i < len(g.List); {
			s := Segment{State: g.List[i].State, Paused: g.List[i].pausedNow(), Start: g.at(i)}
			for ; i < len(g.List) && g.List[i].State == s.State && g.List[i].pausedNow() == s.Paused; i++ {
				s.ActiveMS += int64(g.List[i].ActiveMS)
			}
			s.End = g.at(i)
			if !yield(s) {
				return
			}
		}
	}
}

// at is when a minute begins.
func (g *Grid) at(place int) time.Time { return time.UnixMicro(g.From + int64(place)*micros).UTC() }

// pausedNow is Paused where nothing else is recorded of the minute.
func (m *Minute) pausedNow() bool { return m.State == NotCollected && m.Paused }
