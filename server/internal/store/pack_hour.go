package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
)

// A row of event_hour is a run of one machine's events within one hour of UTC,
// field by field: neighbours in a field are alike, so that each column finds a
// short form of its own (column.go). The numbers are those of packEvent, and
// values come back exactly as they do there. A general compressor on top takes
// another sixth off the benchmark's repeating numbers: 2 bytes an event, which don't
// pay for one more form.
const (
	// packHourVersion is the first byte of the form that this program writes.
	packHourVersion = 1
	// hourLength bounds what lies in one row, so that a late event finds its
	// row and a page reads little too much.
	hourLength = time.Hour
	// hourEvents bounds the events of a row: an hour at the contract's shortest
	// interval has 720. An hour with more has several rows.
	hourEvents = 1000
)

// Units of the time between two events: microseconds, milliseconds, seconds.
const timeUnits = 3

// timeUnit is a unit's length in microseconds.
func timeUnit(unit byte) uint64 { return [timeUnits]uint64{1, 1000, 1_000_000}[unit] }

// hourOf is the hour of UTC that a time lies in.
func hourOf(t time.Time) time.Time { return t.UTC().Truncate(hourLength) }

// packHour gives the packed form of events in ascending order, no two at a time,
// all within an hour, and at least one.
func packHour(events []api.Event, of []refs) []byte {
	p := hourPacker{b: []byte{packHourVersion}}
	p.b = binary.AppendUvarint(p.b, uint64(len(events)))
	p.times(events)
	flags, mains := make([]uint64, len(events)), []uint64{}
	for i := range events {
		main := slices.Index(of[i].focus, of[i].active)
		flags[i] = flagsOf(&events[i], main)
		if main >= 0 {
			mains = append(mains, uint64(main))
		}
	}
	p.looked(flags)
	p.counts(events)
	p.optionals(events, flags)
	p.names(events, of, flags)
	p.b = appendColumn(p.b, mains)
	return p.b
}

type hourPacker struct{ b []byte }

func (p *hourPacker) column(list []uint64) { p.b = appendColumn(p.b, list) }

