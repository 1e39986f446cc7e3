package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// reply answers with that status and v, or with what err means.
func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	replyWith(w, status, v)
}

// change returns the handler of a route that changes what its path names and answers
// with nothing. do gets what ask reads.
func change[T any](ask func(*http.Request) (T, error), do func(context.Context, T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		what, err := ask(r)
		if err == nil {
			err = do(r.Context(), what)
		}
		if err != nil {
			problem.Write(w, r, asProblem(err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// body is how a route's body looks.
type body struct {
	// limit bounds it, in bytes.
	limit int64
	// example is what it may be.
	example string
	// tooLarge is the refusal's detail for a larger one; empty: that it is no such
	// body.
	tooLarge string
}

// changeWith returns the handler of a route that changes something as its body asks.
func changeWith[T any](b body, do func(http.ResponseWriter, *http.Request, T) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, b.limit)).Decode(&asked); err != nil {
			problem.Write(w, r, b.refusal(err))
			return
		}
		status, v, err := do(w, r, asked)
		reply(w, r, status, v, err)
	}
}

// refusal returns what is sent to a caller for a body that could not be read.
func (b body) refusal(err error) error {
	var large *http.MaxBytesError
	if b.tooLarge != "" && errors.As(err, &large) {
		return problem.New(api.CodeTooLarge, b.tooLarge)
	}
	return problem.BadRequest("The body must be JSON such as " + b.example + ".")
}
