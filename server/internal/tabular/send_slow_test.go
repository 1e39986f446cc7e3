package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// pausing returns n rows, each after a pause, as from a database that takes its time
// for each page, and ends where the caller seems to be gone.
func pausing(ctx context.Context, n int, pause time.Duration, row line) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		for range n {
			select {
			case <-ctx.Done():
				yield(line{}, ctx.Err())
				return
			case <-time.After(pause):
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Making rows may take longer than the server's times for a request, and than that
// for a chunk, before the first of them and between two; with rows that fill a chunk
// each, and with such that don't.
func TestSendWaitsForRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]line{"large": {Name: strings.Repeat("x", chunkBytes)}, "small": {Name: "x"}} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", name, http2), func(t *testing.T) {
				t.Parallel()
				sendSlowly(t, row, http2)
			})
		}
	}
}

func sendSlowly(t *testing.T, row line, http2 bool) {
	t.Helper()
	// Long enough for a busy machine to take a chunk.
	const limit, n = 400 * time.Millisecond, 3
	sent := make(chan error, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := send(w, CSV, "x", pausing(r.Context(), n, 4*limit, row), limit, sendEvery)
		sent <- err
		if errors.Is(err, ErrBrokenOff) {
			panic(http.ErrAbortHandler)
		}
	}))
	s.EnableHTTP2 = http2
	s.Config.ReadTimeout, s.Config.WriteTimeout = 3*limit, 3*limit
	s.StartTLS()
	t.Cleanup(s.Close)
	res, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatalf("%v, %v", err, <-sent)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if sendErr := <-sent; err != nil || sendErr != nil || bytes.Count(body, []byte("\n")) != n+1 {
		t.Errorf("%v, %v after %d bytes", err, sendErr, len(body))
	}
}

// Rows that fill no chunk are sent after a while: who waits for them, or a proxy on
// the way, would take the server for dead.
func TestSendKeepsNothingForLong(t *testing.T) {
	const every = 20 * time.Millisecond
	read := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = send(w, CSV, "x", func(yield func(line, error) bool) {
			<-time.After(every)
			// The next page takes until the reader has this one.
			if yield(line{Name: "first"}, nil) {
				<-read
				yield(line{Name: "second"}, nil)
			}
		}, chunkTimeout, every)
	}))
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	head := make([]byte, 4096)
	n, err := io.ReadAtLeast(res.Body, head, 1)
	close(read)
	if err != nil || !strings.Contains(string(head[:n]), "first") || strings.Contains(string(head[:n]), "second") {
		t.Errorf("%v %q", err, head[:n])
	}
}

// A caller that never sends the body it announced, which net/http waits for before
// the reply, is let go.
func TestSendDoesNotWaitForABody(t *testing.T) {
	const limit = 100 * time.Millisecond
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = send(w, CSV, "x", rows(3, nil), limit, sendEvery)
	}))
	s.Config.ReadTimeout = time.Minute
	s.Start()
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil {
		t.Errorf("%v %q", err, text)
	}
}
