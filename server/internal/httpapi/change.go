package httpapi

import (
	"context"
	"net/http"

	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
)

// reply answers with that status and v, or with what err means.
func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	problem.Send(w, status, v)
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

// changeWith returns the handler of a route that changes something as its body asks.
func changeWith[T any](b request.Body, do func(http.ResponseWriter, *http.Request, T) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, err := request.Read[T](w, r, b)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		status, v, err := do(w, r, asked)
		reply(w, r, status, v, err)
	}
}
