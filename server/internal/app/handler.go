// Package app builds the parts of a server, runs them and stops them.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/adminapi"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/export"
	"activity-tracker.example/server/internal/httpapi"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/personapi"
	"activity-tracker.example/server/internal/policyapi"
	"activity-tracker.example/server/internal/preview"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/repository"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/session"
	"activity-tracker.example/server/internal/shots"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/ssoapi"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/ui"
	"activity-tracker.example/server/internal/ui/about"
	"activity-tracker.example/server/internal/ui/login"
	"activity-tracker.example/server/internal/userapi"
)

// Surroundings are what the handler knows of the program and the network around it.
type Surroundings struct {
	// Version names the program that runs.
	Version string
	Metrics *prometheus.Registry
	Proxies httpserver.Proxies
	// MetricsElsewhere is set where /metrics has an address of its own.
	MetricsElsewhere bool
	// Stopping is closed when the server begins to stop; nil: never.
	Stopping <-chan struct{}
	// Repository is where hosts get the agent from; nil: nowhere.
	Repository *repository.Repository
	// Private means that the server runs its PostgreSQL, KeepAccess and KeepBackups are for how
	// long who looked and backups are kept: what the page about the server has.
	Private                 bool
	KeepAccess, KeepBackups time.Duration
	// SSO is the provider of single sign-on; nil: there is none.
	SSO *sso.Provider
	// PasswordCost is what hashing a password costs; zero: the usual.
	PasswordCost password.Params
	// Now is the clock of logins; nil: the real one.
	Now func() time.Time
	// leaving knows that the server was asked to stop; nil: nobody does.
	leaving *leave
}

// NewHandler joins the parts that answer requests, or returns what is wrong with them.
func NewHandler(s *rooms.Store, board *live.Board, log *slog.Logger, around Surroundings) (http.Handler, error) {
	metrics := around.Metrics
	metrics.MustRegister(liveStreams(board))
	metrics.MustRegister(s.Collectors()...)
	metrics.MustRegister(buildInfo(around.Version))
	if s.ReplicaState().Configured {
		metrics.MustRegister(replicaMetrics(s)...)
	}
	guard := auth.NewGuard(s.Directory, s.Users, auth.NewFailures(auth.FailureBurst, auth.FailureEvery, time.Now))
	cost := around.PasswordCost
	if cost == (password.Params{}) {
		cost = password.Usual()
	}
	now := around.Now
	if now == nil {
		now = time.Now
	}
	logins := session.New(s.Users, password.NewHasher(cost), now)
	in := ingest.New(ingest.Parts{
		Writer: s.Writer, Directory: s.Directory, Policies: s.Policies, NotCollected: s.NotCollected, Heartbeats: s.Heartbeats, Guard: guard,
		Log: log, Metrics: metrics, Now: time.Now,
	})
	people := userapi.New(s.Users, logins, guard, now)
	if around.SSO != nil && around.SSO.Only {
		guard.OnlySSO()
		people.OnlySSO()
	}
	list := looked.NewList(s.Access, s.Audit, s.Directory, s.People)
	reports, byPerson := report.New(s.Reader, s.Directory, s.People, time.Now), byperson.New(s.Reader, time.Now)
	own := selfapi.New(s.Self, s.Policies, guard, around.Repository.BaseURL().String(), now)
	pictures := shots.New(s.Screenshots, s.Policies, guard, s.Access, now)
	metrics.MustRegister(pictures.Collectors()...)
	written := noteapi.New(s.Notes, s.Access)
	signOn := ssoapi.New(around.SSO, s.Users, s.Self, guard, log, now)
	self := &ui.Pages{Self: own, Guard: guard, People: byPerson, Reports: reports, Looked: list, Access: s.Access, Shots: pictures, Notes: written, Policies: s.Policies, Now: now, BaseURL: around.Repository.BaseURL().String(), About: factsOf(s, around)}
	pages, err := self.Join(board, &login.Options{
		Users: people, Passwords: around.SSO == nil || !around.SSO.Only, SSO: around.SSO != nil, Logout: signOn.End,
	})
	if err != nil {
		return nil, fmt.Errorf("joining the pages: %w", err)
	}
	previews := preview.New(s.Reader, s.Directory, time.Now)
	return httpapi.New(httpapi.Parts{
		Reports: reports, People: byPerson, Pages: pages, Guard: guard, Live: board,
		Access: s.Access, Looked: list,
		Users:  people,
		SSO:    signOn,
		Self:   own,
		Policy: policyapi.New(policyapi.Parts{Policies: s.Policies, Heartbeats: s.Heartbeats, Guard: guard, Previews: previews, Access: s.Access, Now: time.Now}), Previews: previews,
		Admin:  adminapi.New(s.Directory, s.Dictionary, now),
		Months: closing.New(s.Months),
		Person: personapi.New(export.Exports{People: s.People, Reader: s.Reader, Dossier: s.Dossier, Looked: list, Screenshots: s.Screenshots, Notes: s.Notes}, s.Erasures, s.Access),
		Shots:  pictures,
		Notes:  written,
		Events: in.Events, Enroll: in.Enroll, Repository: around.Repository, Ready: around.leaving.unlessLeaving(s.Ready),
		Log: log, Metrics: metrics, MetricsElsewhere: around.MetricsElsewhere,
		Proxies: around.Proxies, Stopping: around.Stopping,
	}), nil
}

// factsOf is what the page about the server has.
func factsOf(s *rooms.Store, around Surroundings) about.Facts {
	return about.Facts{
		Version: around.Version, Private: around.Private,
		Schema: func(ctx context.Context) (int, error) {
			schema, err := s.Schema(ctx)
			return schema.Version, err
		},
		Kept: func() []about.Kept {
			return []about.Kept{
				{What: "events", For: s.Partitions.KeepFor(partition.Events())},
				{What: "titles", For: s.Partitions.KeepFor(partition.Titles())},
				{What: "sums", For: s.Partitions.KeepFor(partition.Rollups())},
				{What: "pictures", For: s.Screenshots.KeepFor()},
				{What: "looks", For: around.KeepAccess},
				{What: "backups", For: around.KeepBackups},
			}
		},
	}
}
