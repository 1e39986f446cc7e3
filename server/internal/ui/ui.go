// Package ui has the pages for people: HTML that works without a script, and says in plain
// words what the API says in JSON.
package ui

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/noteapi"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/shots"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/ui/about"
	"activity-tracker.example/server/internal/ui/words"
	"activity-tracker.example/server/internal/userapi"
)

const (
	// maxForm bounds what a form sends: a link and a few words.
	maxForm = 8 << 10
	// pageTimeout bounds making a page.
	pageTimeout = 10 * time.Second
	// looksShown is how many looks a page has, the newest.
	looksShown = "20"
	// picturesShown is how many pictures a page lists, the newest. It shows none of them:
	// each that is shown is a look that is written down, and those would fill the list of
	// who looked.
	picturesShown = 20
	// contentPolicy lets a page load what this server has, and nothing run within it.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// clock and moment are how times are shown.
	clock  = "15:04"
	moment = "2006-01-02 15:04"
)

//go:embed self.html
var selfHTML string

//go:embed static
var embedded embed.FS

// Pages are the pages, and what they show.
type Pages struct {
	Self   *selfapi.API
	Guard  *auth.Guard
	People *byperson.Reports
	// Reports names accounts, Looked who looked; Access is where it is written who looks.
	Reports *report.Reports
	Looked  *looked.List
	Access  *access.Log
	// Shots has pictures of screens.
	Shots *shots.API
	Notes *noteapi.API
	// Policies have the work hours.
	Policies *policies.Policies
	Now      func() time.Time
	// BaseURL is where hosts and people find the server, if anybody has named it.
	BaseURL string
	// About is what the server is.
	About about.Facts

	page   *template.Template
	static http.Handler
	words  *words.Catalogue
}

// read reads what the page of oneself is made of.
func (p *Pages) read() (err error) {
	if p.page, err = template.New("self").Parse(selfHTML); err != nil {
		return fmt.Errorf("reading the page of oneself: %w", err)
	}
	if p.words, err = words.Load(); err != nil {
		return err
	}
	static, err := fs.Sub(embedded, "static")
	if err != nil {
		return fmt.Errorf("finding its style sheet: %w", err)
	}
	p.static = http.StripPrefix("/static/", http.FileServerFS(static))
	return nil
}

// before returns the page of oneself, with next for all other paths.
func (p *Pages) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/self":
			p.self(w, r)
		case "/static/self.js", "/static/page.css":
			as(r, "/static/{file}")
			w.Header().Set("Cache-Control", "no-cache")
			p.static.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// as names a request's route for the log and metrics.
func as(r *http.Request, route string) {
	if c := chi.RouteContext(r.Context()); c != nil {
		c.RoutePatterns = append(c.RoutePatterns, route)
	}
}

// view is what self.html shows.
type view struct {
	W *words.Words
	// Message is what was refused, Confirm the link that is to be confirmed.
	Message, Confirm string
	Own              *own
	TZ               string
	// Draft is the note that was written, where it was refused.
	Draft draft
}

// own is what is kept of somebody's own accounts.
type own struct {
	Accounts   []string
	Partial    bool
	Ends       bool
	Date, Zone string
	Figures    []row
	Apps       []row
	Notes      []note
	Pictures   []picture
	Looks      []look
}

type row struct{ Name, Value string }

type look struct{ When, Who, What string }

// picture is one of a screen. Gone is when it was deleted and by whom; empty: it is there.
type picture struct {
	ID, When, Account, Kind, Gone string
	Deletable                     bool
}

// self shows whoever is measured what is kept of them, and takes links.
func (p *Pages) self(w http.ResponseWriter, r *http.Request) {
	as(r, "/self")
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	w.Header().Add("Vary", "Accept-Language")
	v := &view{W: p.words.Of("", r.Header.Get("Accept-Language")), TZ: cmp.Or(r.URL.Query().Get("tz"), "UTC")}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.show(w, r, v, nil)
	case http.MethodPost:
		p.take(w, r, v)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.show(w, r, v, problem.New(api.CodeNotAllowed, ""))
	}
}

