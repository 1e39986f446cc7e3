package app_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// askOn sends a request by a connection and returns the status.
func askOn(c net.Conn) (int, error) {
	if err := c.SetDeadline(time.Now().Add(servertest.Patience)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n"); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// Ten thousand callers stay connected: each costs little, all are answered, and
// one more is asked to come back.
func TestTenThousandConnections(t *testing.T) {
	const callers, atOnce = 10_000, 50
	// 22 kB measured: a goroutine's stack, two buffers of net/http, and garbage.
	const most = 48 << 10
	p := servertest.StartProcess(t, servertest.NewDatabase(t), "--max-connections", strconv.Itoa(callers))
	p.HTTP.CloseIdleConnections()
	before := p.Memory("VmRSS")
	conns := make([]net.Conn, callers)
	var wait sync.WaitGroup
	for w := range atOnce {
		wait.Go(func() {
			for i := w; i < callers-atOnce; i += atOnce {
				c, err := (&net.Dialer{Timeout: servertest.Patience}).DialContext(t.Context(), "tcp", p.Addr)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = c
				if status, err := askOn(c); status != http.StatusOK {
					t.Errorf("connection %d: %d %v", i, status, err)
					return
				}
			}
		})
	}
	wait.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	each := (p.Memory("VmRSS") - before) / (callers - atOnce)
	t.Logf("%d bytes of memory each, %d MB in all", each, p.Memory("VmRSS")>>20)
	if each > most {
		t.Errorf("%d bytes each, want at most %d", each, most)
	}
	for i := 0; i < callers-atOnce; i += 997 {
		if status, err := askOn(conns[i]); status != http.StatusOK {
			t.Errorf("connection %d among all: %d %v", i, status, err)
		}
	}
	// The last places are taken, and then there is none.
	refused := false
	for i := callers - atOnce; i < callers+3 && !refused; i++ {
		c, err := (&net.Dialer{Timeout: servertest.Patience}).DialContext(t.Context(), "tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		status, err := askOn(c)
		if err != nil {
			t.Fatal(err)
		}
		refused = status == http.StatusServiceUnavailable
	}
	if !refused {
		t.Error("more connections than there may be")
	}
}

// bombs are bodies of spaces that inflate to more than is allowed.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	space := bytes.Repeat([]byte(" "), 1<<20)
	var zipped, squeezed bytes.Buffer
	g := gzip.NewWriter(&zipped)
	z, err := zstd.NewWriter(&squeezed)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		for range api.MaxInflatedBytes/len(space) + 1 {
			if _, err := w.Write(space); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return map[string][]byte{"gzip": zipped.Bytes(), "zstd": squeezed.Bytes()}
}

// However many bombs arrive at once, memory does not grow with their number.
func TestBombsAtOnce(t *testing.T) {
	// most is what the server may ever have held in memory, in bytes; 64 bombs
	// inflated would be 1 GB.
	most := 240 << 20
	if withRaceDetector() {
		most *= 3
	}
	p := servertest.StartProcess(t, servertest.NewDatabase(t))
	// As many hosts as let in all at once.
	var credentials [16]string
	for i := range credentials {
		credentials[i] = p.Host(fmt.Sprintf("h%d", i))
	}
	all := bombs(t)
	throw := func(n int) {
		var wait sync.WaitGroup
		for i := range n {
			encoding := []string{"gzip", "zstd"}[i%2]
			wait.Go(func() {
				r, err := p.Try(http.MethodPost, "/api/events", credentials[i%len(credentials)], all[encoding], "Content-Encoding", encoding)
				if err != nil || r.Status != http.StatusRequestEntityTooLarge && r.Status != http.StatusServiceUnavailable {
					t.Errorf("%s: %d %v %s", encoding, r.Status, err, r.Body)
				}
			})
		}
		wait.Wait()
	}
	throw(16)
	few := p.Memory("VmHWM")
	throw(64)
	many := p.Memory("VmHWM")
	t.Logf("at most %d MB with 16 at once, %d MB with 64", few>>20, many>>20)
	if many > most {
		t.Errorf("%d MB, want at most %d", many>>20, most>>20)
	}
	p.Send(credentials[0], servertest.Minute("m", 0))
}

// withRaceDetector reports whether the program is built with it, which takes a multiple
// of the memory.
func withRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// SIGTERM comes in the middle of uploads: what was acknowledged is stored, accepted
// requests are answered, and the process ends well.
func TestStopUnderLoad(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	p := servertest.StartProcess(t, databaseURL)
	credential := p.Host("h")
	var acknowledged atomic.Int64
	var wait sync.WaitGroup
	const workers = 8
	// It is net/http's, which has no error to compare with.
	const closedIdle = "server closed idle connection"
	stored := make([]int, workers)
	for w := range workers {
		wait.Go(func() {
			for i := 0; ; i++ {
				r, err := p.Try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: []api.Event{servertest.Minute(fmt.Sprintf("m%d", w), i)}})
				if err != nil {
					// Nobody listens any more, or the connection ended between
					// two requests.
					if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) &&
						!strings.Contains(err.Error(), closedIdle) {
						t.Error(err)
					}
					return
				}
				if r.Status != http.StatusOK {
					t.Errorf("%d %s", r.Status, r.Body)
					return
				}
				stored[w] = i + 1
				acknowledged.Add(1)
			}
		})
	}
	servertest.Await(t, "load", func() bool { return acknowledged.Load() > 100 })
	p.Stop()
	wait.Wait()
	b := servertest.New(t, databaseURL)
	viewer := b.Token(directory.RoleViewer)
	for w, n := range stored {
		if s := b.Summary(viewer, fmt.Sprintf("m%d", w), "date=2024-01-15"); s.KeyCount < int64(n) {
			t.Errorf("m%d: %d events acknowledged, %d stored", w, n, s.KeyCount)
		}
	}
	t.Logf("%d acknowledged", acknowledged.Load())
}

