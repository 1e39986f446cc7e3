// Package words has what the pages are worded with, in English and Russian: sentences and
// their plural forms, numbers, lengths of time and dates as each language writes them.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed en ru
var files embed.FS

// Words are those of one language.
type Words struct {
	// Lang is the language's tag, as HTML has it.
	Lang    string
	tag     language.Tag
	printer *message.Printer
	// texts are the sentences by key; one that depends on a number has a form for each
	// kind of number: one, few, many, other.
	texts map[string]text
}

type text struct {
	whole string
	forms map[string]string
}

// UnmarshalJSON reads a sentence, or its plural forms.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.whole) //nolint:wrapcheck // it is the program's own file
	}
	return json.Unmarshal(b, &t.forms) //nolint:wrapcheck // likewise
}

// Catalogue is all languages there are.
type Catalogue struct{ list []*Words }

// Load reads the catalogue that is part of the program: a folder a language, in which each
// page has a file of its own.
func Load() (*Catalogue, error) {
	c := &Catalogue{}
	for _, lang := range []string{"en", "ru"} {
		w := &Words{Lang: lang, tag: language.Make(lang), texts: map[string]text{}}
		w.printer = message.NewPrinter(w.tag)
		list, err := fs.Glob(files, lang+"/*.json")
		if err != nil {
			return nil, fmt.Errorf("listing the words of a language: %w", err)
		}
		for _, name := range list {
			if err := w.read(name); err != nil {
				return nil, err
			}
		}
		c.list = append(c.list, w)
	}
	return c, nil
}

// read adds the sentences of a file.
func (w *Words) read(name string) error {
	b, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading words: %w", err)
	}
	var texts map[string]text
	if err := json.Unmarshal(b, &texts); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	for key, t := range texts {
		if w.Has(key) {
			return fmt.Errorf("reading %s: %s is in another file as well", name, key)
		}
		w.texts[key] = t
	}
	return nil
}

// Languages lists them, the usual one first.
func (c *Catalogue) Languages() []*Words { return c.list }

// Of returns the words of a language that was chosen, or else of the first that a browser
// accepts and there is.
func (c *Catalogue) Of(chosen, accepted string) *Words {
	for _, one := range append([]string{chosen}, strings.Split(accepted, ",")...) {
		tag, _, _ := strings.Cut(strings.TrimSpace(one), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if i := slices.IndexFunc(c.list, func(w *Words) bool { return w.Lang == primary }); i >= 0 {
			return c.list[i]
		}
	}
	return c.list[0]
}

// Keys lists the sentences there are.
func (w *Words) Keys() []string {
	keys := make([]string, 0, len(w.texts))
	for k := range w.texts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Has reports whether there is a sentence.
func (w *Words) Has(key string) bool { _, ok := w.texts[key]; return ok }

// T returns a sentence with its places filled; its key where there is none, which a test
// keeps from happening.
func (w *Words) T(key string, args ...any) string {
	t, ok := w.texts[key]
	switch {
	case !ok:
		return key
	case len(args) == 0:
		return t.whole
	}
	return w.printer.Sprintf(t.whole, args...)
}

// N returns a sentence about so many, in the form that the language has for the number.
func (w *Words) N(key string, n int) string {
	t, ok := w.texts[key]
	if !ok {
		return key
	}
	form, found := t.forms[w.form(n)]
	if !found {
		form = t.forms["other"]
	}
	return w.printer.Sprintf(form, n)
}

func (w *Words) form(n int) string {
	switch plural.Cardinal.MatchPlural(w.tag, n, 0, 0, 0, 0) {
	case plural.One:
		return "one"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	default:
		return "other"
	}
}

// Number writes a whole number.
func (w *Words) Number(n int) string { return w.printer.Sprintf("%d", n) }

// Length writes a length of time in seconds to the minute, as in "7 h 42 min"; under a
// minute in seconds.
func (w *Words) Length(seconds float64) string {
	const minute, hour = 60, 60
	if seconds > 0 && seconds < minute {
		return w.T("length.s", int(math.Round(seconds)))
	}
	minutes := int(seconds/minute + 0.5)
	if minutes < hour {
		return w.T("length.min", minutes)
	}
	return w.T("length.h", minutes/hour, fmt.Sprintf("%02d", minutes%hour))
}

// Clock writes what a clock shows.
func (w *Words) Clock(t time.Time) string { return t.Format("15:04") }

// Moment writes a time of the same day as a clock, any other with its date.
func (w *Words) Moment(t, now time.Time) string {
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return w.Clock(t)
	}
	return w.Date(t) + " " + w.Clock(t)
}

// States are those that a legend explains, by the API's names.
func (w *Words) States() []string {
	return []string{"active", "no_input", "locked", "disconnected", "not_collected"}
}

// Short writes a length of time in seconds for a sheet, as in "7:42"; nothing is a dash.
func (w *Words) Short(seconds float64) string {
	const minute, hour = 60, 60
	minutes := int(seconds/minute + 0.5)
	if seconds <= 0 {
		return "–"
	}
	return fmt.Sprintf("%d:%02d", minutes/hour, minutes%hour)
}

// Or returns a sentence, or other where there is none.
func (w *Words) Or(key, other string) string {
	if w.Has(key) {
		return w.T(key)
	}
	return other
}

// Weekdays are the days of the week, short, from Monday.
func (w *Words) Weekdays() []string {
	days := strings.Split(w.texts["weekdays"].whole, " ")
	return append(days[1:], days[0])
}

// Month writes a month with its year.
func (w *Words) Month(m time.Month, year int) string {
	return fmt.Sprintf("%s %d", strings.Split(w.texts["monthnames"].whole, " ")[int(m)-1], year)
}

// ShortMonth writes a month alone, short.
func (w *Words) ShortMonth(m time.Month) string {
	return strings.Split(w.texts["months"].whole, " ")[int(m)-1]
}

// Date writes a day with its weekday, as in "Thu 26 Nov 2026".
func (w *Words) Date(t time.Time) string {
	day := strings.Split(w.texts["weekdays"].whole, " ")[int(t.Weekday())]
	month := strings.Split(w.texts["months"].whole, " ")[int(t.Month())-1]
	return fmt.Sprintf("%s %d %s %d", day, t.Day(), month, t.Year())
}
