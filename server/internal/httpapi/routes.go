// Package httpapi is the REST API: all routes, who may use them, and the renderings
// of an answer.
package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/adminapi"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/export"
	"activity-tracker.example/server/internal/httpapi/negotiate"
	"activity-tracker.example/server/internal/httpapi/openapi"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/personapi"
	"activity-tracker.example/server/internal/policyapi"
	"activity-tracker.example/server/internal/preview"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/repository"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/shots"
	"activity-tracker.example/server/internal/ssoapi"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/userapi"
)

const (
	// answerTimeout bounds answering a question from the database.
	answerTimeout = 10 * time.Second
	// readyTimeout bounds /readyz, which load balancers ask often.
	readyTimeout = 2 * time.Second
)

// StoppingCode is the code of /readyz then.
const StoppingCode = string(api.CodeStopping)

// Parts are what the routes lead to.
type Parts struct {
	Reports *report.Reports
	// People answers what people did.
	People *byperson.Reports
	Guard  *auth.Guard
	Live   *live.Board
	// Access is where it is written who looks, Looked answers who did.
	Access *access.Log
	Looked *looked.List
	// Users answers about people who log in.
	Users *userapi.API
	// Self answers about oneself.
	Self *selfapi.API
	// Pages has those for people, before all other routes; nil: there are none.
	Pages func(next http.Handler) http.Handler
	// SSO answers browsers on their way to the provider of single sign-on and back.
	SSO *ssoapi.API
	// Policy answers about policy, to hosts and to people.
	Policy *policyapi.API
	// Previews answers what other rules would do.
	Previews *preview.Previews
	// Admin answers about tokens, enrolments and hosts.
	Admin *adminapi.API
	// Shots takes in pictures of screens and shows them.
	Shots *shots.API
	// Months closes months.
	Months *closing.Reports
	// Notes are what people wrote about their own time.
	Notes *noteapi.API
	// Person answers with all that is kept of one person.
	Person *personapi.API
	// Events and Enroll are the hosts' routes.
	Events, Enroll http.HandlerFunc
	// Repository is where hosts get the agent from.
	Repository *repository.Repository
	// Ready reports whether the database answers; or httpserver.ErrStopping.
	Ready   func(context.Context) error
	Log     *slog.Logger
	Metrics *prometheus.Registry
	// MetricsElsewhere is set where /metrics is not for the callers of this handler.
	MetricsElsewhere bool
	// Proxies are those that are believed who calls.
	Proxies httpserver.Proxies
	// Stopping is closed when the server begins to stop: streams end then. Nil:
	// never.
	Stopping <-chan struct{}
}

type server struct {
	Parts
	// answers bounds those that each caller has under way.
	answers *limiter.Limiter[string]
	// workbooks bounds how many are under way.
	workbooks workbooks
}

// New joins the parts to the server's handler.
func New(p Parts) http.Handler {
	s := newServer(p)
	var routes http.Handler = s.routes()
	if s.Pages != nil {
		routes = s.Pages(routes)
	}
	return s.Proxies.Resolve(s.common(routes))
}

func newServer(p Parts) *server {
	return &server{
		Parts: p, answers: limiter.New[string](callerAnswers, answerWait),
		workbooks: newWorkbooks(answerWait),
	}
}

// common returns next behind what every request goes through.
func (s *server) common(next http.Handler) http.Handler {
	return httpserver.Requests{Log: s.Log, Metrics: s.Metrics}.Wrap(next)
}

// routes is every route there is; openapi.json describes the same, as a test
// makes sure.
//
// The table of permissions has who may use which of them.
//
// /healthz, /readyz, /metrics and the description are open to all: probes and
// scrapers have no tokens, and nothing there names a person, machine or host. So
// are the agent's packages, which are the same everywhere, and how to install them.
func (s *server) routes() chi.Router {
	r := chi.NewRouter()
	r.NotFound(notFound)
	r.MethodNotAllowed(notAllowed(r))

	r.Get("/healthz", health)
	r.Get("/readyz", s.ready)
	if !s.MetricsElsewhere {
		r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	}
	asDescribed := openapi.DescribedQueries()
	r.With(asDescribed).Get("/api/openapi.json", negotiate.Only(openapi.Serve, "application/json", "application/openapi+json", "application/vnd.oai.openapi+json"))
	r.With(asDescribed).Get("/api/docs", negotiate.Only(openapi.Docs(), "text/html"))

	r.With(asDescribed).Get("/install.sh", s.installScript)
	r.With(asDescribed).Get("/packages/{file}", s.packageFile)
	r.With(asDescribed).Get("/packages/by-hash/SHA256/{digest}", s.packageByHash)

	r.Post("/api/enroll", s.Enroll)
	r.Post("/api/events", s.Events)

	known := s.Guard.Let(permission.OfRoute())
	s.readingRoutes(r.With(known, asDescribed))
	admin := r.With(bounded, known, asDescribed)
	s.monthRoutes(r.With(known, asDescribed, s.inTurn))
	s.changingRoutes(admin)
	s.adminRoutes(admin)
	s.policyRoutes(r.With(bounded, asDescribed), admin)
	// Providers add parameters of their own when they send browsers back.
	r.With(bounded, userapi.Private).Get("/login/sso/callback", s.SSO.Callback)
	strangers := r.With(bounded, asDescribed, userapi.OwnPage, userapi.Private)
	s.userRoutes(strangers, admin)
	s.ownRoutes(r.With(bounded, asDescribed), strangers, r.With(known, asDescribed), admin)
	s.shotRoutes(r.With(bounded, asDescribed), r.With(known, asDescribed, s.inTurn), admin)
	return r
}

