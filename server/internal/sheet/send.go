package sheet

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

const (
	// chunkBytes is how much of a table is held before it is sent.
	chunkBytes = 64 << 10
	// chunkTimeout is how long a reader may take for a chunk, 2 kB/s: the one
	// that stopped reading is let go, the slow one is not, however long it all
	// takes.
	chunkTimeout = 30 * time.Second
	// nextChunk is how long making a chunk may take beside that: the connection
	// must not time out for want of anything to say.
	nextChunk = 60 * time.Second
	// maxNameBytes bounds a file's name, well below what file systems take.
	maxNameBytes = 120
)

// ErrBrokenOff says that a table ended before its end: whoever answers must break
// the connection off, so that nobody takes what was sent for the whole.
var ErrBrokenOff = errors.New("the table was broken off")

// Send answers with a table of rows as a file called name.csv. An error before
// anything was sent, as of the first row, is returned as it is, and the caller
// may answer otherwise; a later one as ErrBrokenOff.
func Send[T any](w http.ResponseWriter, name string, rows iter.Seq2[T, error]) error {
	return send(w, name, rows, chunkTimeout)
}

// send is Send with a time for each chunk.
func send[T any](w http.ResponseWriter, name string, rows iter.Seq2[T, error], limit time.Duration) error {
	out := &chunks{w: w, control: http.NewResponseController(w), name: name, limit: limit}
	buffer := bufio.NewWriterSize(out, chunkBytes)
	// A csv.Writer uses a buffer that is large enough as its own.
	table := NewWriter[T](buffer)
	for row, err := range rows {
		if err != nil {
			return out.failed(err)
		}
		if err := table.Write(row); err != nil {
			return out.failed(err)
		}
	}
	if err := table.Header(); err != nil {
		return out.failed(err)
	}
	if err := table.Flush(); err != nil {
		return out.failed(err)
	}
	return nil
}

// chunks sends what is written to it at once, each with its own time.
type chunks struct {
	w       http.ResponseWriter
	control *http.ResponseController
	name    string
	limit   time.Duration
	begun   bool
}

func (c *chunks) failed(err error) error {
	if !c.begun {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBrokenOff, err)
}

// Write sends b.
func (c *chunks) Write(b []byte) (int, error) {
	if !c.begun {
		h := c.w.Header()
		h.Set("Content-Type", typeCSV+"; charset=utf-8; header=present")
		h.Set("Content-Disposition", `attachment; filename="`+FileName(c.name)+`.csv"`)
		c.begun = true
	}
	if err := Extend(c.control, c.limit); err != nil {
		return 0, err
	}
	n, err := c.w.Write(b)
	if err == nil {
		err = c.control.Flush()
	}
	if err != nil {
		return n, fmt.Errorf("sending: %w", err)
	}
	return n, nil
}

// Extend gives a reply that is sent in pieces time for its next piece, beyond the
// server's time for a whole request. The time for reading is extended with it:
// where it ends, net/http takes the caller for gone.
func Extend(control *http.ResponseController, limit time.Duration) error {
	now := time.Now()
	err := errors.Join(control.SetWriteDeadline(now.Add(limit)), control.SetReadDeadline(now.Add(limit+nextChunk)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("extending the time for a reply: %w", err)
	}
	return nil
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
