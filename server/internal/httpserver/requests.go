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
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/problem"
)

// requestIDHeader names a request in replies and in the log.
const requestIDHeader = "X-Request-Id"

// unrouted is the metrics' and log's name of requests that no route took, so
// that their paths, which callers choose, are kept nowhere.
const unrouted = "none"

// ErrStopping is the cause of a refusal by a server that goes on answering for a
// while after it was asked to stop: a load balancer is to know, and nothing is wrong.
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
		ctx, outcome := problem.WithOutcome(r.Context())
		r = r.WithContext(ctx)
		if r.Method == http.MethodHead {
			routing.RouteMethod = http.MethodGet
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			w, r = &bodyless{ResponseWriter: w, stop: stop}, r.WithContext(ctx)
		}
		rec := recorder{middleware.NewWrapResponseWriter(w, r.ProtoMajor)}
		s.guarded(rec, r, next)
		route := routing.RoutePattern()
		if route == "" {
			route = unrouted
		}
		elapsed := time.Since(start)
		took.WithLabelValues(route, method(r.Method), strconv.Itoa(statusOf(rec))).Observe(elapsed.Seconds())
		if outcome.Code != "" {
			problems.WithLabelValues(string(outcome.Code)).Inc()
		}
		s.logRequest(r, id, route, statusOf(rec), elapsed)
		if outcome.BrokenOff {
			//nolint:forbidigo // net/http's way to break off a reply that has begun.
			panic(http.ErrAbortHandler)
		}
	})
}

// bodyless has a GET's handler answer HEAD: as soon as it begins to write a body,
// which nobody gets, its context ends as if the caller were gone, so that streams end
// too.
type bodyless struct {
	http.ResponseWriter
	stop context.CancelFunc
}

// Write ends the answer.
func (b *bodyless) Write(p []byte) (int, error) {
	b.stop()
	return len(p), nil
}

// Unwrap lets http.ResponseController reach the connection.
func (b *bodyless) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// recorder is chi's, which remembers the status, with a flush whose error is not lost:
// it is how a reader that takes nothing more is noticed.
type recorder struct{ middleware.WrapResponseWriter }

// FlushError sends what was written so far.
func (r recorder) FlushError() error {
	if r.Status() == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(r.Unwrap()).Flush()
}

// guarded turns a panic into a 500, so that one bad request ends no other.
func (s Requests) guarded(rec recorder, r *http.Request, next http.Handler) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		s.Log.Error("a handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if rec.Status() != 0 {
			problem.OutcomeOf(r.Context()).BreakOff(fmt.Errorf("panic: %v", p))
			return
		}
		problem.Write(rec, r, problem.Internal(fmt.Errorf("panic: %v", p)))
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

// logRequest writes a request's line without its path, query or headers, which name
// people and hold secrets.
func (s Requests) logRequest(r *http.Request, id, route string, status int, took time.Duration) {
	outcome := problem.OutcomeOf(r.Context())
	if status < http.StatusInternalServerError && !outcome.BrokenOff && !s.Log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	log := s.Log.With("request_id", id, "method", method(r.Method), "route", route,
		"status", status, "ms", took.Milliseconds(), "client", r.RemoteAddr)
	switch {
	case outcome.Cause != nil && errors.Is(r.Context().Err(), context.Canceled):
		log.Debug("the caller went away")
	case errors.Is(outcome.Cause, ErrStopping):
		log.Debug("not ready: the server is about to stop")
	case outcome.BrokenOff:
		log.Warn("a reply was broken off", "error", outcome.Cause)
	case status >= http.StatusInternalServerError:
		log.Error("request failed", "error", outcome.Cause)
	default:
		log.Debug("request")
	}
}

// statusOf returns what was answered; 200 where a handler wrote nothing, as net/http
// answers then.
func statusOf(rec recorder) int {
	return cmp.Or(rec.Status(), http.StatusOK)
}
