package frame

import (
	"errors"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

// Refusal turns an error of what a page reads into what is sent.
func Refusal(err error) *problem.Error {
	var refusal *problem.Error
	var invalid report.InvalidError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &invalid):
		return problem.BadRequest(invalid.Error())
	case errors.Is(err, directory.ErrNoGroup), errors.Is(err, people.ErrNone):
		return problem.NotFound("")
	case errors.As(auth.Answer(err), &refusal):
		return refusal
	}
	return problem.Internal(err)
}
