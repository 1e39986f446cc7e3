package httpapi

import (
	"context"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/problem"
)

const (
	// workbooksAtOnce is how many workbooks are made and sent at once: each may take a
	// core, 100 MB of temporary files and 64 MB of memory.
	workbooksAtOnce = 2
	// callerWorkbooks is how many of those one caller may have: fewer than there are,
	// or one that reads slowly would keep all others from theirs.
	callerWorkbooks = 1
	// workbookTimeout bounds making one: nothing is sent meanwhile, and proxies give
	// up after a minute of silence.
	workbookTimeout = 50 * time.Second
)

// workbooks bounds how many there are under way, from the question to the last byte.
type workbooks struct {
	all    *limiter.Limiter[struct{}]
	caller *limiter.Limiter[string]
}

// newWorkbooks returns places for workbooks; one more waits that long.
func newWorkbooks(wait time.Duration) workbooks {
	return workbooks{
		all:    limiter.New[struct{}](workbooksAtOnce, wait),
		caller: limiter.New[string](callerWorkbooks, wait),
	}
}

// take waits for a place, which end gives back; or returns a refusal.
func (b workbooks) take(ctx context.Context, caller string) (end func(), err error) {
	endOwn, ok := b.caller.Take(ctx, caller)
	if !ok {
		return nil, later(problem.New(api.CodeRateLimited,
			"Another workbook is under way with this API token; ask one after the other, or for CSV."), answerRetry)
	}
	endAll, ok := b.all.Take(ctx, struct{}{})
	if !ok {
		endOwn()
		return nil, later(problem.New(api.CodeUnavailable, "Other workbooks are being made; try again, or ask for CSV."), answerRetry)
	}
	return func() { endAll(); endOwn() }, nil
}
