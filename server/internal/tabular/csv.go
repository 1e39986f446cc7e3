// Package tabular answers with tables as files: CSV for people and their spreadsheets,
// made from the same rows as the JSON replies. A table is streamed, so that its length
// costs no memory.
package tabular

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Writer writes rows as CSV after RFC 4180: UTF-8, CRLF, a header of the fields'
// JSON names. So a table has the same columns by the same names as the JSON list
// of the same type T, a struct. Numbers, truths and times are written as they are
// in JSON, what is absent as nothing, texts made safe (see Text), and a list
// within a row as the text of its JSON.
type Writer[T any] struct {
	csv    *csv.Writer
	fields []int
	cells  []string
	header []string
}

// NewWriter makes a writer; nothing is written until the first call.
func NewWriter[T any](w io.Writer) *Writer[T] {
	out := &Writer[T]{csv: csv.NewWriter(w)}
	out.csv.UseCRLF = true
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" || !t.Field(i).IsExported() {
			continue
		}
		out.fields = append(out.fields, i)
		out.header = append(out.header, name)
	}
	out.cells = make([]string, len(out.fields))
	return out
}

// Header writes the header, once.
func (w *Writer[T]) Header() error {
	header := w.header
	w.header = nil
	if header == nil {
		return nil
	}
	return w.csv.Write(header)
}

// Write adds a row, and the header before the first. It may keep the row until
// Flush.
func (w *Writer[T]) Write(row T) error {
	if err := w.Header(); err != nil {
		return err
	}
	v := reflect.ValueOf(row)
	for i, field := range w.fields {
		text, err := cell(v.Field(field))
		if err != nil {
			return err
		}
		w.cells[i] = text
	}
	return w.csv.Write(w.cells)
}

// Flush hands on what Write kept.
func (w *Writer[T]) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

func cell(v reflect.Value) (string, error) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", nil
		}
		v = v.Elem()
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		t, _ := reflect.TypeAssert[time.Time](v)
		return t.UTC().Format(time.RFC3339Nano), nil
	}
	switch v.Kind() {
	case reflect.String:
		return Text(v.String()), nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return number(v.Float()), nil
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return "", nil
		}
	default:
	}
	// People read it, and nobody puts it into HTML: R&D and not R\u0026D.
	var text strings.Builder
	list := json.NewEncoder(&text)
	list.SetEscapeHTML(false)
	if err := list.Encode(v.Interface()); err != nil {
		return "", fmt.Errorf("writing a list into a cell: %w", err)
	}
	return Text(strings.TrimSuffix(text.String(), "\n")), nil
}

// number writes a float without an exponent, which some spreadsheets take for
// text, and what is no number as nothing.
func number(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// starts are the characters that begin a formula in a cell, in some spreadsheet;
// the wide ones are taken for their ASCII twins in East Asian locales.
const starts = "=+-@\t\r\n＝＋－＠"

// separators end a cell where a file is read with another separator than the
// comma, as spreadsheets do whose locale writes decimals with one. Quotes that
// follow one are doubled in the file, and so open and close a part of that cell
// which is empty: what comes after them begins it.
const separators = ";\t\n"

// Text makes a text safe as a cell: one that a spreadsheet would run as a formula
// gets a leading apostrophe, which spreadsheets show as text, and so does what
// follows a separator of another locale within it. Line breaks become LF and NUL
// is left out: CSV has no way to write them that all programs read. Other control
// characters become U+FFFD, since some steer a terminal that a file is shown in.
func Text(s string) string {
	if strings.ContainsAny(s, "\r\x00") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(s)
	}
	s = visible(s)
	var safe strings.Builder
	written, first, inner := 0, true, false
	for i, c := range s {
		if first && strings.ContainsRune(starts, c) {
			safe.WriteString(s[written:i])
			safe.WriteByte('\'')
			written = i
		}
		switch {
		case strings.ContainsRune(separators, c):
			first, inner = true, true
		case c != '"' || !inner:
			first = false
		}
	}
	if written == 0 && safe.Len() == 0 {
		return s
	}
	safe.WriteString(s[written:])
	return safe.String()
}

// visible replaces control characters that are no white space.
func visible(s string) string {
	steers := func(c rune) bool { return c != '\t' && c != '\n' && unicode.IsControl(c) }
	if strings.IndexFunc(s, steers) < 0 {
		return s
	}
	var shown strings.Builder
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		if steers(c) {
			shown.WriteRune(utf8.RuneError)
		} else {
			shown.WriteString(s[i : i+n])
		}
		i += n
	}
	return shown.String()
}
