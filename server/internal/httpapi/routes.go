// Package httpapi is the REST API: all routes, who may use them, and the renderings
// of an answer.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpapi/openapi"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/repository"
	"activity-tracker.example/server/internal/store"
)

const (
	// answerTimeout bounds answering a question from the database.
	answerTimeout = 10 * time.Second
	// readyTimeout bounds /readyz, which load balancers ask often.
	readyTimeout = 2 * time.Second
	// maxPatchBytes bounds the body of PATCH /api/machines/{machine_id}: one
	// label.
	maxPatchBytes = 8 << 10
)

// StoppingCode is the code of /readyz then.
const StoppingCode = string(api.CodeStopping)

// Parts are what the routes lead to.
type Parts struct {
	Reports *report.Reports
	Guard   *auth.Guard
	Live    *live.Board
	// Events and Enroll are the hosts' routes.
	Events, Enroll http.HandlerFunc
	// Repository is where hosts get the agent from.
	Repository *repository.Repository
	// Ready says whether the database answers; or httpserver.ErrStopping.
	Ready   func(context.Context) error
	Log     *slog.Logger
	Metrics *prometheus.Registry
	// MetricsElsewhere says that /metrics is not for the callers of this handler.
	MetricsElsewhere bool
	// Proxies are those that are believed who calls.
	Proxies httpserver.Proxies
	// Stopping is closed when the server begins to stop: streams end then. Nil:
	// never.
	Stopping <-chan struct{}
}

type server struct {
	Parts
	// limiter bounds the answers that each API token has under way, by its id.
	limiter *limiter.Limiter[string]
}

// New joins the parts to the server's handler.
func New(p Parts) http.Handler {
	s := &server{Parts: p, limiter: limiter.New[string](tokenAnswers, answerWait)}
	return s.Proxies.Resolve(s.common(s.routes()))
}

// common returns next behind what every request goes through.
func (s *server) common(next http.Handler) http.Handler {
	return httpserver.Requests{Log: s.Log, Metrics: s.Metrics}.Wrap(next)
}

// routes is every route there is; openapi.json describes the same, as a test
// makes sure.
//
// /healthz, /readyz, /metrics and the description are open to all: probes and
// scrapers have no tokens, and nothing there names a person, machine or host. So
// are the agent's packages, which are the same everywhere, and how to install them.
func (s *server) routes() chi.Router {
	r := chi.NewRouter()
	r.NotFound(notFound)
	r.MethodNotAllowed(notAllowed(r))

	r.Get("/healthz", s.health)
	r.Get("/readyz", s.ready)
	if !s.MetricsElsewhere {
		r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	}
	asDescribed := openapi.DescribedQueries()
	r.With(asDescribed).Get("/api/openapi.json", only(openapi.Serve, "application/json", "application/openapi+json", "application/vnd.oai.openapi+json"))
	r.With(asDescribed).Get("/api/docs", only(openapi.Docs(), "text/html"))

	r.With(asDescribed).Get("/install.sh", s.installScript)
	r.With(asDescribed).Get("/packages/{file}", s.packageFile)
	r.With(asDescribed).Get("/packages/by-hash/SHA256/{digest}", s.packageByHash)

	r.Post("/api/enroll", s.Enroll)
	r.Post("/api/events", s.Events)

	// Each answer also as a table, but for the stream. What is one page is bounded
	// here, and what may be long by its pieces.
	reader := r.With(s.Guard.Reader(store.RoleViewer), asDescribed)
	reader.Get("/api/live", only(s.live, "text/event-stream"))
	viewer := reader.With(s.inTurn)
	viewer.Get("/api/machines", formats(s.machines, s.machinesTable))
	viewer.Get("/api/machines/{machine_id}", formats(s.machine, bounded(s.machineTable)))
	viewer.Get("/api/groups", formats(s.groups, s.groupsTable))
	viewer.Get("/api/groups/{group}", formats(s.group, bounded(s.groupTable)))
	viewer.Get("/api/groups/{group}/machines", formats(s.members, s.membersTable))
	viewer.Get("/api/activity/{machine_id}/events", formats(s.events, s.eventsTable))
	viewer.Get("/api/activity/{machine_id}/summary", formats(s.summary, bounded(s.summaryTable)))
	viewer.Get("/api/activity/{machine_id}/timeline", formats(s.timeline, bounded(s.timelineTable)))
	viewer.Get("/api/reports/activity", asked(within(s.activityReport), s.activityTable))
	viewer.Get("/api/reports/apps", asked(within(s.appsReport), s.appsTable))
	viewer.Get("/api/categories", formats(s.categories, bounded(s.categoriesTable)))

	inTime := func(next http.Handler) http.Handler { return bounded(next.ServeHTTP) }
	admin := r.With(inTime, s.Guard.Reader(store.RoleAdmin), asDescribed)
	admin.Patch("/api/machines/{machine_id}", only(s.patchMachine, "application/json"))
	admin.Put("/api/categories", only(s.putCategories, "application/json"))
	admin.Put("/api/groups/{group}", only(s.putGroup, "application/json"))
	admin.Patch("/api/groups/{group}", only(s.patchGroup, "application/json"))
	admin.Delete("/api/groups/{group}", s.deleteGroup)
	admin.Put("/api/groups/{group}/machines", only(s.putMembers, "application/json"))
	admin.Put("/api/groups/{group}/machines/{machine_id}", s.putMember)
	admin.Delete("/api/groups/{group}/machines/{machine_id}", s.deleteMember)
	return r
}

