package column

import (
	"encoding/binary"
	"math"
)

// varintMore is set in each byte of a varint but the last.
const varintMore = 0x80

// Reader reads what Append and encoding/binary wrote. The first error stays.
type Reader struct {
	// B is what has not been read yet.
	B []byte
	// Bad is set once something could not be read.
	Bad bool
}

// Number reads an unsigned varint. Most take one byte, which needs no call.
func (r *Reader) Number() uint64 {
	if len(r.B) > 0 && r.B[0] < varintMore {
		n := r.B[0]
		r.B = r.B[1:]
		return uint64(n)
	}
	return r.longNumber()
}

func (r *Reader) longNumber() uint64 {
	n, size := binary.Uvarint(r.B)
	if size <= 0 {
		r.Bad = true
		r.B = nil
		return 0
	}
	r.B = r.B[size:]
	return n
}

// Column reads a column of n numbers; n must be bounded by the caller.
func (r *Reader) Column(n int) []uint64 {
	list := make([]uint64, n)
	r.Read(list)
	return list
}

// Read reads a column of as many numbers as there are places in list.
func (r *Reader) Read(list []uint64) { r.nested(list, nesting) }

func (r *Reader) nested(list []uint64, depth int) {
	if len(list) == 0 {
		return
	}
	switch form := r.Byte(); form {
	case same:
		v := r.Number()
		for i := range list {
			list[i] = v
		}
	case varints:
		for i := range list {
			list[i] = r.Number()
		}
	case runs:
		r.runs(list)
	case fixed:
		least, width := r.Number(), int(r.Byte())
		r.bits(list, least, width)
	case deltas, sparse:
		if depth == 0 {
			r.Bad = true
			break
		}
		if form == deltas {
			r.deltas(list, depth)
		} else {
			r.sparse(list, depth)
		}
	default:
		r.Bad = true
	}
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.B) == 0 {
		r.Bad = true
		return 0
	}
	c := r.B[0]
	r.B = r.B[1:]
	return c
}

func (r *Reader) runs(list []uint64) {
	for i := 0; i < len(list); {
		count, v := r.Number(), r.Number()
		if count == 0 || count > uint64(len(list)-i) {
			r.Bad = true
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

func (r *Reader) bits(list []uint64, least uint64, width int) {
	size := (len(list)*width + 7) / 8
	if width > 64 || len(r.B) < size {
		r.Bad = true
		return
	}
	mask := uint64(math.MaxUint64) >> (64 - width)
	for i := range list {
		at, low := i*width/8, i*width%8
		if width <= shortBits && at+8 <= len(r.B) {
			list[i] = least + binary.LittleEndian.Uint64(r.B[at:])>>low&mask
			continue
		}
		var v uint64
		// An unaligned number of 64 bits lies in 9 bytes.
		for j := 0; j < width+low; j += 8 {
			if c := uint64(r.B[at+j/8]); j >= low {
				v |= c << (j - low)
			} else {
				v |= c >> low
			}
		}
		list[i] = least + v&mask
	}
	r.B = r.B[size:]
}

func (r *Reader) deltas(list []uint64, depth int) {
	list[0] = r.Number()
	r.nested(list[1:], depth-1)
	for i := 1; i < len(list); i++ {
		d := list[i]
		list[i] = list[i-1] + (d>>1 ^ -(d & 1))
	}
}

func (r *Reader) sparse(list []uint64, depth int) {
	set := r.B
	r.bits(list, 0, 1)
	if r.Bad {
		return
	}
	n := 0
	for _, v := range list {
		n += int(v)
	}
	// Those that are not zero, then each from the end on to its place.
	r.nested(list[:n], depth-1)
	for i := len(list) - 1; i >= 0; i-- {
		if set[i/8]>>(i%8)&1 == 0 {
			list[i] = 0
			continue
		}
		n--
		list[i] = list[n]
	}
}
