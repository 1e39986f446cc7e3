package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/column"
)

// decoder reads a packed event; the first error stays.
type decoder struct{ column.Reader }

func (u *decoder) float(scale float64) float64 {
	n := u.Number()
	if n&1 == 0 {
		return float64(n>>1) / scale
	}
	return u.exact()
}

// active sets an entry's active seconds by their code; its seconds are known.
func (u *decoder) active(f *api.Focus, code uint64) {
	var v float64
	switch code {
	case activeAbsent:
		return
	case activeExact:
		v = u.exact()
	default:
		rest := code - activeRest
		if rest > uint64(ToMillis(f.Seconds)) {
			u.Bad = true
			return
		}
		v = Seconds(ToMillis(f.Seconds) - int64(rest))
	}
	f.ActiveSeconds = &v
}

// exact reads a number of 8 bytes.
func (u *decoder) exact() float64 {
	if len(u.B) < 8 {
		u.Bad = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(u.B))
	u.B = u.B[8:]
	return v
}

func (u *decoder) bytes() int64 {
	n := u.Number()
	if n&1 == 0 {
		return int64(n >> 1 * kib)
	}
	return int64(n >> 1)
}

func (u *decoder) ref() Ref { return Ref{App: u.Number(), Title: u.Number()} }

// DecodeEvent reads a packed event. Its names are to be looked up from the refs.
func DecodeEvent(ts time.Time, body []byte) (api.Event, Refs, error) {
	u := &decoder{column.Reader{B: body}}
	e := api.Event{Timestamp: ts.UTC()}
	var r Refs
	flags := u.Number()
	if flags >= packEnd {
		return e, r, fmt.Errorf("%w, or of a newer program: flags %x", ErrDamaged, flags)
	}
	setWords(&e, flags)
	for _, count := range e.Required() {
		*count = int64(u.Number())
	}
	u.optional(flags, &e)
	if flags&packFocus != 0 {
		n := u.Number()
		if n > api.MaxFocus {
			return e, r, fmt.Errorf("%w: %d focus entries", ErrDamaged, n)
		}
		e.Focus, r.Focus = make([]api.Focus, n), make([]Ref, n)
		for i := range e.Focus {
			r.Focus[i] = u.ref()
			e.Focus[i].Seconds = u.float(secondsScale)
			if flags&packFocusActive != 0 {
				u.active(&e.Focus[i], u.Number())
			}
		}
	}
	if flags&packMainInFocus == 0 {
		r.Active = u.ref()
	} else if i := u.Number(); i < uint64(len(r.Focus)) {
		r.Active = r.Focus[i]
	} else {
		u.Bad = true
	}
	if u.Bad || len(u.B) > 0 {
		return e, r, ErrDamaged
	}
	return e, r, nil
}

func (u *decoder) optional(flags uint64, e *api.Event) {
	number := func(bit uint64, to **int64) {
		if flags&bit != 0 {
			n := int64(u.Number())
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
	number(packCollected, &e.CollectedSeconds)
	for i, count := range e.Optional() {
		number(optionalBits()[i], count)
	}
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
