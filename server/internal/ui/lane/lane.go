// Package lane draws a day of somebody as a lane: one path for each state, so that a page
// of fifty people stays small. States differ by height as well as by colour.
package lane

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
)

// Lane is a drawing, 24 units high.
type Lane struct {
	// Width is how many minutes the day has.
	Width int
	Paths []Path
	// First and Last are the first and the last minute with activity, as reports have them;
	// zero: none.
	First, Last time.Time
	// Active, NoInput and the others are how long each state was, in seconds; of minutes
	// with somebody there, the part without them is NoInput.
	Active, NoInput, Locked, Disconnected, NotCollected float64
}

// Path is all runs of one state.
type Path struct {
	// State is the API's name of it, with which style sheets draw it.
	State string
	// D is the data of an SVG path.
	D string
}

// place is where a state is drawn, from the top.
type place struct {
	state       string
	top, height int
}

// places lists the states that are drawn; what is unknown is a gap.
func places() []place {
	return []place{{"active", 2, 20}, {"no_input", 12, 10}, {"locked", 12, 10}, {"disconnected", 20, 2}, {"not_collected", 21, 1}}
}

// Draw draws the segments of a day from start to end.
func Draw(start, end time.Time, segments []api.Segment) Lane {
	l := Lane{Width: int(end.Sub(start) / time.Minute)}
	runs := map[string]*strings.Builder{}
	for _, p := range places() {
		runs[p.state] = &strings.Builder{}
	}
	at := func(t time.Time) int { return max(0, min(l.Width, int(t.Sub(start)/time.Minute))) }
	for i := range segments {
		s := &segments[i]
		l.count(s)
		b := runs[s.State]
		if b == nil {
			continue
		}
		from, to := at(s.Start), at(s.End)
		for _, p := range places() {
			if p.state == s.State && to > from {
				fmt.Fprintf(b, "M%d %dh%dv%dh-%dz", from, p.top, to-from, p.height, to-from)
			}
		}
	}
	for _, p := range places() {
		if d := runs[p.state].String(); d != "" {
			l.Paths = append(l.Paths, Path{State: p.state, D: d})
		}
	}
	return l
}

func (l *Lane) count(s *api.Segment) {
	seconds := s.End.Sub(s.Start).Seconds()
	switch s.State {
	case "active":
		if l.First.IsZero() {
			l.First = s.Start
		}
		l.Last = s.End.Add(-time.Minute)
		l.Active += s.ActiveSeconds
		l.NoInput += seconds - s.ActiveSeconds
	case "no_input":
		l.NoInput += seconds
	case "locked":
		l.Locked += seconds
	case "disconnected":
		l.Disconnected += seconds
	case "not_collected":
		l.NotCollected += seconds
	}
}

// Tick is an hour that an axis names.
type Tick struct {
	// X is where it is, as a part of the width that SVG reads, such as "12.5%".
	X    string
	Text string
}

// Ticks are the hours of a day that an axis names: each third as the local clock has it,
// also where clocks change, in places by half an hour.
func Ticks(start, end time.Time, zone *time.Location) []Tick {
	const each, percent = 3, 100
	whole := end.Sub(start)
	var list []Tick
	for t := start; t.Before(end); t = t.Add(time.Hour / 2) {
		local := t.In(zone)
		if local.Hour()%each == 0 && local.Minute() == 0 {
			list = append(list, Tick{
				X:    strconv.FormatFloat(percent*float64(t.Sub(start))/float64(whole), 'f', 3, 64) + "%",
				Text: strconv.Itoa(local.Hour()),
			})
		}
	}
	return list
}
