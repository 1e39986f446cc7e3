package ingest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

// zstdWindow bounds the memory that one zstd stream may ask for: the window of
// the highest usual level.
const zstdWindow = 8 << 20

// zstdLeast is a window that every stream may ask for.
const zstdLeast = 256 << 10

// errInflated is returned where a body is larger inflated than allowed.
var errInflated = errors.New("inflated body over its limit")

// encoding is a Content-Encoding that is understood.
type encoding int

const (
	unknown encoding = iota
	identity
	gzipEncoding
	zstdEncoding
)

// contentEncoding is what all of a request's headers of that name hold: a second one
// must not go unnoticed, unless it is empty.
func contentEncoding(r *http.Request) string {
	said := slices.DeleteFunc(slices.Clone(r.Header.Values("Content-Encoding")), func(one string) bool { return strings.TrimSpace(one) == "" })
	return strings.Join(said, ",")
}

func encodingOf(header string) encoding {
	switch strings.ToLower(strings.TrimSpace(header)) {
	case "", "identity":
		return identity
	case "gzip", "x-gzip":
		return gzipEncoding
	case "zstd":
		return zstdEncoding
	}
	return unknown
}

// windowOf is the memory that a zstd body may ask for: what its first frame does.
func windowOf(body string) int64 {
	var h zstd.Header
	err := h.Decode([]byte(body[:min(len(body), zstd.HeaderMaxSize)]))
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	if err != nil || h.Skippable || window > zstdWindow {
		return zstdWindow
	}
	return max(int64(window), zstdLeast)
}

// inflate opens a body that was sent in that Content-Encoding, bounded again.
// The caller closes it.
func (m *memory) inflate(body, encoding string) (io.ReadCloser, error) {
	sent := strings.NewReader(body)
	nothing := func() error { return nil }
	switch encodingOf(encoding) {
	case identity:
		return &inflated{Reader: sent, left: api.MaxInflatedBytes, close: nothing}, nil
	case gzipEncoding:
		// A new one takes 40 KB, ten times a usual report.
		z, ok := m.gzipReaders.Get().(*gzip.Reader)
		if !ok {
			z = &gzip.Reader{}
		}
		if err := z.Reset(sent); err != nil {
			m.gzipReaders.Put(z)
			return nil, fmt.Errorf("opening the gzip body: %w", err)
		}
		return &inflated{Reader: z, left: api.MaxInflatedBytes, close: func() error {
			err := z.Close()
			m.gzipReaders.Put(z)
			return err
		}}, nil
	case zstdEncoding:
		z, err := zstd.NewReader(sent, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(windowOf(body))), zstd.WithDecoderMaxMemory(api.MaxInflatedBytes))
		if err != nil {
			return nil, fmt.Errorf("opening the zstd body: %w", err)
		}
		return &inflated{Reader: z, left: api.MaxInflatedBytes, close: func() error { z.Close(); return nil }}, nil
	case unknown:
	}
	return nil, problem.New(api.CodeUnsupported, "Content-Encoding must be identity, gzip or zstd.")
}

// inflated fails with errInflated beyond left bytes, where io.LimitReader would
// pretend that the body ends.
type inflated struct {
	io.Reader
	left  int64
	close func() error
}

// Read fills p as far as it can: encoding/json looks at white space again after
// each read, so that many short reads of it would cost seconds.
func (b *inflated) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	var n int
	var err error
	for n < len(p) && err == nil {
		var more int
		more, err = b.Reader.Read(p[n:])
		n += more
	}
	if b.left -= int64(n); b.left < 0 {
		return 0, errInflated
	}
	return n, err
}

// Close ends the decoder.
func (b *inflated) Close() error { return b.close() }

// bodyProblem turns an error of reading a body into what is sent to the caller.
func bodyProblem(err error) error {
	var p *problem.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge), errors.Is(err, errInflated), errors.Is(err, errTooMany), errors.Is(err, errTooManySpans),
		errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return problem.New(api.CodeTooLarge, fmt.Sprintf(
			"A batch has at most %d events and %d spans, %d bytes as sent and %d inflated; send fewer at once.",
			api.MaxBatchEvents, api.MaxNotCollected, api.MaxBodyBytes, api.MaxInflatedBytes))
	default:
		e := problem.BadRequest("The body is not a batch of events: " + whatIsWrong(err))
		e.Cause = err
		return e
	}
}
