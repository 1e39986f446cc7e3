package frame

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// Call is what a page asks of the API in the visitor's name: it has the API's checks, and is
// written down as any call is.
type Call struct {
	Method string
	// Path is made by Path.
	Path  string
	Query url.Values
	// Body is sent as JSON; nil: none.
	Body any
	// Version is what If-Match has; empty: none.
	Version string
	// Into takes the answer; nil: it is left.
	Into any
}

// Quoted is a version as If-Match has it; empty: any.
func Quoted(version string) string {
	if version == "" {
		return ""
	}
	return `"` + version + `"`
}

// Path joins names to an address of the API, whatever stands in them.
func Path(names ...string) string {
	path := "/api"
	for _, name := range names {
		path += "/" + url.PathEscape(name)
	}
	return path
}

// maxAnswer bounds an answer of the API that a page takes in.
const maxAnswer = 16 << 20

// ownHeaders show the API who asks, and that a page of ours does.
func ownHeaders() []string { return []string{"Cookie", "Origin", "Sec-Fetch-Site", "User-Agent"} }

// Do has the API do that, and returns the version of what it answered with, if it has one.
func (v *Visit) Do(c Call) (version string, err error) {
	var body []byte
	if c.Body != nil {
		if body, err = json.Marshal(c.Body); err != nil {
			return "", fmt.Errorf("writing a call of the API: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(v.unrouted(), c.Method, c.Path+"?"+c.Query.Encode(), bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("making a call of the API: %w", err)
	}
	r.Host, r.RemoteAddr, r.TLS, r.RequestURI = v.request.Host, v.request.RemoteAddr, v.request.TLS, r.URL.RequestURI()
	for _, name := range ownHeaders() {
		r.Header[name] = v.request.Header.Values(name)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.Version != "" {
		r.Header.Set("If-Match", c.Version)
	}
	a := answer{header: http.Header{}, status: http.StatusOK}
	v.api.ServeHTTP(&a, r)
	return a.header.Get("ETag"), a.into(c.Into)
}

// unrouted is the request's context without the route that took the page: the API finds its own.
func (v *Visit) unrouted() context.Context {
	return context.WithValue(v.request.Context(), chi.RouteCtxKey, (*chi.Context)(nil))
}

// Pass has the API answer the visitor's request itself, and returns why it refused to.
func (v *Visit) Pass(w http.ResponseWriter) error {
	a := answer{header: http.Header{}, status: http.StatusOK}
	v.api.ServeHTTP(&a, v.request.WithContext(v.unrouted()))
	err := a.into(nil)
	if err != nil { // what the browser is to forget holds also then
		w.Header()["Set-Cookie"] = a.header["Set-Cookie"]
		return err
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // an error means that the caller has gone
	return nil
}

// answer is what the API answers to a page.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader takes the status.
func (a *answer) WriteHeader(status int) { a.status = status }

var errLarge = errors.New("the answer is too large for a page")

// Write takes in some of the body.
func (a *answer) Write(b []byte) (int, error) {
	if a.body.Len()+len(b) > maxAnswer {
		return 0, errLarge
	}
	return a.body.Write(b)
}

// into reads the answer into v, or returns the refusal that it is.
func (a *answer) into(v any) error {
	if a.status >= http.StatusBadRequest {
		var p api.Problem
		if err := json.Unmarshal(a.body.Bytes(), &p); err != nil {
			return fmt.Errorf("reading a refusal of the API: %w", err)
		}
		e := problem.New(p.Code, p.Detail)
		e.Status = a.status
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil {
			e.RetryAfter = time.Duration(wait) * time.Second
		}
		return e
	}
	if v == nil || a.body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), v); err != nil {
		return fmt.Errorf("reading an answer of the API: %w", err)
	}
	return nil
}
