package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// All bodies together have this much memory, in bytes, however many come at once
// and whatever they inflate to. Small ones have their own part, so that they never
// wait for large ones.
const (
	smallArriving = 32 << 20
	largeArriving = 32 << 20
	smallAtWork   = 32 << 20
	largeAtWork   = 64 << 20

	// bodyAtFirst and bodyThen are what a body takes when its first bytes arrive
	// and when these are full: a usual report, and a few hundred events. More is
	// large, and taken as it arrives: a caller may announce what never comes.
	bodyAtFirst = 4 << 10
	bodyThen    = 64 << 10
	// smallWork is how much memory a small batch takes at work: some hundreds
	// of events.
	smallWork = 1 << 20
	// workOfText is how much memory a batch takes at work, by the length of its
	// text: the text and its events, or encoding/json's copies.
	workOfText = 3
	// textAtFirst is how much of a text is read where its length is not known.
	textAtFirst = 64 << 10

	// roomWait is how long a batch waits for memory before its host is asked to
	// come back.
	roomWait = 2 * time.Second
)

var errBusy = errors.New("too many or too large batches at once")

// memory shares out what bodies may take.
type memory struct {
	arrivingSmall, arrivingLarge, workSmall, workLarge *semaphore.Weighted
	// chunks are what is read into before it is known how much comes.
	chunks sync.Pool
	// gzipReaders are *gzip.Reader that nobody uses.
	gzipReaders sync.Pool
}

func newMemory() *memory {
	return &memory{
		arrivingSmall: semaphore.NewWeighted(smallArriving), arrivingLarge: semaphore.NewWeighted(largeArriving),
		workSmall: semaphore.NewWeighted(smallAtWork), workLarge: semaphore.NewWeighted(largeAtWork),
	}
}

func (m *memory) chunk() *[bodyAtFirst]byte {
	if c, ok := m.chunks.Get().(*[bodyAtFirst]byte); ok {
		return c
	}
	return new([bodyAtFirst]byte)
}

// arriving is what a body that arrives has taken.
type arriving struct {
	m            *memory
	small, large int64
}

// take takes more, up to size in all, or fails where there is none: waiting would
// not help, since those who have it may send as slowly as they like.
func (a *arriving) take(size int64) error {
	small := min(size, bodyThen)
	if !a.m.arrivingSmall.TryAcquire(small - a.small) {
		return problem.Unavailable(errBusy)
	}
	a.small = small
	if large := size - small; large > a.large {
		if !a.m.arrivingLarge.TryAcquire(large - a.large) {
			return problem.Unavailable(errBusy)
		}
		a.large = large
	}
	return nil
}

func (a *arriving) leave() {
	a.m.arrivingSmall.Release(a.small)
	a.m.arrivingLarge.Release(a.large)
	a.small, a.large = 0, 0
}

// readBody reads the request's body as it was sent, bounded. The memory of it is
// taken until leave is called, also after an error.
func (m *memory) readBody(w http.ResponseWriter, r *http.Request) (body string, leave func(), err error) {
	a := &arriving{m: m}
	chunk := m.chunk()
	defer m.chunks.Put(chunk)
	text := &strings.Builder{}
	sent := http.MaxBytesReader(w, r.Body, api.MaxBodyBytes)
	for {
		n, err := sent.Read(chunk[:])
		if room := text.Cap(); text.Len()+n > room {
			// All at once what was announced, while that is little.
			next := max(int64(bodyAtFirst), 2*int64(room))
			if room > 0 && room < bodyThen {
				next = max(int64(text.Len()+n), min(r.ContentLength, bodyThen), min(next, bodyThen))
			}
			if err := a.take(next); err != nil {
				return "", a.leave, err
			}
			// Grow would take three times that of one that has something.
			larger := &strings.Builder{}
			larger.Grow(int(next))
			larger.WriteString(text.String())
			text = larger
		}
		text.Write(chunk[:n])
		if errors.Is(err, io.EOF) {
			return text.String(), a.leave, nil
		}
		if err != nil {
			return "", a.leave, fmt.Errorf("reading the body: %w", err)
		}
	}
}

// work takes what a batch with that much text, and that much to inflate it,
// takes at work.
func (m *memory) work(ctx context.Context, text, inflating int64) (leave func(), err error) {
	size, room := text*workOfText+inflating, m.workLarge
	if size <= smallWork {
		room = m.workSmall
	}
	leave = func() { room.Release(size) }
	if room.TryAcquire(size) {
		return leave, nil
	}
	ctx, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	if err := room.Acquire(ctx, size); err != nil {
		return nil, problem.Unavailable(errBusy)
	}
	return leave, nil
}

// wholeText returns a body as text, inflated where it was sent in that
// Content-Encoding, and takes the memory that it needs until leave is called. cut
// is why the text ends early, if it does: then it is what came first, so that
// what is too large needs no memory.
func (m *memory) wholeText(ctx context.Context, body, header string) (text string, cut error, leave func(), err error) {
	coding := encodingOf(header)
	if coding == identity && len(body) <= api.MaxInflatedBytes {
		leave, err = m.work(ctx, int64(len(body)), 0)
		return body, nil, leave, err
	}
	size, inflating := int64(textAtFirst), int64(0)
	switch coding {
	case gzipEncoding:
		size = announced(body)
	case zstdEncoding:
		inflating = 2 * windowOf(body)
	case identity, unknown:
	}
	for {
		if leave, err = m.work(ctx, size, inflating); err != nil {
			return "", nil, nil, err
		}
		var full int64
		text, full, cut = m.readText(body, header, size)
		if cut != nil || full <= size {
			return text, cut, leave, nil
		}
		// It was not known, or a lie.
		leave()
		size = full
	}
}

// announced is how long a gzip body claims that its text is, in its last four bytes;
// or what is read of it first, where that is not possible.
func announced(body string) int64 {
	const trailer = 4
	if len(body) < trailer {
		return textAtFirst
	}
	n := int64(binary.LittleEndian.Uint32([]byte(body[len(body)-trailer:])))
	if n > api.MaxInflatedBytes {
		return textAtFirst
	}
	return max(n, bodyAtFirst)
}

// readText inflates a body into at most size bytes, and returns how many there are.
func (m *memory) readText(body, header string, size int64) (text string, full int64, cut error) {
	r, err := m.inflate(body, header)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = r.Close() }()
	chunk := m.chunk()
	defer m.chunks.Put(chunk)
	var b strings.Builder
	b.Grow(int(size))
	for {
		n, err := r.Read(chunk[:])
		full += int64(n)
		if full <= size {
			b.Write(chunk[:n])
		}
		if errors.Is(err, io.EOF) {
			return b.String(), full, nil
		}
		if err != nil {
			return b.String(), full, err
		}
	}
}
