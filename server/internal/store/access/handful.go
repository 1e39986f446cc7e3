package access

import "context"

// Anonymous is from how many people on a sum shows nobody's data.
const Anonymous = 5

// Handful is the people whose data a sum is of, as long as they are few.
type Handful struct {
	n        int
	machines []int32
}

// Add adds one more person to the sum, with their machines.
func (h *Handful) Add(machines ...int32) {
	if h.n++; h.n < Anonymous {
		h.machines = append(h.machines, machines...)
	}
}

// See notes that the answer is about each of them, where they are few.
func (h *Handful) See(ctx context.Context) {
	if h.n < Anonymous {
		See(ctx, h.machines...)
	}
}
