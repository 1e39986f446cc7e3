package frame

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/ui/words"
)

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
	api     http.Handler
	// Form is what a form has sent; empty on a page that is only looked at.
	Form url.Values
	// Shown is what Act has to show once, such as a new token.
	Shown any
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
		Caller: caller, Query: r.URL.Query(), Zone: time.UTC, Now: f.o.Now(), request: r.WithContext(auth.As(r.Context(), caller)), access: f.o.Access, api: f.api,
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

// Range is the first and the last day that a page is about: those in its query, or by the
// visitor's clock so many days back.
func (v *Visit) Range(first, last int) (from, to string) {
	today := v.Now.In(v.Zone)
	back := func(days int) string { return today.AddDate(0, 0, -days).Format(time.DateOnly) }
	return cmp.Or(v.Query.Get("from"), back(first)), cmp.Or(v.Query.Get("to"), back(last))
}

// root leads from the page to the first one, so that links hold whatever a proxy has before
// the path.
func (v *Visit) root() string {
	return strings.Repeat("../", strings.Count(strings.TrimPrefix(v.request.URL.EscapedPath(), "/"), "/"))
}

// query is a request's, with its question mark.
func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// maxNames is how many groups a page offers to choose from.
const maxNames = 200

// GroupNames returns the names of the first groups that the visitor may see.
func (v *Visit) GroupNames(reports *report.Reports) ([]string, error) {
	list, err := reports.Groups(v.Context(), v.Caller.Scope, report.Page{Limit: maxNames})
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	names := make([]string, len(list.Groups))
	for i := range list.Groups {
		names[i] = list.Groups[i].Name
	}
	return names, nil
}
