package httpapi

import (
	"errors"
	"iter"
	"net/http"

	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/tabular"
)

// formats answers in the format that the caller asks for. JSON is bounded as a
// whole; a table is bounded by its pieces, since it may be long.
func formats(asJSON, asCSV http.HandlerFunc) http.HandlerFunc {
	return asked(bounded(asJSON), asCSV)
}

// asked answers with the handler of the format that the caller asks for; each
// bounds itself.
func asked(asJSON, asCSV http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		csv, err := askedCSV(r)
		switch {
		case err != nil:
			problem.Write(w, err)
		case csv:
			asCSV(w, r)
		default:
			asJSON(w, r)
		}
	}
}

// only answers where the caller takes what there is, of the first of these types;
// the others are further names of it. It looks before anything is done.
func only(next http.HandlerFunc, types ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		if err := acceptsOnly(r, types...); err != nil {
			problem.Write(w, err)
			return
		}
		next(w, r)
	}
}

// sendTable answers with rows as a file called name.csv.
func sendTable[T any](w http.ResponseWriter, name string, rows iter.Seq2[T, error]) {
	err := tabular.Send(w, name, rows)
	switch b, ok := w.(interface{ BreakOff(error) }); {
	case err == nil:
	case errors.Is(err, tabular.ErrBrokenOff) && ok:
		b.BreakOff(err)
	default:
		problem.Write(w, asProblem(err))
	}
}

// sendPage answers with one page as a table, and with a link to the next, if any
// (RFC 8288).
func sendPage[T any](w http.ResponseWriter, r *http.Request, name string, rows []T, next string, err error) {
	if err != nil {
		problem.Write(w, asProblem(err))
		return
	}
	if next != "" {
		q := r.URL.Query()
		q.Set("cursor", next)
		w.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
	}
	sendTable(w, name, func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	})
}
