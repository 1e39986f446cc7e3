package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
)

// A packed event is everything of it but its identity: flags, then what the
// flags announce, as unsigned varints. Absent fields cost nothing; applications
// and titles are numbers of the dictionaries. Values come back exactly.
const (
	packIdle = 1 << iota
	packConnectedKnown
	packConnected
	packKindLow
	packKindHigh
	packMinute // interval_sec is 60
	packSynthetic
	packActive
	packCPU
	packRAM
	packDisk
	packFocus
	packMainInFocus // active application and title are those of one focus entry
	packUser        // both of the next two, so that a usual event needs two bytes of flags
	packUserCPU
	packUserRAM
	packInterval
	packVirtual // the kind of session that the two bits above have no room for
	packDevice  // distance_unit is device; without it pixels, stated or not
	packRepeats
	packFocusActive // some entries of the focus list have active seconds
	packLockedKnown
	packLocked
	packCollected // collected_seconds is less than the interval; all of it is as not said
	packEnd
)

// optionalBits are the flags of the counters that an event may leave out.
func optionalBits() [api.OptionalCounters]uint64 { return [...]uint64{packSynthetic, packRepeats} }

// minuteSec is the interval that has a flag of its own: the contract's default.
const minuteSec = 60

// How exactly numbers with a fraction are kept in a short form: hundredths of a
// percent and milliseconds. What is finer is kept as it is, in 8 bytes more.
const (
	percentScale = 100
	secondsScale = 1000
)

// kib is the unit of memory: hosts report whole pages.
const kib = 1024

// ErrDamaged is returned for a packed event, or an hour of them, that cannot be
// read.
var ErrDamaged = errors.New("a packed event is damaged")

// Ref is one application and title by their numbers.
type Ref struct {
	App, Title uint64
}

// Refs are what a packed event refers to: its active pair, then its focus list.
type Refs struct {
	Active Ref
	Focus  []Ref
}

func kindBits(k api.SessionKind) uint64 {
	switch k {
	case api.SessionRDP:
		return packKindLow
	case api.SessionLocal:
		return packKindHigh
	case api.SessionTTY:
		return packKindLow | packKindHigh
	case api.SessionVirtual:
		return packVirtual
	}
	return 0
}

func kindOf(flags uint64) api.SessionKind {
	switch flags & (packKindLow | packKindHigh | packVirtual) {
	case packKindLow:
		return api.SessionRDP
	case packKindHigh:
		return api.SessionLocal
	case packKindLow | packKindHigh:
		return api.SessionTTY
	case packVirtual:
		return api.SessionVirtual
	}
	return ""
}

// setWords sets the fields that are whole in an event's flags.
func setWords(e *api.Event, flags uint64) {
	e.IsIdle, e.SessionKind = flags&packIdle != 0, kindOf(flags)
	if flags&packConnectedKnown != 0 {
		connected := flags&packConnected != 0
		e.Connected = &connected
	}
	if flags&packLockedKnown != 0 {
		locked := flags&packLocked != 0
		e.Locked = &locked
	}
	if flags&packDevice != 0 {
		e.DistanceUnit = api.UnitDevice
	}
}

// flagsOf returns which fields an event has.
func flagsOf(e *api.Event, main int) uint64 {
	flags := kindBits(e.SessionKind)
	set := func(cond bool, bit uint64) {
		if cond {
			flags |= bit
		}
	}
	set(e.IsIdle, packIdle)
	set(e.DistanceUnit == api.UnitDevice, packDevice)
	set(e.Connected != nil, packConnectedKnown)
	set(e.Connected != nil && *e.Connected, packConnected)
	set(e.Locked != nil, packLockedKnown)
	set(e.Locked != nil && *e.Locked, packLocked)
	set(slices.ContainsFunc(e.Focus, hasActive), packFocusActive)
	set(e.IntervalSec != nil && *e.IntervalSec == minuteSec, packMinute)
	set(e.IntervalSec != nil && *e.IntervalSec != minuteSec, packInterval)
	set(e.Collected() != e.Interval(), packCollected)
	for i, count := range e.Optional() {
		set(*count != nil, optionalBits()[i])
	}
	set(e.ActiveSeconds != nil, packActive)
	set(e.CPUPercent != nil, packCPU)
	set(e.RAMUsedPercent != nil, packRAM)
	set(e.DiskUsedPercent != nil, packDisk)
	set(len(e.Focus) > 0, packFocus)
	set(main >= 0, packMainInFocus)
	if e.UserCPUPercent != nil && e.UserRAMBytes != nil {
		return flags | packUser
	}
	set(e.UserCPUPercent != nil, packUserCPU)
	set(e.UserRAMBytes != nil, packUserRAM)
	return flags
}

