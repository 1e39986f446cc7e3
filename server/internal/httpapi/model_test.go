package httpapi_test

import (
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
)

// model is what hosts reported, kept in the plainest way: events by machine_id and
// Unix microseconds. What answers must be is added up from all of them, each time.
type model map[string]map[int64]api.Event

// add keeps an event, unless there is one of that identity.
func (m model) add(e api.Event) bool {
	if m[e.MachineID] == nil {
		m[e.MachineID] = map[int64]api.Event{}
	}
	at := e.Timestamp.UnixMicro()
	if _, there := m[e.MachineID][at]; there {
		return false
	}
	m[e.MachineID][at] = e
	return true
}

// events returns a machine's events in order.
func (m model) events(machine string) []api.Event {
	var list []api.Event
	for _, e := range m[machine] {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b api.Event) int { return a.Timestamp.Compare(b.Timestamp) })
	return list
}

// count returns how many events there are.
func (m model) count() (n int) {
	for _, list := range m {
		n += len(list)
	}
	return n
}

// modelUse is one application and title.
type modelUse struct{ app, title string }

// modelTime is a time with the focus and its active part, in milliseconds.
type modelTime struct{ focus, active int64 }

func (t modelTime) plus(o modelTime) modelTime {
	return modelTime{t.focus + o.focus, t.active + o.active}
}

// modelSum is what a span of a machine's time adds up to.
type modelSum struct {
	events, active, idle int64
	counts               api.Counts
	first, last          int64
	uses                 map[modelUse]modelTime
}

// apps returns the times of applications, whatever the title.
func (s *modelSum) apps() map[string]modelTime {
	apps := map[string]modelTime{}
	for use, t := range s.uses {
		apps[use.app] = apps[use.app].plus(t)
	}
	return apps
}

// sum adds up a machine's events in from ≤ time < to.
func (m model) sum(machine string, from, to time.Time) modelSum {
	s := modelSum{uses: map[modelUse]modelTime{}}
	for at, e := range m[machine] {
		if at < from.UnixMicro() || at >= to.UnixMicro() {
			continue
		}
		length, active := modelLength(&e)
		s.events++
		s.active += active
		s.idle += length - active
		counts := e.Counts()
		s.counts.Add(&counts)
		if e.ActiveSeconds != nil && *e.ActiveSeconds > 0 || e.KeyCount+e.MouseClicks+e.MouseDistancePx+e.ScrollCount > 0 {
			if s.first == 0 || at < s.first {
				s.first = at
			}
			s.last = max(s.last, at)
		}
		modelUses(&e, func(use modelUse, t modelTime) {
			if use.app != "" && t.focus > 0 {
				s.uses[use] = s.uses[use].plus(t)
			}
		})
	}
	return s
}

func wholeMillis(seconds float64) int64 { return int64(math.Round(seconds * 1000)) }

// modelLength returns how much of an event's interval was collected, and how much of that
// was active.
func modelLength(e *api.Event) (length, active int64) {
	length = 60_000
	if e.IntervalSec != nil {
		length = *e.IntervalSec * 1000
	}
	if e.CollectedSeconds != nil {
		length = *e.CollectedSeconds * 1000
	}
	switch {
	case e.ActiveSeconds != nil:
		active = min(length, wholeMillis(*e.ActiveSeconds))
	case !e.IsIdle:
		active = length
	}
	return length, active
}

// modelUses returns for how long an event's windows had the focus. What is more than the
// interval, or than its active part, is cut in proportion.
func modelUses(e *api.Event, tell func(modelUse, modelTime)) {
	length, active := modelLength(e)
	if len(e.Focus) == 0 {
		tell(modelUse{e.ActiveApp, e.ActiveWindow}, modelTime{length, active})
		return
	}
	var all modelTime
	list := make([]modelTime, len(e.Focus))
	for i, f := range e.Focus {
		list[i].focus = wholeMillis(f.Seconds)
		if length > 0 {
			list[i].active = list[i].focus * active / length
		}
		if f.ActiveSeconds != nil {
			list[i].active = min(list[i].focus, wholeMillis(*f.ActiveSeconds))
		}
		all = all.plus(list[i])
	}
	for i, t := range list {
		if all.focus > length {
			t.focus = t.focus * length / all.focus
		}
		if all.active > active {
			t.active = t.active * active / all.active
		}
		t.active = min(t.active, t.focus)
		tell(modelUse{e.Focus[i].App, e.Focus[i].Title}, t)
	}
}
