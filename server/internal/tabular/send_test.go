package tabular

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows returns n rows and then err, if any.
func rows(n int, err error) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		for i := range n {
			if !yield(line{Name: strings.Repeat("x", 100), Count: int64(i)}, nil) {
				return
			}
		}
		if err != nil {
			yield(line{}, err)
		}
	}
}

// serve answers with rows as the server does, and returns what Send did.
func serve(t *testing.T, server *http.Server, name string, rows iter.Seq2[line, error]) (url string, sent chan error) {
	t.Helper()
	sent = make(chan error, 1)
	test := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := Send(w, CSV, name, rows)
		sent <- err
		if errors.Is(err, ErrBrokenOff) {
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	if server != nil {
		test.Config.ReadTimeout, test.Config.WriteTimeout = server.ReadTimeout, server.WriteTimeout
	}
	test.Start()
	t.Cleanup(test.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return test.URL, sent
}

func get(t *testing.T, url string) (*http.Response, []byte, error) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func TestSend(t *testing.T) {
	url, sent := serve(t, nil, `../../DOM\user "x"`+"\r\nX: y", rows(3, nil))
	res, body, err := get(t, url)
	if err != nil || <-sent != nil || bytes.Count(body, []byte("\r\n")) != 4 {
		t.Errorf("%v %s", err, body)
	}
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
	if err != nil || kind != "attachment" || params["filename"] != "_.._DOM_user__x___X__y.csv" {
		t.Errorf("%v %v %v", kind, params, err)
	}
	if kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "text/csv" || params["charset"] != "utf-8" {
		t.Errorf("%v %v %v", kind, params, err)
	}
}

func TestSendNothing(t *testing.T) {
	url, _ := serve(t, nil, "x", rows(0, nil))
	if res, body, err := get(t, url); err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "name,kind") {
		t.Errorf("%v %v %s", res, err, body)
	}
}

// A refusal that comes before the first byte can still be sent.
func TestSendErrorBefore(t *testing.T) {
	unknown := errors.New("no such machine")
	url, sent := serve(t, nil, "x", rows(0, unknown))
	res, _, _ := get(t, url)
	if err := <-sent; !errors.Is(err, unknown) || errors.Is(err, ErrBrokenOff) || res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Disposition") != "" {
		t.Errorf("%v %v", err, res.Header)
	}
}

// An error after that must not look like the end.
func TestSendErrorLater(t *testing.T) {
	lost := errors.New("the database is away")
	url, sent := serve(t, nil, "x", rows(2000, lost))
	_, body, err := get(t, url)
	if sendErr := <-sent; !errors.Is(sendErr, lost) || !errors.Is(sendErr, ErrBrokenOff) {
		t.Error(sendErr)
	}
	if err == nil {
		t.Errorf("a table cut short looks whole after %d bytes", len(body))
	}
}

// A living reader may take longer than the server allows whole requests.
func TestSendOutlastsTheServersTimeout(t *testing.T) {
	const limit = 200 * time.Millisecond
	slow := func(yield func(line, error) bool) {
		begin := time.Now()
		for l, err := range rows(3000, nil) {
			for l.Count == 2000 && time.Since(begin) < 2*limit {
				runtime.Gosched()
			}
			if !yield(l, err) {
				return
			}
		}
	}
	url, sent := serve(t, &http.Server{ReadTimeout: limit, WriteTimeout: limit}, "x", slow)
	_, body, err := get(t, url)
	if err != nil || <-sent != nil || bytes.Count(body, []byte("\n")) != 3001 {
		t.Errorf("%v after %d bytes", err, len(body))
	}
}

// Who stops reading is let go, without waiting for the table's end.
func TestSendEndsWithoutAReader(t *testing.T) {
	sent := make(chan error, 1)
	test := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent <- send(w, CSV, "x", rows(1_000_000, nil), 200*time.Millisecond, sendEvery)
		panic(http.ErrAbortHandler)
	}))
	defer test.Close()
	conn, err := net.Dial("tcp", test.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; !errors.Is(err, ErrBrokenOff) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// A table of any length costs the memory of a chunk.
func TestSendHoldsNoTable(t *testing.T) {
	const n = 40_000
	var before, after runtime.MemStats
	peak := uint64(0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	watched := func(yield func(line, error) bool) {
		for l, err := range rows(n, nil) {
			if l.Count%(n/4) == n/8 {
				runtime.GC()
				runtime.ReadMemStats(&after)
				peak = max(peak, after.HeapAlloc)
			}
			if !yield(l, err) {
				return
			}
		}
	}
	url, sent := serve(t, nil, "x", watched)
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	size, err := io.Copy(io.Discard, res.Body)
	if err != nil || <-sent != nil || size < 100*n {
		t.Errorf("%v, %d bytes", err, size)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes held for a table of %d", grown, size)
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"": "table", "...": "table", "events-vm-a1-user": "events-vm-a1-user", "a/b\\c:d": "a_b_c_d", "жя": "__",
		"-rf": "rf", strings.Repeat("a", 300): strings.Repeat("a", maxNameBytes),
	} {
		if got := FileName(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
