// Package frame is what all pages share: who looks at them, in which language, colours and
// zone, the bar around them, and what is said where something is refused.
package frame

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/ui/words"
)

const (
	// pageTimeout bounds making a page.
	pageTimeout = 20 * time.Second
	// MaxForm bounds what a form sends.
	MaxForm = 16 << 10
	// contentPolicy lets a page load what this server has, and nothing run within it.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	// chosenFor is how long a browser keeps language, colours and zone.
	chosenFor = 365 * 24 * time.Hour
)

//go:embed layout.html
var layoutHTML string

//go:embed static
var static embed.FS

// Page is one page for people who have logged in.
type Page struct {
	// Name is its path without the slash; empty for the first. One that ends in a slash has
	// an id after it.
	Name string
	// Hidden leaves it out of the bar.
	Hidden bool
	// HTML defines "main", with what Make returns as .Data.
	HTML string
	// Make reads what the page shows. Whatever it reads about people is written down before
	// the page goes out.
	Make func(v *Visit) (any, error)
}

// Open is a page that comes before a login: it answers by itself.
type Open struct {
	Name string
	HTML string
	// Serve answers, mostly by Frame.Show.
	Serve func(v *Visit, w http.ResponseWriter, r *http.Request)
}

// Options are what a frame is made of.
type Options struct {
	Guard  *auth.Guard
	Access *access.Log
	Now    func() time.Time
	Pages  []Page
	Opens  []Open
}

// Frame serves pages.
type Frame struct {
	o         Options
	catalogue *words.Catalogue
	templates map[string]*template.Template
	rules     map[string]auth.Rule
	static    http.Handler
}

// New makes a frame, or returns what is wrong with its templates.
func New(o Options) (*Frame, error) {
	catalogue, err := words.Load()
	if err != nil {
		return nil, fmt.Errorf("loading what the pages are worded with: %w", err)
	}
	f := &Frame{o: o, catalogue: catalogue, templates: map[string]*template.Template{}, rules: map[string]auth.Rule{}}
	layout, err := template.New("layout").Parse(layoutHTML)
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	add := func(name, html string) error {
		page, err := layout.Clone()
		if err == nil {
			page, err = page.Parse(html)
		}
		if err != nil {
			return fmt.Errorf("reading the page %q: %w", name, err)
		}
		f.templates[name] = page
		return nil
	}
	for _, p := range o.Pages {
		err = errors.Join(err, add(p.Name, p.HTML))
	}
	for _, p := range o.Opens {
		err = errors.Join(err, add(p.Name, p.HTML))
	}
	if err != nil {
		return nil, err
	}
	if err := add(refusedPage, `{{define "main"}}{{end}}`); err != nil {
		return nil, err
	}
	for _, p := range permission.Pages() {
		f.rules[p.Route] = p.Rule
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("finding the style sheet: %w", err)
	}
	f.static = http.StripPrefix("/static/", http.FileServerFS(files))
	return f, nil
}

// refusedPage is the name of the page without anything but what was refused.
const refusedPage = "-"

// Before returns the pages, with next for all other paths.
func (f *Frame) Before(next http.Handler) http.Handler {
	pages, opens := map[string]Page{}, map[string]Open{}
	for _, p := range f.o.Pages {
		pages["/"+p.Name] = p
	}
	for _, p := range f.o.Opens {
		opens["/"+p.Name] = p
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if page, found := pages[path]; found {
			as(r, path)
			f.page(w, r, page, "")
			return
		}
		if i := strings.LastIndexByte(path, '/'); i > 0 && i < len(path)-1 {
			if page, found := pages[path[:i+1]]; found {
				as(r, path[:i+1]+"{id}")
				f.page(w, r, page, path[i+1:])
				return
			}
		}
		if open, found := opens[path]; found {
			as(r, path)
			f.open(w, r, open)
			return
		}
		switch path {
		case "/static/dashboard.css", "/static/dashboard.js", "/static/icon.svg":
			as(r, "/static/{file}")
			w.Header().Set("Cache-Control", "no-cache")
			f.static.ServeHTTP(w, r)
		case "/preferences":
			as(r, path)
			f.prefer(w, r)
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

// Visit is one look at a page.
type Visit struct {
	Caller auth.Principal
	// ID is what follows the page's name.
	ID      string
	Words   *words.Words
	Query   url.Values
	Zone    *time.Location
	Now     time.Time
	request *http.Request
	look    *looked.Answer
	access  *access.Log
	keeping context.Context
}

// Context is the request's, in which it is noted whose data is read once Look was called.
func (v *Visit) Context() context.Context {
	if v.keeping != nil {
		return v.keeping
	}
	return v.request.Context()
}

// Look has what is read about people from now on written down as this. Many means that the
// page is about several, whoever is on it.
func (v *Visit) Look(at looked.At, many bool) {
	v.keeping, v.look = looked.Begin(v.request.Context(), v.access, at)
	if many {
		v.look.Several()
	}
}

// At writes a time as the visitor's clock shows it.
func (v *Visit) At(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return v.Words.Clock(t.In(v.Zone))
}

// visit finds out who asks, and how they read.
func (f *Frame) visit(r *http.Request, caller auth.Principal) *Visit {
	v := &Visit{
		Caller: caller, Query: r.URL.Query(), Zone: time.UTC, Now: f.o.Now(), request: r.WithContext(auth.As(r.Context(), caller)), access: f.o.Access,
		Words: f.catalogue.Of(cookie(r, "lang"), r.Header.Get("Accept-Language")),
	}
	for _, name := range []string{v.Query.Get("tz"), cookie(r, "tz")} {
		if name == "" {
			continue
		}
		if day, err := report.ParseDay(v.Now.UTC().Format(time.DateOnly), name); err == nil {
			v.Zone = day.Zone
			break
		}
	}
	return v
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie("activity-tracker-" + name)
	if err != nil {
		return ""
	}
	return c.Value
}

// page answers with a page, or has the browser log in first.
func (f *Frame) page(w http.ResponseWriter, r *http.Request, p Page, id string) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	caller, err := f.o.Guard.LoggedIn(r)
	v := f.visit(r, caller)
	v.ID = id
	rule := f.rules["GET /"+p.Name]
	if id != "" {
		rule = f.rules["GET /"+p.Name+"{id}"]
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		err = problem.New(api.CodeNotAllowed, "")
	case err == nil && caller.LoginSession == "":
		see(w, v.root()+"login?"+url.Values{"to": {p.Name + id + query(r)}}.Encode())
		return
	case err == nil && (id == "") == strings.HasSuffix(p.Name, "/"):
		err = problem.NotFound("")
	case err == nil && !rule.Permits(caller):
		err = problem.New(api.CodeForbidden, "")
	}
	var data any
	if err == nil {
		data, err = p.Make(v)
	}
	if err == nil && v.look != nil {
		err = v.look.Keep(v.Context())
	}
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	f.Show(v, w, p.Name, http.StatusOK, data, "")
}

// root leads from the page to the first one, so that links hold whatever a proxy has before
// the path.
func (v *Visit) root() string {
	return strings.Repeat("../", strings.Count(strings.TrimPrefix(v.request.URL.Path, "/"), "/"))
}

// query is a request's, with its question mark.
func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

func (f *Frame) open(w http.ResponseWriter, r *http.Request, o Open) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	caller, err := f.o.Guard.LoggedIn(r)
	r = r.WithContext(auth.As(ctx, caller))
	v := f.visit(r, caller)
	if err == nil && r.Method == http.MethodPost {
		err = ownForm(w, r)
	}
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	o.Serve(v, w, r)
}

// ownForm reads a form that a page of ours has sent.
func ownForm(w http.ResponseWriter, r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return problem.New(api.CodeForbidden, "")
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		return problem.BadRequest("")
	}
	return nil
}

