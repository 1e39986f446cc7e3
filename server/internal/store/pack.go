package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	packDevice  // distance_unit is device; without it pixels, said or not
	packEnd
)

// minuteSec is the interval that has a flag of its own: the contract's default.
const minuteSec = 60

// How exactly numbers with a fraction are kept in a short form: hundredths of a
// percent and milliseconds. What is finer is kept as it is, in 8 bytes more.
const (
	percentScale = 100
	secondsScale = 1000
)

// kib is the unit of memory: hosts tell whole pages.
const kib = 1024

var errPacked = errors.New("a packed event is damaged")

// useRef is one application and title by their numbers.
type useRef struct {
	app, title uint64
}

// refs are what a packed event refers to: its active pair, then its focus list.
type refs struct {
	active useRef
	focus  []useRef
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
	if flags&packDevice != 0 {
		e.DistanceUnit = api.UnitDevice
	}
}

// flagsOf tells which fields an event has.
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
	set(e.IntervalSec != nil && *e.IntervalSec == minuteSec, packMinute)
	set(e.IntervalSec != nil && *e.IntervalSec != minuteSec, packInterval)
	set(e.SyntheticCount != nil, packSynthetic)
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

// packEvent appends an event's packed form.
func packEvent(b []byte, e *api.Event, r *refs) []byte {
	main := -1
	for i := range r.focus {
		if r.focus[i] == r.active {
			main = i
			break
		}
	}
	flags := flagsOf(e, main)
	b = binary.AppendUvarint(b, flags)
	for _, n := range [...]int64{e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if flags&packInterval != 0 {
		b = binary.AppendUvarint(b, uint64(*e.IntervalSec))
	}
	if e.SyntheticCount != nil {
		b = binary.AppendUvarint(b, uint64(*e.SyntheticCount))
	}
	b = packFloat(b, e.ActiveSeconds, secondsScale)
	b = packFloat(b, e.CPUPercent, percentScale)
	b = packFloat(b, e.RAMUsedPercent, percentScale)
	b = packFloat(b, e.DiskUsedPercent, percentScale)
	b = packFloat(b, e.UserCPUPercent, percentScale)
	if e.UserRAMBytes != nil {
		b = packBytes(b, uint64(*e.UserRAMBytes))
	}
	if len(e.Focus) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Focus)))
		for i := range e.Focus {
			b = packRef(b, r.focus[i])
			b = packFloat(b, &e.Focus[i].Seconds, secondsScale)
		}
	}
	if main >= 0 {
		return binary.AppendUvarint(b, uint64(main))
	}
	return packRef(b, r.active)
}

func packRef(b []byte, r useRef) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, r.app), r.title)
}

// packFloat appends a number: twice its whole parts of scale where that is
// exact, else 1 and its 8 bytes.
func packFloat(b []byte, v *float64, scale float64) []byte {
	if v == nil {
		return b
	}
	if n := math.Round(*v * scale); n/scale == *v {
		return binary.AppendUvarint(b, uint64(n)<<1)
	}
	return binary.LittleEndian.AppendUint64(append(b, 1), math.Float64bits(*v))
}

// packBytes appends an amount of memory: twice its KiB, or twice its bytes and 1.
func packBytes(b []byte, n uint64) []byte {
	if n%kib == 0 {
		return binary.AppendUvarint(b, n/kib<<1)
	}
	return binary.AppendUvarint(b, n<<1|1)
}

// unpacker reads a packed event; the first error stays.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) number() uint64 {
	n, size := binary.Uvarint(u.b)
	if size <= 0 {
		u.bad = true
		u.b = nil
		return 0
	}
	u.b = u.b[size:]
	return n
}

func (u *unpacker) float(scale float64) float64 {
	n := u.number()
	if n&1 == 0 {
		return float64(n>>1) / scale
	}
	if len(u.b) < 8 {
		u.bad = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(u.b))
	u.b = u.b[8:]
	return v
}

func (u *unpacker) bytes() int64 {
	n := u.number()
	if n&1 == 0 {
		return int64(n >> 1 * kib)
	}
	return int64(n >> 1)
}

func (u *unpacker) ref() useRef { return useRef{app: u.number(), title: u.number()} }

// unpackEvent reads a packed event. Its names are to be looked up from the refs.
func unpackEvent(ts time.Time, body []byte) (api.Event, refs, error) {
	u := &unpacker{b: body}
	e := api.Event{Timestamp: ts.UTC()}
	var r refs
	flags := u.number()
	if flags >= packEnd {
		return e, r, fmt.Errorf("%w, or of a newer program: flags %x", errPacked, flags)
	}
	setWords(&e, flags)
	for _, n := range [...]*int64{&e.KeyCount, &e.MouseClicks, &e.MouseDistancePx, &e.ScrollCount} {
		*n = int64(u.number())
	}
	u.optional(flags, &e)
	if flags&packFocus != 0 {
		n := u.number()
		if n > api.MaxFocus {
			return e, r, fmt.Errorf("%w: %d focus entries", errPacked, n)
		}
		e.Focus, r.focus = make([]api.Focus, n), make([]useRef, n)
		for i := range e.Focus {
			r.focus[i] = u.ref()
			e.Focus[i].Seconds = u.float(secondsScale)
		}
	}
	if flags&packMainInFocus == 0 {
		r.active = u.ref()
	} else if i := u.number(); i < uint64(len(r.focus)) {
		r.active = r.focus[i]
	} else {
		u.bad = true
	}
	if u.bad || len(u.b) > 0 {
		return e, r, errPacked
	}
	return e, r, nil
}

func (u *unpacker) optional(flags uint64, e *api.Event) {
	number := func(bit uint64, to **int64) {
		if flags&bit != 0 {
			n := int64(u.number())
			*to = &n
		}
	}
	float := func(bits uint64, to **float64, scale float64) {
		if flags&bits != 0 {
			v := u.float(scale)
			*to = &v
		}
	}
	if flags&packMinute != 0 {
		n := int64(minuteSec)
		e.IntervalSec = &n
	}
	number(packInterval, &e.IntervalSec)
	number(packSynthetic, &e.SyntheticCount)
	float(packActive, &e.ActiveSeconds, secondsScale)
	float(packCPU, &e.CPUPercent, percentScale)
	float(packRAM, &e.RAMUsedPercent, percentScale)
	float(packDisk, &e.DiskUsedPercent, percentScale)
	float(packUser|packUserCPU, &e.UserCPUPercent, percentScale)
	if flags&(packUser|packUserRAM) != 0 {
		n := u.bytes()
		e.UserRAMBytes = &n
	}
}
