package app_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
)

// testPair writes a certificate for 127.0.0.1 and its key, and returns the
// configuration of those who trust it.
func testPair(t *testing.T) (cert, key string, trusting *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	secretKey, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return write("tls.crt", "CERTIFICATE", s.Certificate().Raw), write("tls.key", "PRIVATE KEY", secretKey), &tls.Config{RootCAs: roots}
}

// resets opens streams that begin to report events and resets each at once, until
// the server ends the connection or there are that many. It returns how many it
// opened, and whether the server had enough of it.
func resets(p *servertest.Process, bearer string, trusting *tls.Config, most int) (opened int, calmed bool, err error) {
	config := trusting.Clone()
	config.NextProtos = []string{http2.NextProtoTLS}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: servertest.Patience}, Config: config}
	conn, err := dialer.DialContext(p.T.Context(), "tcp", p.Addr)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = conn.Close() }()
	out := bufio.NewWriterSize(conn, 32<<10)
	if _, err := out.WriteString(http2.ClientPreface); err != nil {
		return 0, false, err
	}
	framer := http2.NewFramer(out, conn)
	if err := framer.WriteSettings(); err != nil {
		return 0, false, err
	}
	// What the server sends must be read, or it would wait rather than suffer. The
	// answer to a PING shows that it has read all that came before.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			switch f := frame.(type) {
			case *http2.PingFrame:
				if f.IsAck() {
					return
				}
			case *http2.GoAwayFrame:
				calmed = f.ErrCode == http2.ErrCodeEnhanceYourCalm
			}
		}
	}()
	opened = writeResets(framer, out, bearer, most)
	select {
	case <-ended:
	case <-p.T.Context().Done():
	}
	return opened, calmed, nil
}

// writeResets returns how many streams it could open; a PING is the last it sends.
func writeResets(framer *http2.Framer, out *bufio.Writer, bearer string, most int) int {
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for i := range most {
		headers.Reset()
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: http.MethodPost},
			{Name: ":scheme", Value: "https"},
			{Name: ":authority", Value: "127.0.0.1"},
			{Name: ":path", Value: "/api/events"},
			{Name: "authorization", Value: "Bearer " + bearer},
			{Name: "content-length", Value: strconv.Itoa(api.MaxBodyBytes)},
		} {
			// Into a buffer: it can't fail.
			_ = encoder.WriteField(f)
		}
		id := uint32(2*i + 1)
		for _, write := range []func() error{
			func() error {
				return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers.Bytes(), EndHeaders: true})
			},
			func() error { return framer.WriteData(id, false, []byte(`{"events":[{"machine_id":"`)) },
			func() error { return framer.WriteRSTStream(id, http2.ErrCodeCancel) },
		} {
			if write() != nil {
				return i
			}
		}
	}
	if framer.WritePing(false, [8]byte{}) != nil || out.Flush() != nil {
		return 0
	}
	return most
}

// figure adds up a figure of /metrics over its labels.
func figure(p *servertest.Process, pattern string) int {
	p.T.Helper()
	sum := 0
	for _, found := range regexp.MustCompile(`(?m)^`+pattern+` (\d+)$`).FindAllSubmatch(p.Do(http.MethodGet, "/metrics", "", nil).Body, -1) {
		n, err := strconv.Atoi(string(found[1]))
		if err != nil {
			p.T.Fatal(err)
		}
		sum += n
	}
	return sum
}

// goroutines is how many the process has.
func goroutines(p *servertest.Process) int { return figure(p, "go_goroutines") }

// handled is how many requests with events came to a handler.
func handled(p *servertest.Process) int {
	return figure(p, `trackerd_server_request_seconds_count\{[^}]*route="/api/events"[^}]*\}`)
}

// Callers that open streams of HTTP/2 by the thousand and reset each at once leave
// nothing behind: no memory, no goroutine, no turn of their host.
func TestRapidResets(t *testing.T) {
	t.Parallel()
	const callers, each = 4, 5000
	// Of 100 streams on each connection there are buffers of 16 kB and a goroutine,
	// and Go collects seldom: 20 MB measured. All streams would take 500 MB.
	const most = 96 << 20
	// Most streams are reset before their turn, and no handler sees them.
	const leastHandled = 20
	cert, key, trusting := testPair(t)
	p := servertest.StartProcessFor(t, "https", &http.Transport{TLSClientConfig: trusting}, servertest.NewDatabase(t), "--tls-cert", cert, "--tls-key", key)
	host, other := p.Host("h"), p.Host("other")
	p.Send(host, servertest.Minute("m", 0))
	goroutines(p)
	before, usual := p.Memory("VmRSS"), goroutines(p)
	var opened, calmed atomic.Int64
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for left := each; left > 0; {
				n, enough, err := resets(p, host, trusting, left)
				if err != nil {
					t.Error(err)
					return
				}
				if enough {
					calmed.Add(1)
				}
				opened.Add(int64(n))
				left -= max(n, 1)
			}
		})
	}
	wait.Add(1)
	go func() {
		defer wait.Done()
		// Others are served meanwhile.
		if r, err := p.Try(http.MethodPost, "/api/events", other, api.EventBatch{Events: []api.Event{servertest.Minute("o", 0)}}); err != nil || r.Status != http.StatusOK {
			t.Errorf("%d %s %v", r.Status, r.Body, err)
		}
	}()
	wait.Wait()
	peak := p.Memory("VmHWM") - before
	t.Logf("%d streams reset, %d connections ended by the server, %d MB more memory at most", opened.Load(), calmed.Load(), peak>>20)
	if peak > most {
		t.Errorf("%d MB more memory, want at most %d", peak>>20, most>>20)
	}
	p.Send(host, servertest.Minute("m", 1))
	p.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
	if ran := handled(p); ran < leastHandled {
		t.Errorf("only %d streams came to a handler", ran)
	}
	left := 0
	servertest.Await(t, "the goroutines to end", func() bool {
		left = goroutines(p)
		return left <= usual
	})
	t.Logf("%d requests handled; %d goroutines before, %d after", handled(p), usual, left)
}
