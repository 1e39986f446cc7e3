package httpapi

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

// typeJSON is the media type of most replies.
const typeJSON = "application/json"

// rendering is the form of an answer.
type rendering int

const (
	asJSON rendering = iota
	asCSV
	asCSVForExcel
	asWorkbook
)

// format returns how a table is sent.
func (r rendering) format() tabular.Format {
	switch r {
	case asWorkbook:
		return tabular.Workbook
	case asCSVForExcel:
		return tabular.CSVForExcel
	default:
		return tabular.CSV
	}
}

// maxAcceptRanges bounds how much of a header is looked at: browsers send ten.
const maxAcceptRanges = 64

// asked returns the rendering that a request wants: by ?format=json|csv|xlsx, else by
// the header Accept; of several that are as welcome the first of these. ?for=excel
// makes CSV what double-clicking opens rightly. The error is a refusal: 400 for
// another format, 406 where the header excludes all.
func asked(r *http.Request) (rendering, error) {
	format, given, err := format(r)
	if err != nil {
		return asJSON, err
	}
	how, ok := map[string]rendering{"json": asJSON, "csv": asCSV, "xlsx": asWorkbook}[format]
	if given && !ok {
		return asJSON, problem.BadRequest("format: want json, csv or xlsx, once")
	}
	if !given {
		if how, ok = welcome(r); !ok {
			return asJSON, problem.New(api.CodeNotAcceptable,
				"This is available as application/json, text/csv and "+tabular.WorkbookType+"; the header Accept allows none of them.")
		}
	}
	q := r.URL.Query()
	switch {
	case !q.Has("for"):
		return how, nil
	case q.Get("for") != "excel":
		return asJSON, problem.BadRequest("for: want excel")
	case how != asCSV:
		return asJSON, problem.BadRequest("for: goes only with format=csv")
	}
	return asCSVForExcel, nil
}

// welcome returns the rendering that the header Accept likes best, or false where it
// excludes all.
func welcome(r *http.Request) (rendering, bool) {
	ranges := accepted(r)
	if ranges == nil {
		return asJSON, true
	}
	best, most := asJSON, 0.0
	for _, each := range []struct {
		rendering rendering
		kind      string
	}{{asJSON, typeJSON}, {asCSV, tabular.CSVType}, {asWorkbook, tabular.WorkbookType}} {
		if q := quality(ranges, each.kind); q > most {
			best, most = each.rendering, q
		}
	}
	return best, most > 0
}

// onlyJSON answers where the caller takes JSON.
func onlyJSON(next http.HandlerFunc) http.HandlerFunc { return only(next, typeJSON) }

// only answers where the caller takes what there is, of the first of these types;
// the others are further names of it. It looks before anything is done.
func only(next http.HandlerFunc, types ...string) http.HandlerFunc {
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
// these types, as asked does; the others are further names of it.
func acceptsOnly(r *http.Request, types ...string) error {
	format, given, err := format(r)
	switch {
	case err != nil:
		return err
	case format == "json" && types[0] == typeJSON:
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

// format is what ?format= says, all of it where it is there several times. A query
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

// split cuts a header at its commas, but for those in a quoted text, and gives the
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

// quality is how welcome a type is, 0 to 1: what the most specific range that
// holds it says (RFC 9110, section 12.5.1). A range that can't be read says
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
