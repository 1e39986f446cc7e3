// Package lane draws a day of somebody as a lane: one path for each state, so that a page
// of fifty people stays small. States differ by height as well as by colour.
package lane

import (
	"iter"
	"slices"
	"strconv"
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

// Drawer draws lanes one after the other. It keeps the room that a path takes while it grows:
// a page of many people would have a multiple of its own size otherwise. The zero value is ready.
type Drawer struct{ runs [][]byte }

// Draw draws the segments of a day from start to end.
func (d *Drawer) Draw(start, end time.Time, segments iter.Seq[api.Segment]) Lane {
	l := Lane{Width: int(end.Sub(start) / time.Minute)}
	list := places()
	if d.runs == nil {
		d.runs = make([][]byte, len(list))
	}
	for i := range d.runs {
		d.runs[i] = d.runs[i][:0]
	}
	at := func(t time.Time) int { return max(0, min(l.Width, int(t.Sub(start)/time.Minute))) }
	for s := range segments {
		l.count(&s)
		i := slices.IndexFunc(list, func(p place) bool { return p.state == s.State })
		if from, to := at(s.Start), at(s.End); i >= 0 && to > from {
			d.runs[i] = appendBox(d.runs[i], from, list[i].top, to-from, list[i].height)
		}
	}
	for i, p := range list {
		if len(d.runs[i]) > 0 {
			l.Paths = append(l.Paths, Path{State: p.state, D: string(d.runs[i])})
		}
	}
	return l
}

// appendBox appends a rectangle to the data of a path.
func appendBox(d []byte, x, y, width, height int) []byte {
	d = strconv.AppendInt(append(d, 'M'), int64(x), 10)
	d = strconv.AppendInt(append(d, ' '), int64(y), 10)
	d = strconv.AppendInt(append(d, 'h'), int64(width), 10)
	d = strconv.AppendInt(append(d, 'v'), int64(height), 10)
	d = strconv.AppendInt(append(d, 'h'), int64(-width), 10)
	return append(d, 'z')
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