// ownRoutes are those about oneself: the routes about a person, of the caller's own accounts.
func (s *server) ownRoutes(hosts, strangers, reader, admin chi.Router) {
	hosts.Post("/api/self-links", negotiate.OnlyJSON(s.Self.MakeLink))
	strangers.Post("/api/self-sessions", negotiate.OnlyJSON(s.Self.OpenSession))
	me := reader.With(s.inTurn, s.Self.Own)
	me.Get("/api/me", s.person())
	me.Get("/api/me/summary", s.personSummary())
	me.Get("/api/me/timeline", s.personTimeline())
	me.Get("/api/me/events", s.personEvents())
	me.Get("/api/me/day", s.personDay())
	me.Get("/api/me/access", s.ownAccess())
	me.Get("/api/me/export", negotiate.Only(s.Person.ExportOwn, export.Type))
	me.Get("/api/me/notes", s.notes())
	admin.With(s.Self.Own).Post("/api/me/notes", negotiate.OnlyJSON(s.Notes.Add))
	admin.With(s.Self.Own).Delete("/api/me/notes/{note}", s.Notes.Delete)
	admin.Put("/api/users/{user}/person", s.Self.Tie)
	admin.Delete("/api/users/{user}/person", s.Self.Untie)
}

// readingRoutes are those that answer with what is known of people and machines, each
// also as a table, but for the stream.
func (s *server) readingRoutes(reader chi.Router) {
	reader.Get("/api/live", negotiate.Only(s.live, "text/event-stream"))
	viewer := reader.With(s.inTurn)
	viewer.Get("/api/machines", s.machines())
	viewer.Get("/api/machines/{machine_id}", s.machine())
	viewer.Get("/api/machines/{machine_id}/access", s.access())
	viewer.Get("/api/groups", s.groups())
	viewer.Get("/api/groups/{group}", s.group())
	viewer.Get("/api/groups/{group}/machines", s.members())
	viewer.Get("/api/groups/{group}/people", s.groupPeople())
	viewer.Get("/api/people", s.people())
	viewer.Get("/api/people/{person}", s.person())
	viewer.Get("/api/people/{person}/summary", s.personSummary())
	viewer.Get("/api/people/{person}/timeline", s.personTimeline())
	viewer.Get("/api/people/{person}/events", s.personEvents())
	viewer.Get("/api/people/{person}/day", s.personDay())
	viewer.Get("/api/people/{person}/notes", s.notes())
	viewer.Get("/api/people/{person}/access", s.personAccess())
	viewer.Get("/api/people/{person}/export", negotiate.Only(s.Person.Export, export.Type))
	viewer.Get("/api/activity/{machine_id}/events", s.events())
	viewer.Get("/api/activity/{machine_id}/summary", s.summary())
	viewer.Get("/api/activity/{machine_id}/timeline", s.timeline())
	viewer.Get("/api/reports/activity", s.activityReport())
	viewer.Get("/api/reports/apps", s.appsReport())
	viewer.Get("/api/reports/day", s.dayReport())
	viewer.Get("/api/reports/rhythm", s.rhythmReport())
	viewer.Get("/api/categories", s.categories())
	viewer.Post("/api/categories/preview", negotiate.OnlyJSON(s.previewCategories))
	viewer.Post("/api/policies/preview", negotiate.OnlyJSON(s.Policy.Preview))
	viewer.Get("/api/receipts", s.receipts())
	viewer.Get("/api/audit", s.audit())
}

