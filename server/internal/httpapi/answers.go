package httpapi

import (
	"context"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/problem"
)

const (
	// callerAnswers is how many answers a caller may have under way at once,
	// from the question to their last byte: more than a page of dashboards asks
	// for. Each may hold a page of a few megabytes until a slow reader has it.
	callerAnswers = 16
	// answerWait is how long a question waits until others of its caller are
	// answered.
	answerWait = 5 * time.Second
	// answerRetry is when one that waited in vain may come back.
	answerRetry = 5 * time.Second
)

// inTurn has each caller have a few answers under way at once: readers that
// read nothing took 4 GB of memory with one API token.
func (s *server) inTurn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, ok := s.answers.Take(r.Context(), auth.Caller(r.Context()).ID)
		if !ok {
			problem.Write(w, r, later(problem.New(api.CodeRateLimited,
				"Too many answers are under way for this caller; ask one after the other."), answerRetry))
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
}

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

// take waits for a place, which end frees; or returns a refusal.
func (b workbooks) take(ctx context.Context, caller string) (end func(), err error) {
	endOwn, ok := b.caller.Take(ctx, caller)
	if !ok {
		return nil, later(problem.New(api.CodeRateLimited,
			"Another workbook is under way for this caller; ask one after the other, or for CSV."), answerRetry)
	}
	endAll, ok := b.all.Take(ctx, struct{}{})
	if !ok {
		endOwn()
		return nil, later(problem.New(api.CodeUnavailable, "Other workbooks are being made; try again, or ask for CSV."), answerRetry)
	}
	return func() { endAll(); endOwn() }, nil
}
