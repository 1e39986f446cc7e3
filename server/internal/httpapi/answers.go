package httpapi

import (
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
)

const (
	// tokenAnswers is how many answers an API token may have under way at once,
	// from the question to their last byte: more than a page of dashboards asks
	// for. Each may hold a page of a few megabytes until a slow reader has it.
	tokenAnswers = 16
	// answerWait is how long a question waits until others of its token are
	// answered.
	answerWait = 5 * time.Second
	// answerRetry is when one that waited in vain may come back.
	answerRetry = 5 * time.Second
)

// inTurn has each API token have a few answers under way at once: readers that
// read nothing took 4 GB of memory with one token.
func (s *server) inTurn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, ok := s.answers.Take(r.Context(), auth.Caller(r.Context()).ID)
		if !ok {
			problem.Write(w, r, later(problem.New(api.CodeRateLimited,
				"Too many answers are under way with this API token; ask one after the other."), answerRetry))
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
}