// changingRoutes are those that change labels, groups, people and categories.
func (s *server) changingRoutes(admin chi.Router) {
	admin.Patch("/api/machines/{machine_id}", negotiate.OnlyJSON(changeWith(request.Body{Limit: maxPatchBytes, Example: `{"user_label": "Reception"}`}, s.patchMachine)))
	admin.Put("/api/categories", negotiate.OnlyJSON(s.putCategories))
	admin.Put("/api/groups/{group}", negotiate.OnlyJSON(s.putGroup))
	admin.Patch("/api/groups/{group}", negotiate.OnlyJSON(changeWith(request.Body{Limit: maxPatchBytes, Example: `{"name": "Reception"}`}, s.patchGroup)))
	admin.Delete("/api/groups/{group}", change(groupName, s.Reports.RemoveGroup))
	admin.Put("/api/groups/{group}/machines", negotiate.OnlyJSON(changeWith(request.Body{
		Limit: maxMembersBytes, Example: `{"machines": ["vm-abc123-user1"]}`,
		TooLarge: problem.New(api.CodeTooLarge, "The body is larger than 8 MiB; put so many machines in one by one."),
	}, s.putMembers)))
	admin.Put("/api/groups/{group}/machines/{machine_id}", change(member, s.Reports.AddMember))
	admin.Delete("/api/groups/{group}/machines/{machine_id}", change(member, s.Reports.RemoveMember))
	admin.Put("/api/groups/{group}/people/{person}", change(personMember, s.Reports.AddPerson))
	admin.Delete("/api/groups/{group}/people/{person}", change(personMember, s.Reports.RemovePerson))
	admin.Delete("/api/people/{person}", negotiate.OnlyJSON(s.Person.Erase))
	admin.Post("/api/people/import", negotiate.OnlyJSON(s.Person.Import))
	admin.Patch("/api/people/{person}", negotiate.OnlyJSON(changeWith(request.Body{Limit: maxPatchBytes, Example: `{"label": "Anna"}`}, s.patchPerson)))
	admin.Put("/api/people/{person}/notes/{note}/answer", s.Notes.Answer)
	admin.Delete("/api/people/{person}/notes/{note}/answer", s.Notes.RemoveAnswer)
	admin.Post("/api/people/{person}/accounts", negotiate.OnlyJSON(changeWith(request.Body{Limit: maxJoinBytes, Example: `{"machine_ids": ["vm-abc123-user1"]}`}, s.joinAccounts)))
	admin.Delete("/api/people/{person}/accounts/{machine_id}", negotiate.OnlyJSON(s.partAccount))
}

// adminRoutes are those about tokens, enrolments and hosts, and who was erased.
func (s *server) adminRoutes(known chi.Router) {
	a := s.Admin
	known.Get("/api/tokens", negotiate.OnlyJSON(a.Tokens))
	known.Post("/api/tokens", negotiate.OnlyJSON(a.AddToken))
	known.Delete("/api/tokens/{token}", a.RemoveToken)
	known.Get("/api/enrollments", negotiate.OnlyJSON(a.Enrollments))
	known.Post("/api/enrollments", negotiate.OnlyJSON(a.AddEnrollment))
	known.Delete("/api/enrollments/{enrollment}", a.RemoveEnrollment)
	known.Get("/api/hosts", negotiate.OnlyJSON(a.Hosts))
	known.Get("/api/hosts/{host_id}", negotiate.OnlyJSON(a.Host))
	known.Patch("/api/hosts/{host_id}", negotiate.OnlyJSON(a.Label))
	known.Delete("/api/hosts/{host_id}/credential", a.RevokeHost)
	known.Post("/api/hosts/{host_id}/machines", negotiate.OnlyJSON(a.Move))
	known.Get("/api/erasures", negotiate.OnlyJSON(s.Person.Erasures))
	known.Get("/api/erasures/{erasure}", negotiate.OnlyJSON(s.Person.Erasure))
}

// policyRoutes are those about policy; hosts come with their credential.
func (s *server) policyRoutes(hosts, known chi.Router) {
	p := s.Policy
	hosts.Get("/api/policy", negotiate.OnlyJSON(p.ForHost))
	hosts.Post("/api/receipts", negotiate.OnlyJSON(p.AddReceipt))
	known.Get("/api/policies", negotiate.OnlyJSON(p.List))
	known.Put("/api/policies", negotiate.OnlyJSON(p.Add))
	known.Get("/api/policies/{version}", negotiate.OnlyJSON(p.One))
	known.Get("/api/host-groups", negotiate.OnlyJSON(p.HostGroups))
	known.Put("/api/host-groups/{host_group}", negotiate.OnlyJSON(p.SetHostGroup))
	known.Delete("/api/host-groups/{host_group}", p.RemoveHostGroup)
	known.Post("/api/host-groups/{host_group}/preview", negotiate.OnlyJSON(p.PreviewNames))
}

