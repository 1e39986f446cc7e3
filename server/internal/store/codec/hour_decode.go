package codec

import (
	"fmt"
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/column"
)

// errHour returns an error about a part of a packed hour.
func errHour(what string) error { return fmt.Errorf("%w: an hour's %s", ErrDamaged, what) }

// hourDecoder reads a packed hour; the first error stays.
type hourDecoder struct{ decoder }

// HourTimes reads the times of a packed hour's events, the first of which is
// known, in Unix microseconds.
func HourTimes(first time.Time, body []byte) ([]int64, error) {
	u := &hourDecoder{decoder{column.Reader{B: body}}}
	return u.times(first)
}

func (u *hourDecoder) times(first time.Time) ([]int64, error) {
	if version := u.Byte(); version != hourVersion {
		return nil, fmt.Errorf("%w, or of a newer program: version %d of an hour", ErrDamaged, version)
	}
	n, unit := u.Number(), u.Byte()
	if u.Bad || n == 0 || n > HourEvents || unit >= timeUnits {
		return nil, errHour("head")
	}
	times := make([]int64, n)
	times[0] = first.UnixMicro()
	// In Unix microseconds too.
	end := HourOf(first).Add(HourLength).UnixMicro()
	for i, gap := range u.Column(int(n) - 1) {
		if gap == 0 || gap > uint64(HourLength.Microseconds()) {
			return nil, errHour("times")
		}
		times[i+1] = times[i] + int64(gap*timeUnit(unit))
		if times[i+1] >= end || times[i+1] <= times[i] {
			return nil, errHour("times")
		}
	}
	if u.Bad {
		return nil, errHour("times")
	}
	return times, nil
}

// DecodeHour reads a packed hour, the time of whose first event is known. Names
// are to be looked up from the refs.
func DecodeHour(first time.Time, body []byte) ([]api.Event, []Refs, error) {
	u := &hourDecoder{decoder{column.Reader{B: body}}}
	times, err := u.times(first)
	if err != nil {
		return nil, nil, err
	}
	events, of := make([]api.Event, len(times)), make([]Refs, len(times))
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
	u.actives(events, flags)
	if u.Bad || len(u.B) > 0 {
		return nil, nil, errHour("end")
	}
	return events, of, nil
}

func (u *hourDecoder) looked(n int) ([]uint64, error) {
	size := u.Number()
	if size == 0 || size > uint64(n) {
		return nil, errHour("table")
	}
	table := u.Column(int(size))
	list := u.Column(n)
	for i, at := range list {
		if at >= size {
			return nil, errHour("table")
		}
		list[i] = table[at]
	}
	return list, nil
}

func (u *hourDecoder) counts(events []api.Event) {
	for c := range (&api.Event{}).Required() {
		for i, v := range u.Column(len(events)) {
			*events[i].Required()[c] = int64(v)
		}
	}
}

func (u *hourDecoder) optionals(events []api.Event, flags []uint64) {
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
		for i, v := range u.Column(len(places)) {
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
	number(packCollected, func(e *api.Event) **int64 { return &e.CollectedSeconds })
	for c, bit := range optionalBits() {
		number(bit, func(e *api.Event) **int64 { return e.Optional()[c] })
	}
	float(packActive, secondsScale, func(e *api.Event) **float64 { return &e.ActiveSeconds })
	float(packCPU, percentScale, func(e *api.Event) **float64 { return &e.CPUPercent })
	float(packRAM, percentScale, func(e *api.Event) **float64 { return &e.RAMUsedPercent })
	float(packDisk, percentScale, func(e *api.Event) **float64 { return &e.DiskUsedPercent })
	float(packUser|packUserCPU, percentScale, func(e *api.Event) **float64 { return &e.UserCPUPercent })
	if places := with(packUser | packUserRAM); len(places) > 0 {
		unit := int64(u.Number())
		for i, v := range u.Column(len(places)) {
			n := int64(v) * unit
			events[places[i]].UserRAMBytes = &n
		}
	}
}

func (u *hourDecoder) floats(n int, scale float64) []float64 {
	list := make([]float64, n)
	for i, v := range u.Column(n) {
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
		list[i] = u.exact()
	}
	return list
}

func (u *hourDecoder) names(events []api.Event, of []Refs, flags []uint64) error {
	size := u.Number()
	// Each event refers to one pair more than its focus list has.
	if size > uint64(len(events))*(api.MaxFocus+1) {
		return errHour("names")
	}
	titles, apps := u.Column(int(size)), u.Column(int(size))
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
	lengths, total := u.Column(len(withFocus)), 0
	for _, n := range lengths {
		if n > api.MaxFocus {
			return errHour("focus lists")
		}
		total += int(n)
	}
	places, alone := u.Column(total), u.Column(other)
	if slices.ContainsFunc(places, func(v uint64) bool { return v >= size }) || slices.ContainsFunc(alone, func(v uint64) bool { return v >= size }) {
		return errHour("names")
	}
	ref := func(at uint64) Ref { return Ref{App: apps[at], Title: titles[at]} }
	seconds := u.floats(total, secondsScale)
	for k, i := range withFocus {
		n := int(lengths[k])
		events[i].Focus, of[i].Focus = make([]api.Focus, n), make([]Ref, n)
		for j := range n {
			of[i].Focus[j] = ref(places[j])
			events[i].Focus[j].Seconds = seconds[j]
		}
		places, seconds = places[n:], seconds[n:]
	}
	mains := u.Column(len(events) - other)
	for i := range flags {
		switch {
		case flags[i]&packMainInFocus == 0:
			of[i].Active, alone = ref(alone[0]), alone[1:]
		case mains[0] < uint64(len(of[i].Focus)):
			of[i].Active, mains = of[i].Focus[mains[0]], mains[1:]
		default:
			return errHour("active windows")
		}
	}
	return nil
}

// actives reads the active seconds of entries of focus lists.
func (u *hourDecoder) actives(events []api.Event, flags []uint64) {
	n := 0
	for i := range flags {
		if flags[i]&packFocusActive != 0 {
			n += len(events[i].Focus)
		}
	}
	codes := u.Column(n)
	for i := range flags {
		if flags[i]&packFocusActive == 0 {
			continue
		}
		for j := range events[i].Focus {
			u.active(&events[i].Focus[j], codes[0])
			codes = codes[1:]
		}
	}
}
