// Package tabular answers with tables as files, CSV and workbooks for people and their
// spreadsheets, made from the same rows as the JSON replies. CSV is streamed, so that
// its length costs no memory.
package tabular

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"activity-tracker.example/server/internal/httpserver"
)

const (
	// chunkBytes is how much of a table is held before it is sent.
	chunkBytes = 64 << 10
	// chunkTimeout is how long a reader may take for a chunk, 2 kB/s: the one
	// that stopped reading is let go, the slow one is not, however long it all
	// takes.
	chunkTimeout = 30 * time.Second
	// sendEvery is after how long rows are sent that fill no chunk yet: proxies give
	// up after a minute of silence, and a page of a report may take almost as long.
	sendEvery = 10 * time.Second
	// maxNameBytes bounds a file's name, well below what file systems take.
	maxNameBytes = 120
)

// ErrBrokenOff is returned where a table ended before its end: whoever answers must break
// the connection off, so that nobody takes what was sent for the whole.
var ErrBrokenOff = errors.New("the table was broken off")

// Format is how rows are sent.
type Format int

// The formats.
const (
	CSV Format = iota
	CSVForExcel
	Workbook
)

// The media types of the formats.
const (
	CSVType      = "text/csv"
	WorkbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// headers returns the media type of a reply, and how the name of its file ends.
func (f Format) headers() (contentType, ending string) {
	if f == Workbook {
		return WorkbookType, ".xlsx"
	}
	return CSVType + "; charset=utf-8; header=present", ".csv"
}

// Send answers with a table of rows as a file of that name, without its ending. An
// error before anything was sent, as of the first row, is returned as it is, and the
// caller may answer otherwise; a later one as ErrBrokenOff.
func Send[T any](w http.ResponseWriter, f Format, name string, rows iter.Seq2[T, error]) error {
	return send(w, f, name, rows, chunkTimeout, sendEvery)
}

// send is Send with a time for each chunk, and one after which what there is is sent.
func send[T any](w http.ResponseWriter, f Format, name string, rows iter.Seq2[T, error], limit, every time.Duration) error {
	pieces, err := httpserver.InPieces(w, limit)
	if err != nil {
		return err
	}
	defer pieces.End()
	contentType, ending := f.headers()
	out := &chunks{pieces: pieces, header: w.Header(), contentType: contentType, file: FileName(name) + ending, last: time.Now()}
	buffer := bufio.NewWriterSize(out, chunkBytes)
	switch f {
	case Workbook:
		return out.failed(writeWorkbook(buffer, rows))
	case CSVForExcel:
		return out.failed(writeCSV(out, NewWriter[T](buffer, ForExcel), rows, every))
	default:
		return out.failed(writeCSV(out, NewWriter[T](buffer, Plain), rows, every))
	}
}

// writeCSV writes rows, and has them sent every so often. A csv.Writer uses a buffer
// that is large enough as its own.
func writeCSV[T any](out *chunks, table *Writer[T], rows iter.Seq2[T, error], every time.Duration) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := table.Write(row); err != nil {
			return err
		}
		if time.Since(out.last) < every {
			continue
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if err := table.Header(); err != nil {
		return err
	}
	return table.Flush()
}

// SendFile answers with a file of that media type and name, which write writes; it is
// sent as it comes. Errors are as those of Send.
func SendFile(w http.ResponseWriter, contentType, file string, write func(io.Writer) error) error {
	pieces, err := httpserver.InPieces(w, chunkTimeout)
	if err != nil {
		return err
	}
	defer pieces.End()
	out := &chunks{pieces: pieces, header: w.Header(), contentType: contentType, file: FileName(file), last: time.Now()}
	buffer := bufio.NewWriterSize(out, chunkBytes)
	if err := write(buffer); err != nil {
		return out.failed(err)
	}
	return out.failed(buffer.Flush())
}

// chunks sends what is written to it as a file.
type chunks struct {
	pieces            *httpserver.Pieces
	header            http.Header
	contentType, file string
	begun             bool
	// last is when it sent something, or began.
	last time.Time
}

func (c *chunks) failed(err error) error {
	if err == nil || !c.begun {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBrokenOff, err)
}

// Write sends b.
func (c *chunks) Write(b []byte) (int, error) {
	if !c.begun {
		c.header.Set("Content-Type", c.contentType)
		c.header.Set("Content-Disposition", `attachment; filename="`+c.file+`"`)
		c.begun = true
	}
	sent := 0
	for sent < len(b) {
		n, err := c.pieces.Send(b[sent:min(len(b), sent+chunkBytes)])
		sent += n
		c.last = time.Now()
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// FileName makes a name that every file system and header takes: other characters
// than ASCII letters, digits, dots, dashes and underscores become underscores.
func FileName(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			return c
		}
		return '_'
	}, s)
	s = strings.TrimLeft(s[:min(len(s), maxNameBytes)], ".-")
	if s == "" {
		return "table"
	}
	return s
}
