package codec

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/column"
)

// A row of event_hour is a run of one machine's events within one hour of UTC,
// field by field: neighbours in a field are alike, so that each column finds a
// short form of its own (package column). The numbers are those of AppendEvent, and
// values come back exactly as they do there. A general compressor on top takes
// another sixth off the benchmark's repeating numbers: 2 bytes an event, which don't
// pay for one more form.
const (
	// hourVersion is the first byte of the form that this program writes.
	hourVersion = 1
	// HourLength bounds what lies in one row, so that a late event finds its
	// row and a page reads little too much.
	HourLength = time.Hour
	// HourEvents bounds the events of a row: an hour at the contract's shortest
	// interval has 720. An hour with more has several rows.
	HourEvents = 1000
)

// Units of the time between two events: microseconds, milliseconds, seconds.
const timeUnits = 3

// timeUnit is a unit's length in microseconds.
func timeUnit(unit byte) uint64 { return [timeUnits]uint64{1, 1000, 1_000_000}[unit] }

// HourOf is the hour of UTC that a time lies in.
func HourOf(t time.Time) time.Time { return t.UTC().Truncate(HourLength) }

// EncodeHour returns the packed form of events in ascending order, no two at a time,
// all within an hour, and at least one.
func EncodeHour(events []api.Event, of []Refs) []byte {
	p := hourEncoder{b: []byte{hourVersion}}
	p.b = binary.AppendUvarint(p.b, uint64(len(events)))
	p.times(events)
	flags, mains := make([]uint64, len(events)), []uint64{}
	for i := range events {
		main := slices.Index(of[i].Focus, of[i].Active)
		flags[i] = flagsOf(&events[i], main)
		if main >= 0 {
			mains = append(mains, uint64(main))
		}
	}
	p.looked(flags)
	p.counts(events)
	p.optionals(events, flags)
	p.names(events, of, flags)
	p.b = column.Append(p.b, mains)
	p.actives(events, flags)
	return p.b
}

type hourEncoder struct{ b []byte }

func (p *hourEncoder) column(list []uint64) { p.b = column.Append(p.b, list) }

// times writes the times between events, in the largest unit that divides all.
func (p *hourEncoder) times(events []api.Event) {
	gaps := make([]uint64, len(events)-1)
	for i := range gaps {
		gaps[i] = uint64(events[i+1].Timestamp.UnixMicro() - events[i].Timestamp.UnixMicro())
	}
	unit := byte(timeUnits - 1)
	for unit > 0 && slices.ContainsFunc(gaps, func(v uint64) bool { return v%timeUnit(unit) != 0 }) {
		unit--
	}
	for i := range gaps {
		gaps[i] /= timeUnit(unit)
	}
	p.b = append(p.b, unit)
	p.column(gaps)
}

// looked writes a column of few different, large numbers: those, ascending, and
// which each is.
func (p *hourEncoder) looked(list []uint64) {
	table := slices.Clone(list)
	slices.Sort(table)
	table = slices.Compact(table)
	places := make([]uint64, len(list))
	for i, v := range list {
		at, _ := slices.BinarySearch(table, v)
		places[i] = uint64(at)
	}
	p.b = binary.AppendUvarint(p.b, uint64(len(table)))
	p.column(table)
	p.column(places)
}

func (p *hourEncoder) counts(events []api.Event) {
	for c := range (&api.Event{}).Required() {
		list := make([]uint64, len(events))
		for i := range events {
			list[i] = uint64(*events[i].Required()[c])
		}
		p.column(list)
	}
}

