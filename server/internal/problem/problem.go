// Package problem writes error replies: RFC 9457 application/problem+json with
// the stable code of the contract.
package problem

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
)

// ContentType of an error reply.
const ContentType = "application/problem+json"

// Error is a refusal that is sent to a caller as it is. Its kind is the code: New and
// Status turn it into HTTP.
type Error struct {
	Status int
	Code   api.Code
	// Detail is what was wrong and what to do, for people.
	Detail string
	// RetryAfter is when to try again; zero means no advice.
	RetryAfter time.Duration
	// Cause is for the log only.
	Cause error
}

// Error returns the detail, and the cause for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Detail + ": " + e.Cause.Error()
	}
	return e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New creates a refusal of that kind.
func New(code api.Code, detail string) *Error {
	return &Error{Status: Status(code), Code: code, Detail: detail}
}

// BadRequest creates the refusal of a question that can't be answered as it was put.
func BadRequest(detail string) *Error { return New(api.CodeBadRequest, detail) }

// NotFound creates the refusal of what does not exist, or may not be seen.
func NotFound(detail string) *Error { return New(api.CodeNotFound, detail) }

// retryUnavailable is how long a caller should leave a server alone whose
// database is away: a restart of PostgreSQL takes a few seconds.
const retryUnavailable = 5 * time.Second

// Unavailable creates a refusal for a while.
func Unavailable(cause error) *Error {
	e := New(api.CodeUnavailable, "The server can't do this at the moment; try again later.")
	e.RetryAfter, e.Cause = retryUnavailable, cause
	return e
}

// Internal creates the answer to a failure, whose cause only the log has.
func Internal(cause error) *Error {
	e := New(api.CodeInternal, "The server failed; its log says why under this request's X-Request-Id.")
	e.Cause = cause
	return e
}

// Write answers a request with err; an error that is no *Error becomes a 500. The
// request's Outcome gets the code and the cause.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Internal(err)
	}
	outcome := OutcomeOf(r.Context())
	outcome.Code = e.Code
	if e.Cause != nil {
		outcome.Cause = e.Cause
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="activity-tracker"`)
	}
	if e.RetryAfter > 0 {
		seconds := int((e.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	w.WriteHeader(e.Status)
	encode(w, api.Problem{
		Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Detail: e.Detail, Code: e.Code,
	})
}
