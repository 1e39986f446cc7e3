package codec

import (
	"encoding/binary"
	"math"
)

// column reads a column of n numbers; n must be bounded by the caller.
func (u *decoder) column(n int) []uint64 {
	list := make([]uint64, n)
	u.read(list)
	return list
}

// read reads a column of as many numbers as there are places in list.
func (u *decoder) read(list []uint64) { u.nested(list, columnNesting) }

func (u *decoder) nested(list []uint64, depth int) {
	if len(list) == 0 {
		return
	}
	switch form := u.byte(); form {
	case columnSame:
		v := u.number()
		for i := range list {
			list[i] = v
		}
	case columnVarints:
		for i := range list {
			list[i] = u.number()
		}
	case columnRuns:
		u.runs(list)
	case columnBits:
		least, width := u.number(), int(u.byte())
		u.bits(list, least, width)
	case columnDeltas, columnSparse:
		if depth == 0 {
			u.bad = true
			break
		}
		if form == columnDeltas {
			u.deltas(list, depth)
		} else {
			u.sparse(list, depth)
		}
	default:
		u.bad = true
	}
}

func (u *decoder) byte() byte {
	if len(u.b) == 0 {
		u.bad = true
		return 0
	}
	c := u.b[0]
	u.b = u.b[1:]
	return c
}

func (u *decoder) runs(list []uint64) {
	for i := 0; i < len(list); {
		count, v := u.number(), u.number()
		if count == 0 || count > uint64(len(list)-i) {
			u.bad = true
			return
		}
		for range count {
			list[i] = v
			i++
		}
	}
}

// shortBits is the width up to which a number lies within 8 bytes wherever it begins.
const shortBits = 64 - 7

func (u *decoder) bits(list []uint64, least uint64, width int) {
	size := (len(list)*width + 7) / 8
	if width > 64 || len(u.b) < size {
		u.bad = true
		return
	}
	mask := uint64(math.MaxUint64) >> (64 - width)
	for i := range list {
		at, low := i*width/8, i*width%8
		if width <= shortBits && at+8 <= len(u.b) {
			list[i] = least + binary.LittleEndian.Uint64(u.b[at:])>>low&mask
			continue
		}
		var v uint64
		// An unaligned number of 64 bits lies in 9 bytes.
		for j := 0; j < width+low; j += 8 {
			if c := uint64(u.b[at+j/8]); j >= low {
				v |= c << (j - low)
			} else {
				v |= c >> low
			}
		}
		list[i] = least + v&mask
	}
	u.b = u.b[size:]
}

func (u *decoder) deltas(list []uint64, depth int) {
	list[0] = u.number()
	u.nested(list[1:], depth-1)
	for i := 1; i < len(list); i++ {
		d := list[i]
		list[i] = list[i-1] + (d>>1 ^ -(d & 1))
	}
}

func (u *decoder) sparse(list []uint64, depth int) {
	set := u.b
	u.bits(list, 0, 1)
	if u.bad {
		return
	}
	n := 0
	for _, v := range list {
		n += int(v)
	}
	// Those that are not zero, then each from the end on to its place.
	u.nested(list[:n], depth-1)
	for i := len(list) - 1; i >= 0; i-- {
		if set[i/8]>>(i%8)&1 == 0 {
			list[i] = 0
			continue
		}
		n--
		list[i] = list[n]
	}
}
