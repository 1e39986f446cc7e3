package frame

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/words"
)

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

// RetryAfter is the header of a refusal that has one, in seconds.
func RetryAfter(e *problem.Error) string {
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

// Refuse sends a page with what was refused, and what to do.
func (f *Frame) Refuse(v *Visit, w http.ResponseWriter, err error) {
	e := Refusal(err)
	outcome := problem.OutcomeOf(v.request.Context())
	outcome.Code, outcome.Cause = e.Code, e.Cause
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", RetryAfter(e))
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
