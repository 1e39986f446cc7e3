package problem

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/text"
)

// Send answers with that status and v as JSON in which nothing steers a terminal.
func Send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encode(w, v)
}

// encode writes v. An error means that the caller has gone.
func encode(w io.Writer, v any) { _ = json.NewEncoder(escaping{w}).Encode(v) }

// escaping passes JSON on with control characters escaped.
type escaping struct{ io.Writer }

// Write writes p.
func (w escaping) Write(p []byte) (int, error) {
	_, err := w.Writer.Write(text.EscapedJSON(p))
	return len(p), err
}

// Reply answers with v as JSON, with nothing where it is nil, or with the refusal that
// refusalOf makes of an error.
func Reply(w http.ResponseWriter, r *http.Request, status int, v any, err error, refusalOf func(error) error) {
	switch {
	case err != nil:
		Write(w, r, refusalOf(err))
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		Send(w, status, v)
	}
}

// Kind is what is sent to a caller for a kind of errors.
type Kind struct {
	Is     error
	Code   api.Code
	Detail string
	// Retry is when to try again; zero means no advice.
	Retry time.Duration
}

// OfKind returns the refusal of the first kind that an error is of; nil where it is of
// none.
func OfKind(err error, kinds []Kind) error {
	for _, k := range kinds {
		if errors.Is(err, k.Is) {
			e := New(k.Code, k.Detail)
			e.RetryAfter, e.Cause = k.Retry, err
			return e
		}
	}
	return nil
}
