// Package shots has the routes about pictures of screens: hosts send them, people look at
// them and delete them.
package shots

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/screenshots"
)

const (
	// hostPictures is how many a host may send at once, allPictures how many all hosts:
	// each takes up to 2 MiB of memory.
	hostPictures = 2
	allPictures  = 32
	// turnWait is how long one more waits.
	turnWait = 2 * time.Second
	// retryFull is when to try again where there is no room: retention makes some once an
	// hour.
	retryFull = 10 * time.Minute
	// OwnWithin is for how long people can delete pictures of their own.
	OwnWithin = time.Hour
)

// API has the routes.
type API struct {
	store    *screenshots.Screenshots
	policies *policies.Policies
	guard    *auth.Guard
	access   *access.Log
	now      func() time.Time
	hosts    *limiter.Limiter[int64]
	all      *limiter.Limiter[struct{}]

	taken   prometheus.Counter
	refused *prometheus.CounterVec
}

// New returns the routes; log is where it is written who looks.
func New(store *screenshots.Screenshots, p *policies.Policies, guard *auth.Guard, log *access.Log, now func() time.Time) *API {
	return &API{
		store: store, policies: p, guard: guard, access: log, now: now,
		hosts: limiter.New[int64](hostPictures, turnWait), all: limiter.New[struct{}](allPictures, turnWait),
		taken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackerd_server_screenshots_taken_total", Help: "Pictures of screens that hosts sent and that were kept.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackerd_server_screenshots_refused_total", Help: "Pictures of screens that were not taken in, by the code of the refusal.",
		}, []string{"code"}),
	}
}

// Collectors are the figures of pictures that hosts send, for Prometheus.
func (a *API) Collectors() []prometheus.Collector { return []prometheus.Collector{a.taken, a.refused} }

// kinds returns what is sent to a caller for each error of the store.
func kinds() []problem.Kind {
	return []problem.Kind{
		{Is: screenshots.ErrForeign, Code: api.CodeForeignMachine, Detail: "Another host reported this machine_id first; what to do is said where its events are rejected."},
		{Is: screenshots.ErrErased, Code: api.CodeErased, Detail: "The person whose it is was erased."},
		// As for another's: the host keeps this one, and others' pictures don't wait for it.
		{Is: screenshots.ErrUnknown, Code: api.CodeForeignMachine, Detail: "This host has no such machine_id; its first event makes it. Send the picture again then."},
		{Is: screenshots.ErrTooOld, Code: api.CodeBadTimestamp, Detail: "taken_at: it is longer ago than pictures are kept."},
		{Is: screenshots.ErrTooMany, Code: api.CodeBadRequest, Detail: "The account has as many pictures of that day as there may be."},
		{Is: screenshots.ErrFull, Code: api.CodeScreenshotsFull, Detail: "The server has no room for more pictures (--screenshots-max-bytes, or its disk).", Retry: retryFull},
		{Is: screenshots.ErrTooLate, Code: api.CodeTooLate, Detail: "A picture of one's own can be deleted for an hour after it came."},
		{Is: people.ErrNone, Code: api.CodeNotFound, Detail: "There is no such person."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: "There is no such picture."},
		{Is: screenshots.ErrLost, Code: api.CodeNotFound, Detail: "The picture's file is lost."},
	}
}

// asProblem turns an error into a refusal.
func asProblem(err error) error {
	var refusal *problem.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, screenshots.ErrFolder):
		return problem.Unavailable(err)
	}
	if refusal := problem.OfKind(err, kinds()); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}