// bounded ends a request that waits for the database too long.
func bounded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem.Write(w, problem.NotFound("There is no such resource; GET /api/openapi.json lists all."))
}

// notAllowed answers 405 and says what is allowed. A method that chi does not know
// comes here on any path.
func notAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.EscapedPath()) {
				allowed = append(allowed, method)
				if method == http.MethodGet {
					allowed = append(allowed, http.MethodHead)
				}
			}
		}
		if len(allowed) == 0 {
			notFound(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem.Write(w, problem.New(http.StatusMethodNotAllowed, api.CodeNotAllowed, "The header Allow says which methods this resource has."))
	}
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, map[string]string{"status": "ok"}, nil)
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := s.Ready(ctx)
	if errors.Is(err, httpserver.ErrStopping) {
		leaving := problem.New(http.StatusServiceUnavailable, api.CodeStopping, "The server was told to stop; it answers all else for a little while.")
		leaving.Cause = err
		problem.Write(w, leaving)
		return
	}
	if err != nil {
		problem.Write(w, problem.Unavailable(err))
		return
	}
	s.reply(w, map[string]string{"status": "ok"}, nil)
}

func machinesQuestion(r *http.Request) report.MachinesQuestion {
	q := r.URL.Query()
	return report.MachinesQuestion{Group: q.Get("group"), Limit: q.Get("limit"), Cursor: q.Get("cursor")}
}

func (s *server) machines(w http.ResponseWriter, r *http.Request) {
	list, err := s.Reports.Machines(r.Context(), auth.Scope(r.Context()), machinesQuestion(r))
	s.reply(w, list, err)
}

func (s *server) machinesTable(w http.ResponseWriter, r *http.Request) {
	s.sendMachines(w, r, "machines", machinesQuestion(r))
}

func (s *server) sendMachines(w http.ResponseWriter, r *http.Request, name string, q report.MachinesQuestion) {
	if q.Limit == "" {
		sendTable(w, name, s.Reports.EachMachine(r.Context(), auth.Scope(r.Context()), q))
		return
	}
	list, err := s.Reports.Machines(r.Context(), auth.Scope(r.Context()), q)
	sendPage(w, r, name, list.Machines, list.NextCursor, err)
}

func (s *server) machine(w http.ResponseWriter, r *http.Request) {
	m, err := s.Reports.Machine(r.Context(), auth.Scope(r.Context()), machineID(r))
	s.reply(w, m, err)
}

func (s *server) machineTable(w http.ResponseWriter, r *http.Request) {
	m, err := s.Reports.Machine(r.Context(), auth.Scope(r.Context()), machineID(r))
	sendPage(w, r, "machine-"+machineID(r), []api.Machine{m}, "", err)
}