// A trusted proxy names who calls, and the requests; the figures have an address
// of their own.
func TestBehindProxy(t *testing.T) {
	metricsAddr := servertest.FreePort(t)
	p := servertest.StartProcess(t, servertest.NewDatabase(t), "--trusted-proxy", "127.0.0.0/8", "--metrics-listen", metricsAddr,
		"--log-format", "json", "--log-level", "debug")
	from := func(client string) int {
		t.Helper()
		return p.Do(http.MethodGet, "/api/machines", "", nil, "X-Forwarded-For", "9.9.9.9, "+client).Status
	}
	for range auth.FailureBurst {
		if got := from("1.1.1.1"); got != http.StatusUnauthorized {
			t.Fatalf("status %d", got)
		}
	}
	if one, other := from("1.1.1.1"), from("2.2.2.2"); one != http.StatusTooManyRequests || other != http.StatusUnauthorized {
		t.Errorf("%d for the one who failed often, %d for another", one, other)
	}
	r := p.Do(http.MethodGet, "/healthz", "", nil, "X-Request-Id", "from-the-proxy.1", "X-Forwarded-For", "2001:db8::7")
	if got := r.Header.Get("X-Request-Id"); got != "from-the-proxy.1" {
		t.Errorf("request id %q", got)
	}
	p.Do(http.MethodGet, "/metrics", "", nil).Refused(http.StatusNotFound, api.CodeNotFound)
	p.URL = "http://" + metricsAddr
	if text := p.Do(http.MethodGet, "/metrics", "", nil); text.Status != http.StatusOK || !bytes.Contains(text.Body, []byte("trackerd_server_connections ")) {
		t.Errorf("%d %s", text.Status, text.Body)
	}
	p.Stop()
	found := false
	for line := range bytes.Lines(p.Log.Bytes()) {
		var entry struct {
			RequestID string `json:"request_id"`
			Client    string
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Errorf("no JSON: %s", line)
		}
		found = found || entry.RequestID == "from-the-proxy.1" && entry.Client == "[2001:db8::7]:0"
	}
	if !found {
		t.Error("the request is not in the log")
	}
}
