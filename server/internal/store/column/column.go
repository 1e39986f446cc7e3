// Package column packs numbers that are alike into the shortest of a few forms, and reads
// them back: a column of one field over many records.
package column

import (
	"encoding/binary"
	"math/bits"
)

// How a column of numbers is written: in the shortest form, after a byte that
// names it. Its length is known from elsewhere; an empty one takes nothing.
const (
	// same is one number for all.
	same = iota
	// varints are the numbers as varints.
	varints
	// runs are pairs of a count and a number.
	runs
	// fixed are the least number, a width, and what each is above the
	// least in that many bits.
	fixed
	// deltas are the first number and a column of the differences.
	deltas
	// sparse is a bit for each number that is not zero, and a column of
	// those.
	sparse
)

// nesting is how deep columns lie in columns: differences of those that are
// not zero.
const nesting = 2

// Append appends the shortest form of a column.
func Append(b []byte, list []uint64) []byte { return appendNested(b, list, nesting) }

func appendNested(b []byte, list []uint64, depth int) []byte {
	if len(list) == 0 {
		return b
	}
	least, most, zeros := list[0], list[0], 0
	for _, v := range list {
		least, most = min(least, v), max(most, v)
		if v == 0 {
			zeros++
		}
	}
	if least == most {
		return binary.AppendUvarint(append(b, same), least)
	}
	start := len(b)
	best := appendBits(b, list, least, most)
	try := func(form func(b []byte) []byte) {
		if other := form(nil); len(other) < len(best)-start {
			best = append(best[:start], other...)
		}
	}
	try(func(b []byte) []byte { return appendVarints(b, list) })
	try(func(b []byte) []byte { return appendRuns(b, list) })
	if depth > 0 {
		try(func(b []byte) []byte { return appendDeltas(b, list, depth) })
		if zeros > 0 {
			try(func(b []byte) []byte { return appendSparse(b, list, depth) })
		}
	}
	return best
}

func appendVarints(b []byte, list []uint64) []byte {
	b = append(b, varints)
	for _, v := range list {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func appendRuns(b []byte, list []uint64) []byte {
	b = append(b, runs)
	for i := 0; i < len(list); {
		n := i + 1
		for n < len(list) && list[n] == list[i] {
			n++
		}
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(n-i)), list[i])
		i = n
	}
	return b
}

func appendBits(b []byte, list []uint64, least, most uint64) []byte {
	width := bits.Len64(most - least)
	b = append(binary.AppendUvarint(append(b, fixed), least), byte(width))
	return appendBitsOf(b, list, least, width)
}

// appendBitsOf appends the lowest width bits of each number less least, the first in
// the lowest bits.
func appendBitsOf(b []byte, list []uint64, least uint64, width int) []byte {
	var word uint64
	held := 0
	for _, v := range list {
		v -= least
		word |= v << held
		if held += width; held >= 64 {
			b = binary.LittleEndian.AppendUint64(b, word)
			held -= 64
			word = v >> (width - held)
		}
	}
	for ; held > 0; held -= 8 {
		b = append(b, byte(word))
		word >>= 8
	}
	return b
}

func appendDeltas(b []byte, list []uint64, depth int) []byte {
	b = binary.AppendUvarint(append(b, deltas), list[0])
	deltas := make([]uint64, len(list)-1)
	for i := range deltas {
		d := int64(list[i+1] - list[i])
		deltas[i] = uint64(d)<<1 ^ uint64(d>>63)
	}
	return appendNested(b, deltas, depth-1)
}

func appendSparse(b []byte, list []uint64, depth int) []byte {
	b = append(b, sparse)
	set, rest := make([]uint64, len(list)), make([]uint64, 0, len(list))
	for i, v := range list {
		if v != 0 {
			set[i] = 1
			rest = append(rest, v)
		}
	}
	return appendNested(appendBitsOf(b, set, 0, 1), rest, depth-1)
}
