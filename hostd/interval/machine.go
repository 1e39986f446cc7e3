package interval

import "slices"

// maxSpans is how many stretches of time are remembered of each machine_id.
// One is enough while the clock only advances; each absence and each jump of
// the clock makes another.
const maxSpans = 32

// Machine is for which stretches of time one machine_id's records were handed
// out. It is what keeps an event's identity from being produced twice.
type Machine struct {
	// Reported is ordered, without overlap; at most maxSpans.
	Reported []Span `json:"reported"`
}

// Span is a stretch of time, seconds UTC, From ≤ t < Until.
type Span struct {
	From  int64 `json:"from"`
	Until int64 `json:"until"`
}

// free returns the start of the first whole interval, at start or after, of
// which nothing was handed out. start must be aligned.
func (m *Machine) free(start, length int64) int64 {
	if m == nil {
		return start
	}
	for _, s := range m.Reported {
		if s.Until <= start {
			continue
		}
		if s.From >= start+length {
			break
		}
		start = alignUp(s.Until, length)
	}
	return start
}

// mark remembers that an interval was handed out. Where there are too many
// stretches, the two with the least time between them become one: that can
// only move a later record, never repeat one.
func (m *Machine) mark(start, length int64) {
	add := Span{From: start, Until: start + length}
	i, _ := slices.BinarySearchFunc(m.Reported, add, func(a, b Span) int { return int(min(max(a.From-b.From, -1), 1)) })
	m.Reported = slices.Insert(m.Reported, i, add)
	out := m.Reported[:1]
	for _, s := range m.Reported[1:] {
		if last := &out[len(out)-1]; s.From <= last.Until {
			last.Until = max(last.Until, s.Until)
		} else {
			out = append(out, s)
		}
	}
	m.Reported = out
	if len(out) <= maxSpans {
		return
	}
	least := 1
	for i := 2; i < len(out); i++ {
		if out[i].From-out[i-1].Until < out[least].From-out[least-1].Until {
			least = i
		}
	}
	out[least-1].Until = out[least].Until
	m.Reported = slices.Delete(out, least, least+1)
}

// last is the end of the latest stretch, zero where there is none.
func (m *Machine) last() int64 {
	if m == nil || len(m.Reported) == 0 {
		return 0
	}
	return m.Reported[len(m.Reported)-1].Until
}

func (m *Machine) clone() *Machine {
	return &Machine{Reported: slices.Clone(m.Reported)}
}

func align(t, length int64) int64 {
	r := t % length
	if r < 0 {
		r += length
	}
	return t - r
}

func alignUp(t, length int64) int64 { return align(t+length-1, length) }
