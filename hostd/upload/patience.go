package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// usualPatience is for how long no byte of ours may leave, and, once all has
	// left, until when the last byte of the reply has to be there: a server stores a
	// batch within seconds.
	usualPatience = 30 * time.Second
	// sendTimeout bounds the sending: 4 MiB over a line of 512 kbit/s take 64 s.
	sendTimeout = 2 * time.Minute
	// minTimedOut is the least to which batches shrink that time out, in events: so
	// many leave in seconds over the thinnest line, so it is the server that is slow.
	minTimedOut = 100
)

// errTimedOut is wrapped where a request was given up.
var errTimedOut = errors.New("given up")

// patience ends a request that gets nowhere.
type patience struct {
	limit  time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	until time.Time // when sending has taken too long
	sent  bool      // all of it
}

// await returns a context that ends when the request is to be given up, and what
// ends the waiting.
func await(ctx context.Context, limit time.Duration) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{limit: limit, cancel: cancel, until: time.Now().Add(sendTimeout)}
	p.timer = time.AfterFunc(limit, p.giveUp)
	return ctx, p
}

func (p *patience) end() {
	p.timer.Stop()
	p.cancel(nil)
}

func (p *patience) giveUp() {
	p.mu.Lock()
	sent, late := p.sent, !time.Now().Before(p.until)
	p.mu.Unlock()
	switch {
	case sent:
		p.cancel(fmt.Errorf("the server took the batch and has not answered in full within %s: %w", p.limit, errTimedOut))
	case late:
		p.cancel(fmt.Errorf("sending a batch took longer than %s: %w", sendTimeout, errTimedOut))
	default:
		p.cancel(fmt.Errorf("the server took nothing more of a batch for %s: %w", p.limit, errTimedOut))
	}
}

// progress notes that something left. What comes back is none: a reply that drips
// extends nothing.
func (p *patience) progress(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent {
		return
	}
	p.sent = all
	wait := p.limit
	if !all {
		wait = min(wait, time.Until(p.until))
	}
	p.timer.Reset(wait)
}

// attach sets a request's body, which reports to patience what leaves.
func (p *patience) attach(req *http.Request, data []byte) {
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(&watched{r: bytes.NewReader(data), p: p}), nil
	}
	req.Body, _ = open() // never fails
	req.GetBody, req.ContentLength = open, int64(len(data))
}

// watched is a request's body.
type watched struct {
	r *bytes.Reader
	p *patience
}

// Read implements io.Reader. It is asked for more when the last piece has left.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.p.progress(w.r.Len() == 0)
	return n, err //nolint:wrapcheck // io.EOF is not to be wrapped
}