// times writes the times between events, in the largest unit that divides all.
func (p *hourPacker) times(events []api.Event) {
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
func (p *hourPacker) looked(list []uint64) {
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

func (p *hourPacker) counts(events []api.Event) {
	for _, of := range [...]func(*api.Event) int64{
		func(e *api.Event) int64 { return e.KeyCount }, func(e *api.Event) int64 { return e.MouseClicks },
		func(e *api.Event) int64 { return e.MouseDistancePx }, func(e *api.Event) int64 { return e.ScrollCount },
	} {
		list := make([]uint64, len(events))
		for i := range events {
			list[i] = uint64(of(&events[i]))
		}
		p.column(list)
	}
}

// optionals writes the fields that only some events have, each in the order of
// those that have it.
func (p *hourPacker) optionals(events []api.Event, flags []uint64) {
	var intervals, synthetic, memory []uint64
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
		if e.SyntheticCount != nil {
			synthetic = append(synthetic, uint64(*e.SyntheticCount))
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
	p.column(synthetic)
	p.floats(active, secondsScale)
	p.floats(cpu, percentScale)
	p.floats(ram, percentScale)
	p.floats(disk, percentScale)
	p.floats(userCPU, percentScale)
	p.memory(memory)
}

// floats writes numbers as whole parts of scale, less one: zero stands for one
// that isn't exact so and follows behind the column in 8 bytes.
func (p *hourPacker) floats(list []float64, scale float64) {
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
func (p *hourPacker) memory(list []uint64) {
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

func compareRefs(a, b useRef) int {
	return cmp.Or(cmp.Compare(a.title, b.title), cmp.Compare(a.app, b.app))
}

// names writes the pairs of application and title that the events refer to, by
// ascending title, and which each reference is.
func (p *hourPacker) names(events []api.Event, of []refs, flags []uint64) {
	var uses []useRef
	var lengths []uint64
	var seconds []float64
	for i := range of {
		uses = append(uses, of[i].focus...)
		if flags[i]&packFocus != 0 {
			lengths = append(lengths, uint64(len(of[i].focus)))
		}
		for j := range events[i].Focus {
			seconds = append(seconds, events[i].Focus[j].Seconds)
		}
	}
	inFocus := len(uses)
	for i := range of {
		if flags[i]&packMainInFocus == 0 {
			uses = append(uses, of[i].active)
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
		apps[i], titles[i] = r.app, r.title
	}
	p.b = binary.AppendUvarint(p.b, uint64(len(table)))
	p.column(titles)
	p.column(apps)
	p.column(lengths)
	p.column(places[:inFocus])
	p.column(places[inFocus:])
	p.floats(seconds, secondsScale)
}

// errHour says what is wrong with a packed hour.
func errHour(what string) error { return fmt.Errorf("%w: an hour's %s", errPacked, what) }

// hourUnpacker reads a packed hour; the first error stays.
type hourUnpacker struct{ unpacker }

// hourTimes reads the times of a packed hour's events, the first of which is
// known, in Unix microseconds.
func hourTimes(first time.Time, body []byte) ([]int64, error) {
	u := &hourUnpacker{unpacker{b: body}}
	return u.times(first)
}

func (u *hourUnpacker) times(first time.Time) ([]int64, error) {
	if version := u.byte(); version != packHourVersion {
		return nil, fmt.Errorf("%w, or of a newer program: version %d of an hour", errPacked, version)
	}
	n, unit := u.number(), u.byte()
	if u.bad || n == 0 || n > hourEvents || unit >= timeUnits {
		return nil, errHour("head")
	}
	times := make([]int64, n)
	times[0] = first.UnixMicro()
	// In Unix microseconds too.
	end := hourOf(first).Add(hourLength).UnixMicro()
	for i, gap := range u.column(int(n) - 1) {
		if gap == 0 || gap > uint64(hourLength.Microseconds()) {
			return nil, errHour("times")
		}
		times[i+1] = times[i] + int64(gap*timeUnit(unit))
		if times[i+1] >= end || times[i+1] <= times[i] {
			return nil, errHour("times")
		}
	}
	if u.bad {
		return nil, errHour("times")
	}
	return times, nil
}

// unpackHour reads a packed hour, the time of whose first event is known. Names
// are to be looked up from the refs.
func unpackHour(first time.Time, body []byte) ([]api.Event, []refs, error) {
	u := &hourUnpacker{unpacker{b: body}}
	times, err := u.times(first)
	if err != nil {
		return nil, nil, err
	}
	events, of := make([]api.Event, len(times)), make([]refs, len(times))
	flags, err := u.looked(len(times))
	if err != nil {
		return nil, nil, err
	}
	for i := range events {
		if flags[i] >= packEnd {
			return nil, nil, errHour("flags")
		}
		e := &events[i]
		e.Timestamp = time.UnixMicro(times[i]).UTC()
		setWords(e, flags[i])
	}
	u.counts(events)
	u.optionals(events, flags)
	if err := u.names(events, of, flags); err != nil {
		return nil, nil, err
	}
	if u.bad || len(u.b) > 0 {
		return nil, nil, errHour("end")
	}
	return events, of, nil
}

func (u *hourUnpacker) looked(n int) ([]uint64, error) {
	size := u.number()
	if size == 0 || size > uint64(n) {
		return nil, errHour("table")
	}
	table := u.column(int(size))
	list := u.column(n)
	for i, at := range list {
		if at >= size {
			return nil, errHour("table")
		}
		list[i] = table[at]
	}
	return list, nil
}

func (u *hourUnpacker) counts(events []api.Event) {
	for _, of := range [...]func(*api.Event) *int64{
		func(e *api.Event) *int64 { return &e.KeyCount }, func(e *api.Event) *int64 { return &e.MouseClicks },
		func(e *api.Event) *int64 { return &e.MouseDistancePx }, func(e *api.Event) *int64 { return &e.ScrollCount },
	} {
		for i, v := range u.column(len(events)) {
			*of(&events[i]) = int64(v)
		}
	}
}

func (u *hourUnpacker) optionals(events []api.Event, flags []uint64) {
	with := func(bits uint64) (places []int) {
		for i := range flags {
			if flags[i]&bits != 0 {
				places = append(places, i)
			}
		}
		return places
	}
	number := func(bits uint64, to func(*api.Event) **int64) {
		places := with(bits)
		for i, v := range u.column(len(places)) {
			n := int64(v)
			*to(&events[places[i]]) = &n
		}
	}
	float := func(bits uint64, scale float64, to func(*api.Event) **float64) {
		places := with(bits)
		list := u.floats(len(places), scale)
		for i := range list {
			*to(&events[places[i]]) = &list[i]
		}
	}
	minute := int64(minuteSec)
	for _, i := range with(packMinute) {
		events[i].IntervalSec = &minute
	}
	number(packInterval, func(e *api.Event) **int64 { return &e.IntervalSec })
	number(packSynthetic, func(e *api.Event) **int64 { return &e.SyntheticCount })
	float(packActive, secondsScale, func(e *api.Event) **float64 { return &e.ActiveSeconds })
	float(packCPU, percentScale, func(e *api.Event) **float64 { return &e.CPUPercent })
	float(packRAM, percentScale, func(e *api.Event) **float64 { return &e.RAMUsedPercent })
	float(packDisk, percentScale, func(e *api.Event) **float64 { return &e.DiskUsedPercent })
	float(packUser|packUserCPU, percentScale, func(e *api.Event) **float64 { return &e.UserCPUPercent })
	if places := with(packUser | packUserRAM); len(places) > 0 {
		unit := int64(u.number())
		for i, v := range u.column(len(places)) {
			n := int64(v) * unit
			events[places[i]].UserRAMBytes = &n
		}
	}
}

func (u *hourUnpacker) floats(n int, scale float64) []float64 {
	list := make([]float64, n)
	for i, v := range u.column(n) {
		if v > 0 {
			list[i] = float64(v-1) / scale
			continue
		}
		// Its bytes follow behind the column.
		list[i] = math.NaN()
	}
	for i := range list {
		if !math.IsNaN(list[i]) {
			continue
		}
		if len(u.b) < 8 {
			u.bad = true
			break
		}
		list[i] = math.Float64frombits(binary.LittleEndian.Uint64(u.b))
		u.b = u.b[8:]
	}
	return list
}

func (u *hourUnpacker) names(events []api.Event, of []refs, flags []uint64) error {
	size := u.number()
	// Each event refers to one pair more than its focus list has.
	if size > uint64(len(events))*(api.MaxFocus+1) {
		return errHour("names")
	}
	titles, apps := u.column(int(size)), u.column(int(size))
	var withFocus []int
	other := 0
	for i := range flags {
		if flags[i]&packFocus != 0 {
			withFocus = append(withFocus, i)
		}
		if flags[i]&packMainInFocus == 0 {
			other++
		}
	}
	lengths, total := u.column(len(withFocus)), 0
	for _, n := range lengths {
		if n > api.MaxFocus {
			return errHour("focus lists")
		}
		total += int(n)
	}
	places, alone := u.column(total), u.column(other)
	if slices.ContainsFunc(places, func(v uint64) bool { return v >= size }) || slices.ContainsFunc(alone, func(v uint64) bool { return v >= size }) {
		return errHour("names")
	}
	ref := func(at uint64) useRef { return useRef{app: apps[at], title: titles[at]} }
	seconds := u.floats(total, secondsScale)
	for k, i := range withFocus {
		n := int(lengths[k])
		events[i].Focus, of[i].focus = make([]api.Focus, n), make([]useRef, n)
		for j := range n {
			of[i].focus[j] = ref(places[j])
			events[i].Focus[j].Seconds = seconds[j]
		}
		places, seconds = places[n:], seconds[n:]
	}
	mains := u.column(len(events) - other)
	for i := range flags {
		switch {
		case flags[i]&packMainInFocus == 0:
			of[i].active, alone = ref(alone[0]), alone[1:]
		case mains[0] < uint64(len(of[i].focus)):
			of[i].active, mains = of[i].focus[mains[0]], mains[1:]
		default:
			return errHour("active windows")
		}
	}
	return nil
}
