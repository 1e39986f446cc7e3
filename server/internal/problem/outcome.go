package problem

import (
	"context"

	"activity-tracker.example/server/api"
)

// Outcome is what became of a request, for its line in the log and for counting.
type Outcome struct {
	// Code is the kind of a refusal; empty where there was none.
	Code api.Code
	// Cause is what is not sent to the caller.
	Cause error
	// BrokenOff is set where a reply that has begun must not look whole.
	BrokenOff bool
}

type outcomeKey struct{}

// WithOutcome returns a context whose request keeps its outcome.
func WithOutcome(ctx context.Context) (context.Context, *Outcome) {
	o := &Outcome{}
	return context.WithValue(ctx, outcomeKey{}, o), o
}

// OutcomeOf returns the outcome of the context's request; one that nobody reads
// where none is kept.
func OutcomeOf(ctx context.Context) *Outcome {
	if o, ok := ctx.Value(outcomeKey{}).(*Outcome); ok {
		return o
	}
	return &Outcome{}
}

// BreakOff ends a reply that has begun and can't be finished, so that its reader
// notices: the connection is closed once the handler returns.
func (o *Outcome) BreakOff(cause error) { o.Cause, o.BrokenOff = cause, true }
