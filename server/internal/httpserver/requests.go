package httpserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// requestIDHeader names a request in replies and in the log.
const requestIDHeader = "X-Request-Id"

// unrouted is the metrics' and log's name of requests that no route took, so
// that their paths, which callers choose, are kept nowhere.
const unrouted = "none"

// ErrStopping is the cause of a refusal by a server that goes on answering for a
// while after it was told to stop: a load balancer is to know, and nothing is wrong.
var ErrStopping = errors.New("the server is about to stop")

// Requests is what every request goes through: an id, headers, a log line,
// metrics, and a reply even if a handler panics.
type Requests struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Wrap returns next behind all that.
func (s Requests) Wrap(next http.Handler) http.Handler {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "trackerd_server_request_seconds",
		Help:    "How long requests took, by route, method and status.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2, 10},
	}, []string{"route", "method", "status"})
	problems := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "trackerd_server_problems_total",
		Help: "Requests refused, by the code that the caller was told.",
	}, []string{"code"})
	s.Metrics.MustRegister(took, problems)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := cmp.Or(forwardingOf(r.Context()).requestID, rand.Text())
		setHeaders(w.Header(), id)
		routing := chi.NewRouteContext()
		r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, routing))
		r.URL.RawPath = r.URL.EscapedPath()
		rec := &recorder{ResponseWriter: w}
		if r.Method == http.MethodHead {
			routing.RouteMethod = http.MethodGet
			var stop context.CancelFunc
			r, stop = headOnly(r, rec)
			defer stop()
		}
		s.guarded(rec, r, next)
		route := routing.RoutePattern()
		if route == "" {
			route = unrouted
		}
		elapsed := time.Since(start)
		took.WithLabelValues(route, method(r.Method), strconv.Itoa(rec.code())).Observe(elapsed.Seconds())
		if rec.problem != "" {
			problems.WithLabelValues(string(rec.problem)).Inc()
		}
		s.logRequest(r, id, route, rec, elapsed)
		if rec.brokenOff {
			//nolint:forbidigo // net/http's way to break off a reply that has begun.
			panic(http.ErrAbortHandler)
		}
	})
}

// headOnly has a GET's handler answer HEAD: as soon as it begins to write a body,
// which nobody gets, it is told that the caller is gone, so that streams end too.
func headOnly(r *http.Request, rec *recorder) (*http.Request, context.CancelFunc) {
	ctx, stop := context.WithCancel(r.Context())
	rec.bodyless = stop
	return r.WithContext(ctx), stop
}

// guarded turns a panic into a 500, so that one bad request ends no other.
func (s Requests) guarded(rec *recorder, r *http.Request, next http.Handler) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		s.Log.Error("a handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if rec.status != 0 {
			rec.BreakOff(fmt.Errorf("panic: %v", p))
			return
		}
		problem.Write(rec, problem.Internal(fmt.Errorf("panic: %v", p)))
	}()
	next.ServeHTTP(rec, r)
}

func setHeaders(h http.Header, id string) {
	h.Set(requestIDHeader, id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// method bounds the metrics' label: a caller may send any word.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// logRequest tells of a request without its path, query or headers, which name
// people and hold secrets.
func (s Requests) logRequest(r *http.Request, id, route string, rec *recorder, took time.Duration) {
	if rec.code() < http.StatusInternalServerError && !s.Log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	log := s.Log.With("request_id", id, "method", method(r.Method), "route", route,
		"status", rec.code(), "ms", took.Milliseconds(), "client", r.RemoteAddr)
	switch {
	case rec.cause != nil && errors.Is(r.Context().Err(), context.Canceled):
		log.Debug("the caller went away")
	case errors.Is(rec.cause, ErrStopping):
		log.Debug("not ready: the server is about to stop")
	case rec.brokenOff:
		log.Warn("a reply was broken off", "error", rec.cause)
	case rec.code() >= http.StatusInternalServerError:
		log.Error("request failed", "error", rec.cause)
	default:
		log.Debug("request")
	}
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	cause  error
	// problem is the code of a refusal.
	problem api.Code
	// brokenOff says that the reply must not look whole.
	brokenOff bool
	// bodyless is called instead of writing a body; nil where there is one.
	bodyless func()
}

// KeepCode takes the code of a refusal.
func (r *recorder) KeepCode(code api.Code) { r.problem = code }

// KeepCause takes what a problem's caller is not told.
func (r *recorder) KeepCause(err error) { r.cause = err }

// BreakOff ends a reply that has begun and can't be finished, so that its reader
// notices; cause is for the log.
func (r *recorder) BreakOff(cause error) { r.cause, r.brokenOff = cause, true }

// WriteHeader remembers the first status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends 200 where nothing was said.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if r.bodyless != nil {
		r.bodyless()
		return len(b), nil
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
