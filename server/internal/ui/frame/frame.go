// Package frame is what all pages share: who looks at them, in which language, colours and
// zone, the bar around them, and what is said where something is refused.
package frame

import (
	"context"
	_ "embed" // for the layout
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/limiter"
	"activity-tracker.example/server/internal/permission"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/ui/words"
)

const (
	// pageTimeout bounds making a page.
	pageTimeout = 20 * time.Second
	// pagesAtOnce is how many pages a caller may have under way, and turnWait how long one
	// more waits, as for answers of the API.
	pagesAtOnce = 16
	turnWait    = 5 * time.Second
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
	// Act does what a form of the page asks for, by Visit.Do; nil: it has no forms that
	// change anything.
	Act func(v *Visit) (Done, error)
	// FormBytes bounds a form; 0 means MaxForm.
	FormBytes int64
	// Admin puts it below "Administration" in the bar.
	Admin bool
}

// Open is a page that comes before a login: it answers by itself.
type Open struct {
	Name string
	HTML string
	// Browsers means that the API answers there, and Serve only the browsers that people go
	// there with.
	Browsers bool
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
	assets    map[string]asset
	// turns bounds the pages that each caller has under way.
	turns *limiter.Limiter[string]
	// api answers what forms ask for.
	api http.Handler
	// buffers are *bytes.Buffer that no page is made in.
	buffers sync.Pool
}

// New makes a frame, or returns what is wrong with its templates.
func New(o Options) (*Frame, error) {
	catalogue, err := words.Load()
	if err != nil {
		return nil, fmt.Errorf("loading what the pages are worded with: %w", err)
	}
	f := &Frame{o: o, catalogue: catalogue, templates: map[string]*template.Template{}, rules: map[string]auth.Rule{}, turns: limiter.New[string](pagesAtOnce, turnWait)}
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
	if f.assets, err = assets(); err != nil {
		return nil, err
	}
	return f, nil
}

// refusedPage is the name of the page without anything but what was refused.
const refusedPage = "-"

// Before returns the pages, with next for all other paths; it is the API as well, by which
// the pages act.
func (f *Frame) Before(next http.Handler) http.Handler {
	f.api = next
	pages, opens := map[string]Page{}, map[string]Open{}
	for _, p := range f.o.Pages {
		pages["/"+p.Name] = p
	}
	for _, p := range f.o.Opens {
		opens["/"+p.Name] = p
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath() // a name after a page's may have a slash within it
		if page, found := pages[path]; found {
			as(r, path)
			f.page(w, r, page, "")
			return
		}
		if i := strings.LastIndexByte(path, '/'); i > 0 && i < len(path)-1 {
			page, found := pages[path[:i+1]]
			if id, err := url.PathUnescape(path[i+1:]); found && err == nil {
				as(r, path[:i+1]+"{id}")
				f.page(w, r, page, id)
				return
			}
		}
		if open, found := opens[path]; found && (!open.Browsers || goesThere(r)) {
			as(r, path)
			f.open(w, r, open)
			return
		}
		if file, found := f.assets[strings.TrimPrefix(path, "/static/")]; found && strings.HasPrefix(path, "/static/") {
			as(r, "/static/{file}")
			file.ServeHTTP(w, r)
			return
		}
		switch path {
		case "/preferences":
			as(r, path)
			f.prefer(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// goesThere reports whether a request is a browser's that somebody goes to a page with.
func goesThere(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// as names a request's route for the log and metrics.
func as(r *http.Request, route string) {
	if c := chi.RouteContext(r.Context()); c != nil {
		c.RoutePatterns = append(c.RoutePatterns, route)
	}
}

// page answers with a page, or has the browser log in first.
func (f *Frame) page(w http.ResponseWriter, r *http.Request, p Page, id string) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	caller, err := f.o.Guard.LoggedIn(r)
	v := f.visit(r, caller)
	v.ID = id
	if err == nil && caller.LoginSession == "" {
		to := p.Name + url.PathEscape(id)
		if r.Method == http.MethodGet {
			to += query(r)
		}
		See(w, v.root()+"login?"+url.Values{"to": {to}}.Encode())
		return
	}
	if err == nil && p.Name == "" {
		if to := f.first(v); to != "" {
			See(w, v.root()+to)
			return
		}
	}
	if err == nil {
		err = f.mayOpen(v, w, p)
	}
	var data any
	if err == nil && r.Method == http.MethodPost {
		f.act(v, w, p)
		return
	}
	if err == nil {
		data, err = f.inTurn(v, p)
	}
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	f.Show(v, w, p.Name, http.StatusOK, data, v.Done(w))
}

// first returns where somebody goes on to whom the first page is not for: another page of theirs,
// and that of oneself where there is no other. Empty: they may open the first.
func (f *Frame) first(v *Visit) string {
	to := ""
	for _, p := range f.o.Pages {
		switch {
		case p.Hidden || !f.rules["GET /"+p.Name].Permits(v.Caller):
		case p.Name == "":
			return ""
		case to == "" || to == ownPage:
			to = p.Name
		}
	}
	return to
}

// ownPage is the name of the page of oneself.
const ownPage = "me"

// mayOpen returns why a visitor may not do that with a page.
func (f *Frame) mayOpen(v *Visit, w http.ResponseWriter, p Page) error {
	route := "GET /" + p.Name
	if v.ID != "" {
		route += "{id}"
	}
	allowed := []string{http.MethodGet, http.MethodHead}
	if p.Act != nil {
		allowed = append(allowed, http.MethodPost)
	}
	switch {
	case !slices.Contains(allowed, v.request.Method):
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return problem.New(api.CodeNotAllowed, "")
	case (v.ID == "") == strings.HasSuffix(p.Name, "/"):
		return problem.NotFound("")
	case !f.rules[route].Permits(v.Caller):
		return problem.New(api.CodeForbidden, "")
	}
	return nil
}

// turn waits for the caller's turn, and returns what ends it.
func (f *Frame) turn(v *Visit) (end func(), err error) {
	end, ok := f.turns.Take(v.Context(), v.Caller.ID)
	if !ok {
		e := problem.New(api.CodeRateLimited, "")
		e.RetryAfter = turnWait
		return nil, e
	}
	return end, nil
}

// inTurn makes a page when it is the caller's turn.
func (f *Frame) inTurn(v *Visit, p Page) (any, error) {
	end, err := f.turn(v)
	if err != nil {
		return nil, err
	}
	defer end()
	return f.made(v, p)
}

// made makes a page, and has it written down what was read for it.
func (f *Frame) made(v *Visit, p Page) (any, error) {
	data, err := p.Make(v)
	if err == nil && v.look != nil {
		err = v.look.Keep(v.Context())
	}
	return data, err
}

func (f *Frame) open(w http.ResponseWriter, r *http.Request, o Open) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	caller, err := f.o.Guard.LoggedIn(r)
	r = r.WithContext(auth.As(ctx, caller))
	v := f.visit(r, caller)
	if err == nil && r.Method == http.MethodPost {
		err = ownForm(w, r, MaxForm)
	}
	if err != nil {
		f.Refuse(v, w, err)
		return
	}
	o.Serve(v, w, r)
}