// AppendEvent appends an event's packed form.
func AppendEvent(b []byte, e *api.Event, r *Refs) []byte {
	main := -1
	for i := range r.Focus {
		if r.Focus[i] == r.Active {
			main = i
			break
		}
	}
	flags := flagsOf(e, main)
	b = binary.AppendUvarint(b, flags)
	for _, count := range e.Required() {
		b = binary.AppendUvarint(b, uint64(*count))
	}
	if flags&packInterval != 0 {
		b = binary.AppendUvarint(b, uint64(*e.IntervalSec))
	}
	if flags&packCollected != 0 {
		b = binary.AppendUvarint(b, uint64(*e.CollectedSeconds))
	}
	for _, count := range e.Optional() {
		if *count != nil {
			b = binary.AppendUvarint(b, uint64(**count))
		}
	}
	b = appendFloat(b, e.ActiveSeconds, secondsScale)
	b = appendFloat(b, e.CPUPercent, percentScale)
	b = appendFloat(b, e.RAMUsedPercent, percentScale)
	b = appendFloat(b, e.DiskUsedPercent, percentScale)
	b = appendFloat(b, e.UserCPUPercent, percentScale)
	if e.UserRAMBytes != nil {
		b = appendMemory(b, uint64(*e.UserRAMBytes))
	}
	if len(e.Focus) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Focus)))
		for i := range e.Focus {
			b = appendRef(b, r.Focus[i])
			b = appendFloat(b, &e.Focus[i].Seconds, secondsScale)
			if flags&packFocusActive != 0 {
				b = appendActive(b, &e.Focus[i])
			}
		}
	}
	if main >= 0 {
		return binary.AppendUvarint(b, uint64(main))
	}
	return appendRef(b, r.Active)
}

func appendRef(b []byte, r Ref) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, r.App), r.Title)
}

// appendFloat appends a number: twice its whole parts of scale where that is
// exact, else 1 and its 8 bytes.
func appendFloat(b []byte, v *float64, scale float64) []byte {
	if v == nil {
		return b
	}
	if n := math.Round(*v * scale); n/scale == *v {
		return binary.AppendUvarint(b, uint64(n)<<1)
	}
	return binary.LittleEndian.AppendUint64(append(b, 1), math.Float64bits(*v))
}

func hasActive(f api.Focus) bool { return f.ActiveSeconds != nil }

// Codes of an entry's active seconds: there are none, they follow in 8 bytes, or, less
// activeRest, by how many milliseconds they are fewer than its seconds: usually 0.
const (
	activeAbsent = iota
	activeExact
	activeRest
)

// activeCode returns the code of an entry's active seconds.
func activeCode(f *api.Focus) uint64 {
	if f.ActiveSeconds == nil {
		return activeAbsent
	}
	all, active := ToMillis(f.Seconds), ToMillis(*f.ActiveSeconds)
	if active < 0 || active > all || Seconds(all) != f.Seconds || Seconds(active) != *f.ActiveSeconds {
		return activeExact
	}
	return activeRest + uint64(all-active)
}

func appendActive(b []byte, f *api.Focus) []byte {
	code := activeCode(f)
	b = binary.AppendUvarint(b, code)
	if code == activeExact {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*f.ActiveSeconds))
	}
	return b
}

// appendMemory appends an amount of memory: twice its KiB, or twice its bytes and 1.
func appendMemory(b []byte, n uint64) []byte {
	if n%kib == 0 {
		return binary.AppendUvarint(b, n/kib<<1)
	}
	return binary.AppendUvarint(b, n<<1|1)
}

// Packed is an event, or an hour of them, as it is stored; TS is the first one's.
type Packed struct {
	TS   time.Time
	Body []byte
}
