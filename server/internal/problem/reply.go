package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
)

// Reply answers with v as JSON, with nothing where it is nil, or with a refusal.
func Reply(w http.ResponseWriter, r *http.Request, status int, v any, refusal error) {
	switch {
	case refusal != nil:
		Write(w, r, refusal)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		// An error here means that the caller has gone.
		_ = json.NewEncoder(w).Encode(v)
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
