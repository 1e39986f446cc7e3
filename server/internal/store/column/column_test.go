package column

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestColumnComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		list := make([]uint64, 1+r.IntN(200))
		width := r.IntN(65)
		sparse, step := r.IntN(3) == 0, r.IntN(3) == 0
		for i := range list {
			switch v := r.Uint64() >> (64 - width); {
			case sparse && r.IntN(3) > 0:
			case step && i > 0:
				list[i] = list[i-1] + v%3
			default:
				list[i] = v
			}
		}
		u := &Reader{B: Append(nil, list)}
		if got := u.Column(len(list)); !slices.Equal(got, list) || u.Bad || len(u.B) > 0 {
			t.Fatalf("%v became %v, %d bytes left, bad %v", list, got, len(u.B), u.Bad)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Append(nil, []uint64{1, 2, 3}), 3)
	f.Add(Append(nil, []uint64{0, 0, 9, 0, 1 << 60}), 5)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		r := &Reader{B: body}
		list := r.Column(n & 1023)
		if r.Bad {
			return
		}
		again := &Reader{B: Append(nil, list)}
		if got := again.Column(len(list)); !slices.Equal(got, list) {
			t.Fatalf("%v became %v", list, got)
		}
	})
}