// shotRoutes are those about pictures of screens; hosts come with their credential.
func (s *server) shotRoutes(hosts, viewer, known chi.Router) {
	hosts.Post("/api/screenshots", negotiate.OnlyJSON(s.Shots.Take))
	me := viewer.With(s.Self.Own)
	me.Get("/api/me/screenshots", s.screenshots())
	me.Get("/api/me/screenshots/{screenshot}", negotiate.Only(s.Shots.Picture, "image/jpeg"))
	known.With(s.Self.Own).Delete("/api/me/screenshots/{screenshot}", s.Shots.DeleteOwn)
	viewer.Get("/api/people/{person}/screenshots", s.screenshots())
	viewer.Get("/api/screenshots/{screenshot}", negotiate.Only(s.Shots.Picture, "image/jpeg"))
	known.Delete("/api/screenshots/{screenshot}", s.Shots.Delete)
}

// screenshots lists the pictures of a person.
func (s *server) screenshots() http.HandlerFunc {
	return render(s, answer[shots.Question, api.ScreenshotList, api.Screenshot]{
		ask:     shots.Ask,
		at:      shots.Question.At,
		get:     s.Shots.List,
		each:    s.Shots.Each,
		limited: func(q shots.Question) bool { return q.Limited },
		file:    func(q shots.Question) string { return "screenshots-" + q.Person.String() },
		rows:    func(l api.ScreenshotList) ([]api.Screenshot, string) { return l.Screenshots, l.NextCursor },
	})
}

// userRoutes are those about people who log in; strangers come without a login.
func (s *server) userRoutes(strangers, known chi.Router) {
	u := s.Users
	strangers.With(u.ByPassword).Post("/api/login", negotiate.OnlyJSON(u.Login))
	strangers.With(u.ByPassword).Post("/api/invitation", negotiate.OnlyJSON(u.Accept))
	strangers.Get("/login/sso", s.SSO.Begin)
	known.Get("/api/login", negotiate.OnlyJSON(u.Who))
	known.Post("/api/logout", negotiate.OnlyJSON(s.SSO.Logout))
	known.With(userapi.Private).Put("/api/login/password", u.ChangePassword)
	known.With(userapi.Private).Post("/api/login/second-step", negotiate.OnlyJSON(u.BeginSecondStep))
	known.With(userapi.Private).Put("/api/login/second-step", negotiate.OnlyJSON(u.ConfirmSecondStep))
	known.With(userapi.Private).Delete("/api/login/second-step", u.EndSecondStep)
	known.Delete("/api/users/{user}/second-step", u.ForgetSecondStep)
	known.Get("/api/users", negotiate.OnlyJSON(u.List))
	known.With(u.ByPassword).Post("/api/users", negotiate.OnlyJSON(u.Invite))
	known.Get("/api/users/{user}", negotiate.OnlyJSON(u.One))
	known.Patch("/api/users/{user}", negotiate.OnlyJSON(u.Patch))
	known.Put("/api/users/{user}/access", negotiate.OnlyJSON(u.SetAccess))
	known.With(u.ByPassword).Post("/api/users/{user}/invitation", negotiate.OnlyJSON(u.InviteAgain))
	known.Get("/api/users/{user}/sessions", negotiate.OnlyJSON(u.Logins))
	known.Delete("/api/users/{user}/sessions", u.EndLogins)
	known.Delete("/api/users/{user}/sessions/{session}", u.EndLogin)
}

// bounded ends a request that waits for the database too long.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, problem.NotFound("There is no such resource; GET /api/openapi.json lists all."))
}

// notAllowed answers 405 with what is allowed. A method that chi does not know
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
		problem.Write(w, r, problem.New(api.CodeNotAllowed, "The header Allow says which methods this resource has."))
	}
}

func health(w http.ResponseWriter, _ *http.Request) {
	problem.Send(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := s.Ready(ctx)
	if errors.Is(err, httpserver.ErrStopping) {
		e := problem.New(api.CodeStopping, "The server was told to stop; it answers all else for a little while.")
		e.Cause = err
		problem.Write(w, r, e)
		return
	}
	if err != nil {
		problem.Write(w, r, problem.Unavailable(err))
		return
	}
	health(w, r)
}

func (s *server) installScript(w http.ResponseWriter, r *http.Request) { s.Repository.Script(w, r) }

func (s *server) packageFile(w http.ResponseWriter, r *http.Request) {
	s.Repository.Serve(w, r, request.PathValue(r, "file"))
}

// packageByHash answers with a list as it was when the caller read which one to
// take, also while a new one is being put in its place.
func (s *server) packageByHash(w http.ResponseWriter, r *http.Request) {
	s.Repository.Serve(w, r, "by-hash/SHA256/"+request.PathValue(r, "digest"))
}
