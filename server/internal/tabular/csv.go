package tabular

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Dialect is how CSV is written.
type Dialect int

const (
	// Plain is RFC 4180: UTF-8, commas, numbers and times as in JSON.
	Plain Dialect = iota
	// ForExcel is what spreadsheets open rightly by a double click where decimals
	// have a comma, as in Russian and German: a byte order mark, semicolons, decimal
	// commas, and times in UTC that are recognised as such, without fractions.
	ForExcel
)

const (
	// byteOrderMark has spreadsheets read UTF-8.
	byteOrderMark = "\ufeff"
	// excelTime is a time that spreadsheets recognise in every language.
	excelTime = "2006-01-02 15:04:05"
)

// Writer writes rows as CSV with a header of the columns' names and CRLF. What is
// absent is an empty cell, texts are made safe (see Text), and a list within a row is
// the text of its JSON.
type Writer[T any] struct {
	out     io.Writer
	csv     *csv.Writer
	dialect Dialect
	columns columns
	cells   []cell
	texts   []string
	begun   bool
}

// NewWriter creates a writer of rows of type T, a struct; nothing is written until
// the first call.
func NewWriter[T any](w io.Writer, dialect Dialect) *Writer[T] {
	c := columnsOf[T]()
	out := &Writer[T]{
		out: w, csv: csv.NewWriter(w), dialect: dialect,
		columns: c, cells: make([]cell, len(c.names)), texts: make([]string, len(c.names)),
	}
	out.csv.UseCRLF = true
	if dialect == ForExcel {
		out.csv.Comma = ';'
	}
	return out
}

// Header writes the header, once.
func (w *Writer[T]) Header() error {
	if w.begun {
		return nil
	}
	w.begun = true
	if w.dialect == ForExcel {
		if _, err := io.WriteString(w.out, byteOrderMark); err != nil {
			return err
		}
	}
	return w.csv.Write(w.columns.names)
}

// Write adds a row, and the header before the first. It may keep the row until
// Flush.
func (w *Writer[T]) Write(row T) error {
	if err := w.Header(); err != nil {
		return err
	}
	if err := w.columns.cells(row, w.cells); err != nil {
		return err
	}
	for i, c := range w.cells {
		w.texts[i] = w.dialect.text(c)
	}
	return w.csv.Write(w.texts)
}

// Flush hands on what Write kept.
func (w *Writer[T]) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

// text returns a cell as CSV has it.
func (d Dialect) text(c cell) string {
	switch v := c.(type) {
	case string:
		if d == ForExcel {
			return safe(v, separators+",")
		}
		return Text(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return d.number(v)
	case time.Time:
		if d == ForExcel {
			return v.Format(excelTime)
		}
		return v.Format(time.RFC3339Nano)
	}
	return ""
}

// number writes a float without an exponent, which some spreadsheets take for text.
func (d Dialect) number(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if d == ForExcel {
		return strings.Replace(text, ".", ",", 1)
	}
	return text
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
func Text(s string) string { return safe(s, separators) }

// safe is Text with the separators of other locales.
func safe(s, separators string) string {
	if strings.ContainsAny(s, "\r\x00") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(s)
	}
	s = visible(s)
	var out strings.Builder
	written, first, inner := 0, true, false
	for i, c := range s {
		if first && strings.ContainsRune(starts, c) {
			out.WriteString(s[written:i])
			out.WriteByte('\'')
			written = i
		}
		switch {
		case strings.ContainsRune(separators, c):
			first, inner = true, true
		case c != '"' || !inner:
			first = false
		}
	}
	if written == 0 && out.Len() == 0 {
		return s
	}
	out.WriteString(s[written:])
	return out.String()
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
