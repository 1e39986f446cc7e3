package frame

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

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
	// Admin are those of administration.
	Admin []string
	// Account means that the visitor has a login of their own to change.
	Account bool
	// Message is what was refused, or done.
	Message Message
	Data    any
}

// Message is what stands above a page.
type Message struct {
	// Text is what was refused, or done; empty: there is no message.
	Text string
	// Detail is what the API has to say of a refusal, in English.
	Detail string
	Done   bool
}

// Show sends a page, with a message above it.
func (f *Frame) Show(v *Visit, w http.ResponseWriter, name string, status int, data any, message Message) {
	s := Shown{
		Visit: v, W: v.Words, Here: name, Theme: cookie(v.request, "theme"), Languages: f.catalogue.Languages(), Message: message, Data: data,
		Path: strings.TrimPrefix(v.request.URL.EscapedPath(), "/") + query(v.request), Root: v.root(),
	}
	if s.Theme != "light" && s.Theme != "dark" {
		s.Theme = ""
	}
	for _, p := range f.o.Pages {
		switch {
		case p.Hidden || !f.rules["GET /"+p.Name].Permits(v.Caller):
		case p.Admin:
			s.Admin = append(s.Admin, p.Name)
		default:
			s.Bar = append(s.Bar, p.Name)
		}
	}
	s.Account = f.rules["GET /account"].Permits(v.Caller)
	b := f.buffer()
	defer f.keep(b)
	if err := f.templates[name].ExecuteTemplate(b, "layout", s); err != nil {
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

// maxKept is how large a buffer is kept for another page. It has twice the room of the largest
// page that is usual, as it has grown by doubling.
const maxKept = 4 << 20

// buffer returns room for a page. What grows from nothing is copied a dozen times, which takes as
// long as many a page.
func (f *Frame) buffer() *bytes.Buffer {
	if b, ok := f.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return &bytes.Buffer{}
}

// keep keeps it for another page.
func (f *Frame) keep(b *bytes.Buffer) {
	if b.Cap() <= maxKept {
		b.Reset()
		f.buffers.Put(b)
	}
}

// RetryAfter is the header of a refusal that has one, in seconds.
func RetryAfter(e *problem.Error) string {
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

// Refuse sends a page with what was refused, and what to do.
func (f *Frame) Refuse(v *Visit, w http.ResponseWriter, err error) {
	e := f.refused(v, w, err)
	f.Show(v, w, refusedPage, e.Status, nil, Worded(v.Words, e))
}

// refused notes a refusal for the log, and when to try again.
func (f *Frame) refused(v *Visit, w http.ResponseWriter, err error) *problem.Error {
	e := Refusal(err)
	outcome := problem.OutcomeOf(v.request.Context())
	outcome.Code, outcome.Cause = e.Code, e.Cause
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", RetryAfter(e))
	}
	return e
}

// Worded is what stands above a page for a refusal.
func Worded(w *words.Words, e *problem.Error) Message {
	if key := "refused." + string(e.Code); w.Has(key) {
		return Message{Text: w.T(key), Detail: e.Detail}
	}
	return Message{Text: w.T("failed.other"), Detail: e.Detail}
}
