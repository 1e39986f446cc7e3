package httpapi

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpapi/negotiate"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/tabular"
)

// answer is what a route answers a question of type Q with: a value of type V, which
// JSON shows whole and a table as rows.
type answer[Q, V, Row any] struct {
	// ask reads the question.
	ask func(*http.Request) (Q, error)
	// at is what an answer shows of whoever it is about, and of which time; nil: it is
	// about nobody.
	at func(Q) looked.At
	// get answers it, or a page of it where it is a list.
	get func(context.Context, directory.Scope, Q) (V, error)
	// beside adds to the value what a table does not show, and writes down itself that it
	// was looked at; nil: there is nothing.
	beside func(context.Context, directory.Scope, Q, *V) error
	// within bounds get; 0: answerTimeout.
	within time.Duration
	// header sets the headers that depend on the value; nil: none do.
	header func(http.Header, V)
	// file names a table.
	file func(Q) string
	// rows returns the value's rows, and the cursor of the next page, if any.
	rows func(V) ([]Row, string)
	// each returns all rows of a list, for a table without a limit. It may be long,
	// and bounds its pages itself. Nil: what get answers is all.
	each func(context.Context, directory.Scope, Q) iter.Seq2[Row, error]
	// limited reports whether the question asks for one page of a list.
	limited func(Q) bool
}

// render returns the handler of a route, which answers in the rendering that the
// caller asks for.
func render[Q, V, Row any](s *server, a answer[Q, V, Row]) http.HandlerFunc {
	if a.within == 0 {
		a.within = answerTimeout
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		how, err := negotiate.Asked(r)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		q, err := a.ask(r)
		if err != nil {
			problem.Write(w, r, asProblem(err))
			return
		}
		if how != negotiate.JSON && a.each != nil && !a.limited(q) {
			sendTable(s, w, r, how, a.file(q), func(ctx context.Context) iter.Seq2[Row, error] {
				ctx, look := a.look(ctx, s, q)
				return looked.Rows(ctx, look, a.each(ctx, auth.Caller(ctx).Scope, q))
			})
			return
		}
		a.page(s, w, r, how, q)
	}
}

// look returns a context for answering a question, in which it is noted whose data is
// read.
func (a *answer[Q, V, Row]) look(ctx context.Context, s *server, q Q) (context.Context, *looked.Answer) {
	var at looked.At
	if a.at != nil {
		at = a.at(q)
	}
	return looked.Begin(ctx, s.Access, at)
}

// page answers with what get returns.
func (a *answer[Q, V, Row]) page(s *server, w http.ResponseWriter, r *http.Request, how negotiate.Rendering, q Q) {
	ctx, cancel := context.WithTimeout(r.Context(), a.within)
	defer cancel()
	ctx, look := a.look(ctx, s, q)
	v, err := a.get(ctx, auth.Caller(ctx).Scope, q)
	if err == nil && a.beside != nil && how == negotiate.JSON {
		err = a.beside(ctx, auth.Caller(ctx).Scope, q, &v)
	}
	if err == nil {
		err = look.Keep(ctx)
	}
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	if a.header != nil {
		a.header(w.Header(), v)
	}
	if how == negotiate.JSON {
		problem.Send(w, http.StatusOK, v)
		return
	}
	rows, next := a.rows(v)
	if next != "" {
		w.Header().Set("Link", nextLink(r, next))
	}
	sendTable(s, w, r, how, a.file(q), func(context.Context) iter.Seq2[Row, error] { return each(rows) })
}

// nextLink leads to the next page (RFC 8288). It is relative, so that it holds
// whatever a proxy has before the path.
func nextLink(r *http.Request, cursor string) string {
	q := r.URL.Query()
	q.Set("cursor", cursor)
	return "<?" + q.Encode() + `>; rel="next"`
}

// each returns rows one by one.
func each[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// sendTable answers with rows as a file of that name.
func sendTable[Row any](s *server, w http.ResponseWriter, r *http.Request, how negotiate.Rendering, name string, rows func(context.Context) iter.Seq2[Row, error]) {
	ctx := r.Context()
	if how == negotiate.Workbook {
		end, err := s.workbooks.take(ctx, auth.Caller(ctx).ID)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		defer end()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, workbookTimeout)
		defer cancel()
	}
	err := tabular.Send(w, how.Format(), name, rows(ctx))
	switch {
	case err == nil:
	case errors.Is(err, tabular.ErrBrokenOff):
		problem.OutcomeOf(ctx).BreakOff(err)
	default:
		problem.Write(w, r, asProblem(err))
	}
}