// take takes a link or a note, ends the login of a link, or deletes a picture.
func (p *Pages) take(w http.ResponseWriter, r *http.Request, v *view) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		p.refuse(w, r, v, problem.New(api.CodeForbidden, ""))
		return
	}
	if !userapi.IsPrivate(r) {
		p.refuse(w, r, v, problem.New(api.CodeNoTLS, ""))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.refuse(w, r, v, problem.BadRequest(""))
		return
	}
	v.TZ = cmp.Or(r.PostForm.Get("tz"), "UTC")
	if id := r.PostForm.Get("delete"); id != "" {
		if err := p.deletePicture(r, id); err != nil {
			p.show(w, r, v, err)
			return
		}
		back(w, "self?tz="+url.QueryEscape(v.TZ))
		return
	}
	if r.PostForm.Get("end") != "" {
		if err := p.Self.End(w, r); err != nil {
			p.refuse(w, r, v, err)
			return
		}
		back(w, "self")
		return
	}
	if r.PostForm.Get("note") != "" {
		p.takeNote(w, r, v)
		return
	}
	link := r.PostForm.Get("link")
	_, err := p.Self.Open(w, r, api.SelfSessionRequest{Link: link, Tie: r.PostForm.Get("tie") == "yes"})
	var refusal *problem.Error
	if err = selfapi.AsProblem(err); errors.As(err, &refusal) && refusal.Code == api.CodeLoggedIn {
		v.Confirm = link
	}
	if err != nil {
		p.refuse(w, r, v, err)
		return
	}
	back(w, "self?tz="+url.QueryEscape(v.TZ))
}

// deletePicture deletes a picture of the caller's own. Where the login has ended, or there
// is no such picture, the page shows that next.
func (p *Pages) deletePicture(r *http.Request, id string) error {
	caller, err := p.Guard.LoggedIn(r)
	if err != nil || caller.LoginSession == "" {
		return err
	}
	ctx := auth.As(r.Context(), caller)
	mine, err := p.Self.OwnOf(ctx)
	if err != nil {
		return err
	}
	err = p.Shots.RemoveOwn(ctx, directory.OfMachines(mine.Accounts), id)
	var refusal *problem.Error
	if errors.As(err, &refusal) && refusal.Code == api.CodeNotFound {
		return nil
	}
	return err
}

// back has the browser ask for a page of ours; relative, so that it holds whatever a proxy
// has before the path.
func back(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// show shows what is the caller's own, if they have a login, and what was refused.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, v *view, refused error) {
	caller, err := p.Guard.LoggedIn(r)
	if err == nil && caller.LoginSession != "" {
		v.Own, err = p.own(auth.As(r.Context(), caller), caller.Role == directory.RoleSelf, v)
	}
	if refused == nil {
		refused = selfapi.AsProblem(err)
	}
	p.refuse(w, r, v, refused)
}

// refuse sends the page, with what was refused, if anything was.
func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, v *view, err error) {
	status := http.StatusOK
	if err != nil {
		var refusal *problem.Error
		if !errors.As(selfapi.AsProblem(err), &refusal) {
			refusal = problem.Internal(err)
		}
		outcome := problem.OutcomeOf(r.Context())
		outcome.Code, outcome.Cause = refusal.Code, refusal.Cause
		v.Message = v.W.Or("self.refused."+string(refusal.Code), v.W.T("self.failed"))
		if refusal.Code != api.CodeNotFound { // the page is there, and shows nobody
			status = refusal.Status
		}
		if refusal.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter/time.Second)+1))
		}
	}
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		problem.Write(w, r, problem.Internal(err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error means that the caller has gone
}

// own reads what is the caller's own, and writes down that they look.
func (p *Pages) own(ctx context.Context, link bool, v *view) (*own, error) {
	mine, err := p.Self.OwnOf(ctx)
	if err != nil {
		return nil, err
	}
	day, err := p.today(v.TZ)
	if err != nil {
		v.TZ = "UTC"
		if day, err = p.today(v.TZ); err != nil {
			return nil, err
		}
	}
	scope, person := directory.OfMachines(mine.Accounts), report.PersonID(mine.Person)
	o := &own{Ends: link, Date: day.Date, Zone: day.Zone.String()}
	summing, sums := looked.Begin(ctx, p.Access, looked.At{What: api.LookedSummary, From: day.Start, To: day.End})
	who, err := p.Reports.Person(summing, scope, person)
	if err != nil {
		return nil, err
	}
	for _, a := range who.Accounts {
		o.Accounts = append(o.Accounts, a.MachineID)
	}
	o.Partial = who.Partial
	s, err := p.People.Summary(summing, scope, byperson.PersonDayQuestion{Person: person, Day: day})
	if err != nil {
		return nil, err
	}
	figures(v.W, o, &s, day.Zone)
	if err := sums.Keep(ctx); err != nil {
		return nil, err
	}
	if err := p.pictures(ctx, v.W, o, scope, person); err != nil {
		return nil, err
	}
	if o.Notes, err = p.notes(ctx, scope, person, day); err != nil {
		return nil, err
	}
	v.Draft.Date = cmp.Or(v.Draft.Date, day.Date)
	return o, p.looks(ctx, v.W, o, scope, person)
}

// pictures adds the newest pictures of screens.
func (p *Pages) pictures(ctx context.Context, w *words.Words, o *own, scope directory.Scope, person report.PersonID) error {
	ctx, answer := looked.Begin(ctx, p.Access, looked.At{What: api.LookedScreenshots})
	list, err := p.Shots.Newest(ctx, scope, person, picturesShown)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return err
	}
	for i := range list {
		s := &list[i]
		one := picture{ID: s.ID, When: s.TakenAt.In(zone).Format(moment), Account: s.MachineID, Kind: w.Or("self.kind."+s.Kind, s.Kind), Deletable: s.Deletable}
		if s.DeletedAt != nil {
			one.Gone = w.T("self.deleted", s.DeletedAt.In(zone).Format(moment), deleter(w, *s.DeletedBy))
		}
		o.Pictures = append(o.Pictures, one)
	}
	return answer.Keep(ctx)
}

