package access

import (
	"context"
	"maps"
	"math/bits"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

const (
	// partBits is how many machines stand in one row of access_set, partShift their
	// logarithm.
	partShift = 10
	partBits  = 1 << partShift
)

// part is a run of machines, a bit each, the first bit first as PostgreSQL has them.
type part [partBits / 8]byte

// Set is a set of machines by their rows. The zero value is empty.
type Set map[int32]part

// SetOf returns a set of machines.
func SetOf(machines ...int32) Set {
	s := Set{}
	s.add(machines)
	return s
}

func (s Set) add(machines []int32) {
	for _, m := range machines {
		p := s[m>>partShift]
		p[m%partBits/8] |= 0x80 >> (m % 8)
		s[m>>partShift] = p
	}
}

// Len returns how many machines it has.
func (s Set) Len() int {
	n := 0
	for _, p := range s {
		for _, b := range p {
			n += bits.OnesCount8(b)
		}
	}
	return n
}

// only returns the one machine that it has; 0 where it has several.
func (s Set) only() int32 {
	if s.Len() != 1 {
		return 0
	}
	for at, p := range s {
		i := slices.IndexFunc(p[:], func(b byte) bool { return b != 0 })
		return at<<partShift | int32(i*8+bits.LeadingZeros8(p[i]))
	}
	return 0
}

// has reports whether all machines of o are in it.
func (s Set) has(o Set) bool {
	for at, p := range o {
		mine := s[at]
		for i, b := range p {
			if b&^mine[i] != 0 {
				return false
			}
		}
	}
	return true
}

// With returns the machines of both.
func (s Set) With(o Set) Set {
	both := maps.Clone(s)
	if both == nil {
		both = Set{}
	}
	for at, p := range o {
		mine := both[at]
		for i, b := range p {
			mine[i] |= b
		}
		both[at] = mine
	}
	return both
}

// columns returns it as access_set has it.
func (s Set) columns() (parts []int32, machines []pgtype.Bits) {
	parts, machines = []int32{}, []pgtype.Bits{}
	for _, at := range slices.Sorted(maps.Keys(s)) {
		p := s[at]
		parts = append(parts, at)
		machines = append(machines, pgtype.Bits{Bytes: p[:], Len: partBits, Valid: true})
	}
	return parts, machines
}

// Seen is whose data an answer that is being made is about.
type Seen struct {
	mu  sync.Mutex
	set Set
}

// seenKey is where a context keeps it.
type seenKey struct{}

// Collect returns a context in which See adds to what it returns.
func Collect(ctx context.Context) (context.Context, *Seen) {
	s := &Seen{set: Set{}}
	return context.WithValue(ctx, seenKey{}, s), s
}

// See notes that the answer shows data of these machines. Where nobody collects, it
// does nothing.
func See(ctx context.Context, machines ...int32) {
	if s, ok := ctx.Value(seenKey{}).(*Seen); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.set.add(machines)
	}
}

// Take returns the machines seen since it was last called.
func (s *Seen) Take() Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set
	s.set = Set{}
	return set
}
