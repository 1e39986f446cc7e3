// Package problem writes error replies: RFC 9457 application/problem+json with
// the stable code of the contract.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
)

// ContentType of an error reply.
const ContentType = "application/problem+json"

// Error is a refusal that a caller is told as it is.
type Error struct {
	Status int
	Code   api.Code
	// Detail says what was wrong and what to do, for people.
	Detail string
	// RetryAfter is when to try again; zero means no advice.
	RetryAfter time.Duration
	// Cause is for the log only.
	Cause error
}

// Error gives the detail, and the cause for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Detail + ": " + e.Cause.Error()
	}
	return e.Detail
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a refusal.
func New(status int, code api.Code, detail string) *Error {
	return &Error{Status: status, Code: code, Detail: detail}
}

// BadRequest is a 400.
func BadRequest(detail string) *Error {
	return New(http.StatusBadRequest, api.CodeBadRequest, detail)
}

// NotFound is a 404, also for what the caller may not see.
func NotFound(detail string) *Error {
	return New(http.StatusNotFound, api.CodeNotFound, detail)
}

// retryUnavailable is how long a caller should leave a server alone whose
// database is away: a restart of PostgreSQL takes a few seconds.
const retryUnavailable = 5 * time.Second

// Unavailable is a 503 for a while.
func Unavailable(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: api.CodeUnavailable,
		Detail:     "The server can't do this at the moment; try again later.",
		RetryAfter: retryUnavailable, Cause: cause,
	}
}

// Internal is a 500, whose cause only the log tells.
func Internal(cause error) *Error {
	return &Error{
		Status: http.StatusInternalServerError, Code: api.CodeInternal,
		Detail: "The server failed; its log says why under this request's X-Request-Id.", Cause: cause,
	}
}

// Write answers with err; an error that is no *Error becomes a 500. Where w has a
// method KeepCause(error) it is given the cause, for the log, and by KeepCode(api.Code)
// the code, for counting.
func Write(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Internal(err)
	}
	if k, ok := w.(interface{ KeepCause(error) }); ok && e.Cause != nil {
		k.KeepCause(e.Cause)
	}
	if k, ok := w.(interface{ KeepCode(api.Code) }); ok {
		k.KeepCode(e.Code)
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
	// An error here means that the caller has gone.
	_ = json.NewEncoder(w).Encode(api.Problem{
		Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Detail: e.Detail, Code: e.Code,
	})
}
