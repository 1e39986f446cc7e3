package access

import "context"

// anonymous is from how many people or machines on a sum shows nobody's data.
const anonymous = 5

// Handful is whose data a sum is of, as long as they are few.
type Handful struct {
	n        int
	machines []int32
}

// Add adds one more to the sum: a machine, or a person with theirs.
func (h *Handful) Add(machines ...int32) {
	if h.n++; h.n < anonymous {
		h.machines = append(h.machines, machines...)
	}
}

// See notes that the answer is about each of them, where they are few.
func (h *Handful) See(ctx context.Context) {
	if h.n < anonymous {
		See(ctx, h.machines...)
	}
}
