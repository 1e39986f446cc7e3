package httpserver

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Pieces is a reply that is sent in pieces, each within a time of its own, instead
// of the server's for a whole request. Making a piece may take as long as whoever
// makes it allows.
type Pieces struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

// InPieces takes the server's times from a reply, whose reader gets limit for each
// piece. End must follow.
//
// While nothing is sent there is no time at all: where that for reading ends,
// net/http takes the caller for gone, and where that for writing does, it resets a
// stream of HTTP/2, whether anything is being written or not.
func InPieces(w http.ResponseWriter, limit time.Duration) (*Pieces, error) {
	p := &Pieces{w: w, control: http.NewResponseController(w), limit: limit}
	return p, p.until(time.Time{})
}

// Send sends b at once. Before the first piece net/http reads what is left of the
// request, which may never come.
func (p *Pieces) Send(b []byte) (int, error) {
	if err := p.until(time.Now().Add(p.limit)); err != nil {
		return 0, err
	}
	n, err := p.w.Write(b)
	if err == nil {
		err = p.control.Flush()
	}
	if err != nil {
		return n, fmt.Errorf("sending: %w", err)
	}
	return n, p.until(time.Time{})
}

// End sets the time of one more piece for what net/http does after the handler: it
// sends the reply's end.
func (p *Pieces) End() {
	// Where this fails the connection is gone.
	_ = p.until(time.Now().Add(p.limit))
}

// until is by when what follows is read and written; the zero time is never.
func (p *Pieces) until(end time.Time) error {
	err := errors.Join(p.control.SetReadDeadline(end), p.control.SetWriteDeadline(end))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("setting the time for a reply: %w", err)
	}
	return nil
}