// See has the browser ask for a page of ours; relative, so that it holds whatever a proxy has
// before the path.
func see(w http.ResponseWriter, to string) {
	w.Header().Set("Location", "./"+to)
	w.WriteHeader(http.StatusSeeOther)
}

// See is see for pages.
func See(w http.ResponseWriter, to string) { see(w, to) }

// prefer keeps what a visitor prefers in their browser.
func (f *Frame) prefer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := ownForm(w, r); err != nil {
		f.Refuse(f.visit(r, auth.Principal{}), w, err)
		return
	}
	for _, name := range []string{"lang", "theme", "tz"} {
		value := r.PostForm.Get(name)
		if value == "" || len(value) > 64 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != "" {
			continue
		}
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // no secret: also kept by who tries the server without TLS
			Name: "activity-tracker-" + name, Value: value, MaxAge: int(chosenFor / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	see(w, Local(r.PostForm.Get("to")))
}

// Local returns a path below ours that a browser may be sent to; empty for anything else.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "/") || strings.ContainsAny(to, "\\:\r\n\t") || strings.Contains(u.Path, "..") {
		return ""
	}
	return to
}

// Shown is what the layout shows.
type Shown struct {
	*Visit
	W *words.Words
	// Here is the page's name; Path the page with its query, for forms that come back; Root
	// leads to the first page.
	Here, Path, Root string
	Theme            string
	Languages        []*words.Words
	// Bar are the pages that the visitor may open.
	Bar []string
	// Message is what was refused.
	Message string
	Data    any
}

// Show sends a page, with what was refused on it, if anything was.
func (f *Frame) Show(v *Visit, w http.ResponseWriter, name string, status int, data any, message string) {
	s := Shown{
		Visit: v, W: v.Words, Here: name, Theme: cookie(v.request, "theme"), Languages: f.catalogue.Languages(), Message: message, Data: data,
		Path: strings.TrimPrefix(v.request.URL.Path, "/") + query(v.request), Root: v.root(),
	}
	if s.Theme != "light" && s.Theme != "dark" {
		s.Theme = ""
	}
	for _, p := range f.o.Pages {
		if !p.Hidden && f.rules["GET /"+p.Name].Permits(v.Caller) {
			s.Bar = append(s.Bar, p.Name)
		}
	}
	var b bytes.Buffer
	if err := f.templates[name].ExecuteTemplate(&b, "layout", s); err != nil {
		problem.Write(w, v.request, problem.Internal(err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store") // after logout, going back shows nothing
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if v.request.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // an error means that the caller has gone
	}
}

// Refuse sends a page that says what was refused, and what to do.
func (f *Frame) Refuse(v *Visit, w http.ResponseWriter, err error) {
	e := Refusal(err)
	outcome := problem.OutcomeOf(v.request.Context())
	outcome.Code, outcome.Cause = e.Code, e.Cause
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	f.Show(v, w, refusedPage, e.Status, nil, Worded(v.Words, e.Code))
}

// Worded is what is said of a refusal.
func Worded(w *words.Words, code api.Code) string {
	if key := "refused." + string(code); w.Has(key) {
		return w.T(key)
	}
	return w.T("refused.other")
}
