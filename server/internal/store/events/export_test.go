package events

import "context"

// What tests of other rooms' use need to see.
const (
	PartsMax   = partsMax
	CopiedFrom = copiedFrom
)

// WriteBatches writes batches in one transaction.
func (w *Writer) WriteBatches(ctx context.Context, batches []Batch) ([]Written, error) {
	return w.writeBatches(ctx, batches)
}

// Answer is what one of several batches is answered.
type Answer struct {
	Written Written
	Err     error
}

// WriteGroup writes batches as a leader does, each of which gets an answer.
func (w *Writer) WriteGroup(ctx context.Context, batches []Batch) []Answer {
	members := make([]*waiter, len(batches))
	for i, b := range batches {
		members[i] = &waiter{batch: b, result: make(chan outcome, 1)}
	}
	w.group.writeAll(ctx, members)
	answers := make([]Answer, len(batches))
	for i, m := range members {
		out := <-m.result
		answers[i] = Answer{out.written, out.err}
	}
	return answers
}

// Forget forgets what is remembered of the database's rows.
func (w *Writer) Forget() { w.forget() }
