// Package negotiate decides in which form an answer is sent: by ?format=, else by the
// header Accept.
package negotiate

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/tabular"
)

// TypeJSON is the media type of most replies.
const TypeJSON = "application/json"

// Rendering is the form of an answer.
type Rendering int

// The renderings. CSVForExcel is what double-clicking opens rightly.
const (
	JSON Rendering = iota
	CSV
	CSVForExcel
	Workbook
)

// Format returns how a table is sent.
func (r Rendering) Format() tabular.Format {
	switch r {
	case Workbook:
		return tabular.Workbook
	case CSVForExcel:
		return tabular.CSVForExcel
	default:
		return tabular.CSV
	}
}

// maxAcceptRanges bounds how much of a header is looked at: browsers send ten.
const maxAcceptRanges = 64

// Asked returns the rendering that a request wants: by ?format=json|csv|xlsx, else by
// the header Accept; of several that are as welcome the first of these. ?for=excel
// makes CSV what double-clicking opens rightly. The error is a refusal: 400 for
// another format, 406 where the header excludes all.
func Asked(r *http.Request) (Rendering, error) {
	format, given, err := format(r)
	if err != nil {
		return JSON, err
	}
	how, ok := map[string]Rendering{"json": JSON, "csv": CSV, "xlsx": Workbook}[format]
	if given && !ok {
		return JSON, problem.BadRequest("format: want json, csv or xlsx, once")
	}
	if !given {
		if how, ok = welcome(r); !ok {
			return JSON, problem.New(api.CodeNotAcceptable,
				"This is available as application/json, text/csv and "+tabular.WorkbookType+"; the header Accept allows none of them.")
		}
	}
	q := r.URL.Query()
	switch {
	case !q.Has("for"):
		return how, nil
	case q.Get("for") != "excel":
		return JSON, problem.BadRequest("for: want excel")
	case how != CSV:
		return JSON, problem.BadRequest("for: goes only with format=csv")
	}
	return CSVForExcel, nil
}

// welcome returns the rendering that the header Accept likes best, or false where it
// excludes all.
func welcome(r *http.Request) (Rendering, bool) {
	ranges := accepted(r)
	if ranges == nil {
		return JSON, true
	}
	best, most := JSON, 0.0
	for _, each := range []struct {
		rendering Rendering
		kind      string
	}{{JSON, TypeJSON}, {CSV, tabular.CSVType}, {Workbook, tabular.WorkbookType}} {
		if q := quality(ranges, each.kind); q > most {
			best, most = each.rendering, q
		}
	}
	return best, most > 0
}

// OnlyJSON answers where the caller takes JSON.
func OnlyJSON(next http.HandlerFunc) http.HandlerFunc { return Only(next, TypeJSON) }

// Only answers where the caller takes what there is, of the first of these types;
// the others are further names of it. It looks before anything is done.
func Only(next http.HandlerFunc, types ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		if err := acceptsOnly(r, types...); err != nil {
			problem.Write(w, r, err)
			return
		}
		next(w, r)
	}
}

// acceptsOnly refuses a request that wants its answer otherwise than as the first of
// these types, as Asked does; the others are further names of it.
func acceptsOnly(r *http.Request, types ...string) error {
	format, given, err := format(r)
	switch {
	case err != nil:
		return err
	case format == "json" && types[0] == TypeJSON:
		return nil
	case given:
		return problem.BadRequest("format: there is no choice; this is available as " + types[0] + " alone")
	}
	ranges := accepted(r)
	if ranges == nil {
		return nil
	}
	for _, t := range types {
		if quality(ranges, t) > 0 {
			return nil
		}
	}
	return problem.New(api.CodeNotAcceptable,
		"This is available as "+types[0]+" alone, which the header Accept does not allow.")
}

// format is what ?format= holds, all of it where it is there several times. A query
// that can't be read as a whole is refused: the part that is lost might have been
// this.
func format(r *http.Request) (value string, given bool, err error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", false, problem.BadRequest("The query can't be read: " + err.Error())
	}
	return strings.Join(q["format"], ","), q.Has("format"), nil
}

// accepted returns the ranges of the header Accept; nil where there is none.
func accepted(r *http.Request) []string {
	return split(strings.Join(r.Header.Values("Accept"), ","))
}

// split cuts a header at its commas, but for those in a quoted text, and returns the
// first maxAcceptRanges pieces that are not empty (RFC 9110, section 5.6.1.2).
func split(header string) []string {
	var ranges []string
	add := func(piece string) {
		if piece = strings.TrimSpace(piece); piece != "" {
			ranges = append(ranges, piece)
		}
	}
	quoted, escaped, begin := false, false, 0
	for i := range len(header) {
		switch c := header[i]; {
		case escaped:
			escaped = false
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			escaped = true
		case c == ',' && !quoted:
			if add(header[begin:i]); len(ranges) == maxAcceptRanges {
				return ranges
			}
			begin = i + 1
		}
	}
	add(header[begin:])
	return ranges
}

// quality is how welcome a type is, 0 to 1: the weight of the most specific range
// that holds it (RFC 9110, section 12.5.1). A range that can't be read counts for
// nothing.
func quality(ranges []string, wanted string) float64 {
	major, _, _ := strings.Cut(wanted, "/")
	best, q := 0, 0.0
	for _, text := range ranges {
		name, params, ok := mediaRange(text)
		if !ok {
			continue
		}
		specific := 0
		switch name {
		case wanted:
			specific = 3
		case major + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific > best {
			best, q = specific, weight(params)
		}
	}
	return q
}

// mediaRange reads one range. Some clients send * for */*, and parameters without a
// value or twice: these take nothing from the name before them, nor from the weight.
func mediaRange(text string) (name string, params map[string]string, ok bool) {
	name, params, err := mime.ParseMediaType(text)
	if err != nil {
		first, rest, _ := strings.Cut(text, ";")
		if name, params, err = mime.ParseMediaType(first); err != nil {
			return "", nil, false
		}
		for param := range strings.SplitSeq(rest, ";") {
			if key, value, _ := strings.Cut(param, "="); strings.EqualFold(strings.TrimSpace(key), "q") {
				params["q"] = strings.TrimSpace(value)
				break
			}
		}
	}
	if name == "*" {
		name = "*/*"
	}
	return name, params, true
}

func weight(params map[string]string) float64 {
	text, ok := params["q"]
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