func (s *server) patchMachine(w http.ResponseWriter, r *http.Request) {
	var patch api.MachinePatch
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPatchBytes)).Decode(&patch); err != nil {
		problem.Write(w, problem.BadRequest(`The body must be JSON such as {"user_label": "Reception"}.`))
		return
	}
	m, err := s.Reports.Label(r.Context(), auth.Scope(r.Context()), machineID(r), patch)
	s.reply(w, m, err)
}

func eventsQuestion(r *http.Request) report.EventsQuestion {
	q := r.URL.Query()
	return report.EventsQuestion{
		MachineID: machineID(r), Start: q.Get("start"), End: q.Get("end"), Limit: q.Get("limit"), Cursor: q.Get("cursor"),
	}
}

func (s *server) events(w http.ResponseWriter, r *http.Request) {
	list, err := s.Reports.Events(r.Context(), auth.Scope(r.Context()), eventsQuestion(r))
	s.reply(w, list, err)
}

func (s *server) eventsTable(w http.ResponseWriter, r *http.Request) {
	q := eventsQuestion(r)
	name := "events-" + q.MachineID
	if q.Limit == "" {
		sendTable(w, name, s.Reports.EachEvent(r.Context(), auth.Scope(r.Context()), q))
		return
	}
	list, err := s.Reports.Events(r.Context(), auth.Scope(r.Context()), q)
	sendPage(w, r, name, list.Events, list.NextCursor, err)
}

func (s *server) summaryOf(r *http.Request) (api.Summary, error) {
	q := r.URL.Query()
	return s.Reports.Summary(r.Context(), auth.Scope(r.Context()), machineID(r), q.Get("date"), q.Get("tz"))
}

func (s *server) summary(w http.ResponseWriter, r *http.Request) {
	summary, err := s.summaryOf(r)
	s.reply(w, summary, err)
}

func (s *server) summaryTable(w http.ResponseWriter, r *http.Request) {
	summary, err := s.summaryOf(r)
	sendPage(w, r, "summary-"+machineID(r), []api.Summary{summary}, "", err)
}

func (s *server) timelineOf(r *http.Request) (api.Timeline, error) {
	q := r.URL.Query()
	return s.Reports.Timeline(r.Context(), auth.Scope(r.Context()), machineID(r), q.Get("date"), q.Get("tz"))
}

func (s *server) timeline(w http.ResponseWriter, r *http.Request) {
	timeline, err := s.timelineOf(r)
	s.reply(w, timeline, err)
}

func (s *server) timelineTable(w http.ResponseWriter, r *http.Request) {
	timeline, err := s.timelineOf(r)
	sendPage(w, r, "timeline-"+machineID(r), timeline.Hours, "", err)
}

// machineID is the path's machine_id. Routing is done on the escaped path (see
// common), so that it may hold a slash; it is unescaped once, here.
func machineID(r *http.Request) string { return pathValue(r, "machine_id") }

// pathValue is a parameter of the path, as machineID; what can't be read is empty.
func pathValue(r *http.Request, name string) string {
	id, err := url.PathUnescape(chi.URLParam(r, name))
	if err != nil {
		return ""
	}
	return id
}

// reply answers with v, or with what err means.
func (s *server) reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		problem.Write(w, asProblem(err))
		return
	}
	s.replyWith(w, http.StatusOK, v)
}

// replyWith answers with that status and v.
func (s *server) replyWith(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here means that the caller has gone.
	_ = json.NewEncoder(unsteering{w}).Encode(v)
}

func asProblem(err error) error {
	var invalid report.InvalidError
	var refusal *problem.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &invalid):
		return problem.BadRequest(invalid.Error())
	case errors.Is(err, store.ErrGroupExists):
		return problem.New(http.StatusConflict, api.CodeGroupExists, "Another group has that name.")
	case errors.Is(err, store.ErrTooManyGroups):
		return problem.New(http.StatusConflict, api.CodeTooManyGroups, "There are as many groups as there may be: "+strconv.Itoa(store.MaxGroups)+".")
	case errors.Is(err, store.ErrNoGroup):
		return problem.NotFound("There is no such group.")
	case errors.Is(err, store.ErrNoneKnown):
		return problem.NotFound("None of these machines exists, and the group was left as it is. An empty list empties it.")
	case errors.Is(err, store.ErrNotFound):
		return problem.NotFound("There is no such machine.")
	}
	return auth.Answer(err)
}