// optionals writes the fields that only some events have, each in the order of
// those that have it.
func (p *hourEncoder) optionals(events []api.Event, flags []uint64) {
	var intervals, collected, memory []uint64
	var counts [api.OptionalCounters][]uint64
	var active, cpu, ram, disk, userCPU []float64
	add := func(to *[]float64, v *float64) {
		if v != nil {
			*to = append(*to, *v)
		}
	}
	for i := range events {
		e := &events[i]
		if flags[i]&packInterval != 0 {
			intervals = append(intervals, uint64(*e.IntervalSec))
		}
		if flags[i]&packCollected != 0 {
			collected = append(collected, uint64(*e.CollectedSeconds))
		}
		for c, count := range e.Optional() {
			if *count != nil {
				counts[c] = append(counts[c], uint64(**count))
			}
		}
		if e.UserRAMBytes != nil {
			memory = append(memory, uint64(*e.UserRAMBytes))
		}
		add(&active, e.ActiveSeconds)
		add(&cpu, e.CPUPercent)
		add(&ram, e.RAMUsedPercent)
		add(&disk, e.DiskUsedPercent)
		add(&userCPU, e.UserCPUPercent)
	}
	p.column(intervals)
	p.column(collected)
	for _, list := range counts {
		p.column(list)
	}
	p.floats(active, secondsScale)
	p.floats(cpu, percentScale)
	p.floats(ram, percentScale)
	p.floats(disk, percentScale)
	p.floats(userCPU, percentScale)
	p.memory(memory)
}

// floats writes numbers as whole parts of scale, less one: zero stands for one
// that isn't exact so and follows behind the column in 8 bytes.
func (p *hourEncoder) floats(list []float64, scale float64) {
	parts := make([]uint64, len(list))
	var exact []float64
	for i, v := range list {
		if n := math.Round(v * scale); n >= 0 && n < 1<<53 && n/scale == v {
			parts[i] = uint64(n) + 1
		} else {
			exact = append(exact, v)
		}
	}
	p.column(parts)
	for _, v := range exact {
		p.b = binary.LittleEndian.AppendUint64(p.b, math.Float64bits(v))
	}
}

// memory writes amounts in KiB where all are whole ones.
func (p *hourEncoder) memory(list []uint64) {
	if len(list) == 0 {
		return
	}
	unit := uint64(kib)
	if slices.ContainsFunc(list, func(v uint64) bool { return v%kib != 0 }) {
		unit = 1
	}
	for i := range list {
		list[i] /= unit
	}
	p.b = binary.AppendUvarint(p.b, unit)
	p.column(list)
}

// actives writes the active seconds of entries of focus lists, by their codes; those
// that have no code follow behind the column in 8 bytes. Without any there is nothing.
func (p *hourEncoder) actives(events []api.Event, flags []uint64) {
	var codes []uint64
	var exact []float64
	for i := range events {
		if flags[i]&packFocusActive == 0 {
			continue
		}
		for j := range events[i].Focus {
			f := &events[i].Focus[j]
			codes = append(codes, activeCode(f))
			if codes[len(codes)-1] == activeExact {
				exact = append(exact, *f.ActiveSeconds)
			}
		}
	}
	p.column(codes)
	for _, v := range exact {
		p.b = binary.LittleEndian.AppendUint64(p.b, math.Float64bits(v))
	}
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.App, b.App))
}

// names writes the pairs of application and title that the events refer to, by
// ascending title, and which each reference is.
func (p *hourEncoder) names(events []api.Event, of []Refs, flags []uint64) {
	var uses []Ref
	var lengths []uint64
	var seconds []float64
	for i := range of {
		uses = append(uses, of[i].Focus...)
		if flags[i]&packFocus != 0 {
			lengths = append(lengths, uint64(len(of[i].Focus)))
		}
		for j := range events[i].Focus {
			seconds = append(seconds, events[i].Focus[j].Seconds)
		}
	}
	inFocus := len(uses)
	for i := range of {
		if flags[i]&packMainInFocus == 0 {
			uses = append(uses, of[i].Active)
		}
	}
	table := slices.Clone(uses)
	slices.SortFunc(table, compareRefs)
	table = slices.Compact(table)
	places := make([]uint64, len(uses))
	for i, r := range uses {
		at, _ := slices.BinarySearchFunc(table, r, compareRefs)
		places[i] = uint64(at)
	}
	apps, titles := make([]uint64, len(table)), make([]uint64, len(table))
	for i, r := range table {
		apps[i], titles[i] = r.App, r.Title
	}
	p.b = binary.AppendUvarint(p.b, uint64(len(table)))
	p.column(titles)
	p.column(apps)
	p.column(lengths)
	p.column(places[:inFocus])
	p.column(places[inFocus:])
	p.floats(seconds, secondsScale)
}
