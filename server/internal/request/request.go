// Package request reads what a caller sends: names in the path, and JSON bodies.
package request

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/text"
)

// PathValue returns a parameter of the path. Routing is done on the escaped path, so
// that it may hold a slash; it is unescaped once, here. What can't be read is empty.
func PathValue(r *http.Request, name string) string {
	value, err := url.PathUnescape(chi.URLParam(r, name))
	if err != nil {
		return ""
	}
	return value
}

// PathName returns a parameter of the path that is a name or an id; empty where it can
// be nobody's.
func PathName(r *http.Request, name string) string {
	value := PathValue(r, name)
	if !text.Visible(value) {
		return ""
	}
	return value
}

// Body is how a route's body looks.
type Body struct {
	// Limit bounds it, in bytes.
	Limit int64
	// Example is what it may be.
	Example string
	// TooLarge refuses a larger one; nil: as one that is no such body.
	TooLarge *problem.Error
	// Strict refuses fields that are not known, and what follows the value.
	Strict bool
}

// Read reads a body.
func Read[T any](w http.ResponseWriter, r *http.Request, b Body) (asked T, err error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, b.Limit))
	if b.Strict {
		d.DisallowUnknownFields()
	}
	err = d.Decode(&asked)
	if err == nil && b.Strict {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	return asked, b.refusal(err)
}

// refusal returns what is sent to a caller for a body that could not be read.
func (b Body) refusal(err error) error {
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case b.TooLarge != nil && errors.As(err, &large):
		return b.TooLarge
	case b.Strict:
		return problem.BadRequest("The body must be JSON such as " + b.Example + ": " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return problem.BadRequest("The body must be JSON such as " + b.Example + ".")
}