// today returns the day that it is in a zone.
func (p *Pages) today(zone string) (report.Day, error) {
	now := p.Now()
	day, err := report.ParseDay(now.UTC().Format(time.DateOnly), zone)
	if err != nil {
		return day, err
	}
	return report.ParseDay(now.In(day.Zone).Format(time.DateOnly), zone)
}

// looks adds who looked.
func (p *Pages) looks(ctx context.Context, w *words.Words, o *own, scope directory.Scope, person report.PersonID) error {
	ctx, answer := looked.Begin(ctx, p.Access, looked.At{What: api.LookedAccess})
	q, err := looked.ParsePersonQuestion(person.String(), looksShown, "")
	if err != nil {
		return err
	}
	q.Within = scope
	list, err := p.Looked.PersonAccess(ctx, scope, q)
	if err != nil {
		return err
	}
	for i := range list.Access {
		a := &list.Access[i]
		o.Looks = append(o.Looks, look{a.LastAt.Format(moment), reader(w, a), a.What})
	}
	return answer.Keep(ctx)
}

// figures adds a day's sums.
func figures(w *words.Words, o *own, s *api.PersonSummary, zone *time.Location) {
	at := func(t *time.Time) string {
		if t == nil {
			return w.T("self.none")
		}
		return t.In(zone).Format(clock)
	}
	o.Figures = []row{
		{w.T("self.active"), w.Length(s.ActiveSeconds)},
		{w.T("self.idle"), w.Length(s.IdleSeconds)},
		{w.T("self.first"), at(s.FirstActivity)},
		{w.T("self.last"), at(s.LastActivity)},
		{w.T("self.keys"), strconv.FormatInt(s.KeyCount, 10)},
		{w.T("self.clicks"), strconv.FormatInt(s.MouseClicks, 10)},
		{w.T("self.scroll"), strconv.FormatInt(s.ScrollCount, 10)},
		{w.T("self.distance"), strconv.FormatInt(s.MouseDistancePx, 10) + " px"},
	}
	for _, a := range s.TopApps {
		o.Apps = append(o.Apps, row{a.App, w.Length(a.Seconds)})
	}
}

// reader returns who looked.
func reader(w *words.Words, a *api.Access) string {
	return somebody(w, a.ReaderKind, cmp.Or(a.ReaderName, a.ReaderID))
}

// deleter returns who deleted a picture.
func deleter(w *words.Words, by string) string {
	kind, id, _ := strings.Cut(by, " ")
	return somebody(w, kind, id)
}

func somebody(w *words.Words, kind, name string) string {
	return strings.TrimSpace(w.Or("self.reader."+kind, kind) + " " + name)
}
