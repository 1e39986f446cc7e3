package upload

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "host-credential-1"

// fakeServer keeps what it was sent, as the real one would, and can be told to
// behave badly first.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	sizes    []int // events in each request
	stored   map[string]int
	// before may answer in the server's place; it then returns true.
	before func(w http.ResponseWriter, events []string) bool
	// batch is likewise, of the whole batch.
	batch  func(w http.ResponseWriter, b *sentBatch) bool
	reject func(event string) string
}

// sentBatch is a body of POST /api/events, with what it holds as it was sent.
type sentBatch struct {
	Events       []json.RawMessage
	NotCollected []json.RawMessage `json:"not_collected"`
}

func newServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{stored: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if r.URL.Path != "/api/events" || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer "+secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var batch sentBatch
	if err := json.NewDecoder(z).Decode(&batch); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var events []string
	for _, e := range batch.Events {
		events = append(events, string(e))
	}
	s.sizes = append(s.sizes, len(events))
	if s.before != nil && s.before(w, events) || s.batch != nil && s.batch(w, &batch) {
		return
	}
	var reply api.IngestReply
	for i, e := range events {
		if s.reject != nil {
			if code := s.reject(e); code != "" {
				reply.Rejected = append(reply.Rejected, api.Rejection{Index: i, Code: api.Code(code), Message: "no\x1b[31m"})
				continue
			}
		}
		if s.stored[e]++; s.stored[e] == 1 {
			reply.Accepted++
		} else {
			reply.Duplicates++
		}
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// told runs fn while no request is served.
func (s *fakeServer) told(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

type rig struct {
	t   *testing.T
	buf *buffer.Buffer
	srv *fakeServer
	up  *Uploader
}

// newRig starts an uploader that waits an hour unless woken, on a real buffer.
func newRig(t *testing.T, events ...string) *rig {
	t.Helper()
	buf, err := buffer.Open(filepath.Join(t.TempDir(), "b"), buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { buf.Close() })
	r := &rig{t: t, buf: buf, srv: newServer(t)}
	r.add(events...)
	client := outbound.NewClient(outbound.Options{}, RequestTimeout)
	t.Cleanup(client.CloseIdleConnections)
	r.up = New(buf, func() (outbound.Target, bool) { return outbound.Target{URL: r.srv.URL, Credential: secret}, true },
		Options{Period: time.Hour, Client: client, Random: func() float64 { return 0.5 }})
	return r
}

func (r *rig) add(events ...string) {
	r.t.Helper()
	if err := r.buf.Update(func(tx *buffer.Tx) error {
		for _, e := range events {
			if err := tx.Enqueue([]byte(e)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
}

// round runs one round and returns what it waits for.
func (r *rig) round() pause { return r.up.round(r.t.Context()) }

func (r *rig) waiting() []string {
	r.t.Helper()
	items, err := r.buf.Peek(1<<20, 1<<30, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, it := range items {
		out = append(out, string(it.Event))
	}
	return out
}

func number(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"n":%d}`, i))
	}
	return out
}

// A backlog goes out back to back, each event once.
func TestBacklog(t *testing.T) {
	r := newRig(t, number(2500)...)
	p := r.round()
	if p.state != StateWaiting || len(r.waiting()) != 0 {
		t.Fatalf("%+v, %d wait", p, len(r.waiting()))
	}
	if !reflect.DeepEqual(r.srv.sizes, []int{1000, 1000, 500}) || len(r.srv.stored) != 2500 {
		t.Errorf("requests of %v events, %d stored", r.srv.sizes, len(r.srv.stored))
	}
	s := r.up.Status()
	if s.Accepted != 2500 || s.LastError != "" || s.LastSuccess.IsZero() || s.Waiting != 0 {
		t.Errorf("status %+v", s)
	}
}

// An answer that got lost: the batch is sent again and is a duplicate.
func TestAnswerLost(t *testing.T) {
	r := newRig(t, number(3)...)
	r.srv.before = func(w http.ResponseWriter, events []string) bool {
		for _, e := range events {
			r.srv.stored[e]++
		}
		r.srv.before = nil
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		conn.Close()
		return true
	}
	if p := r.round(); p.state != StateBackoff || len(r.waiting()) != 3 {
		t.Fatalf("%+v, %d wait", p, len(r.waiting()))
	}
	if p := r.round(); p.state != StateWaiting || len(r.waiting()) != 0 || r.up.Status().Duplicates != 3 {
		t.Errorf("%+v, %d wait, %+v", p, len(r.waiting()), r.up.Status())
	}
}

func TestRejectedEventsAreDeadLetters(t *testing.T) {
	r := newRig(t, number(5)...)
	r.srv.reject = func(e string) string {
		return map[string]string{`{"n":1}`: "out_of_range", `{"n":3}`: "NO CODE\n"}[e]
	}
	r.round()
	s := r.up.Status()
	if want := map[string]int{"out_of_range": 1, "bad_event": 1}; !reflect.DeepEqual(s.Dead, want) || s.Waiting != 0 || s.Rejected != 2 {
		t.Errorf("status %+v", s)
	}
	var dead []buffer.Dead
	err := r.buf.DeadLetters("", func(d *buffer.Dead) bool { dead = append(dead, *d); return true })
	if err != nil || len(dead) != 2 || string(dead[1].Event) != `{"n":1}` || dead[1].Message != "no?[31m" {
		t.Errorf("dead %+v %v", dead, err)
	}
}

func refuse(status int, header ...string) func(http.ResponseWriter, []string) bool {
	return func(w http.ResponseWriter, _ []string) bool {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"title":"T","detail":"what is wrong","code":"some_code"}`)
		return true
	}
}

// Nothing that a server does but a consistent 200 removes an event.
func TestBadAnswersKeepEverything(t *testing.T) {
	answer := func(text string) func(http.ResponseWriter, []string) bool {
		return func(w http.ResponseWriter, _ []string) bool {
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed with %v", r.Header)
	}))
	defer elsewhere.Close()
	for name, tt := range map[string]struct {
		before func(http.ResponseWriter, []string) bool
		state  State
		says   string
	}{
		"html":           {answer("<html>Welcome to the hotel</html>"), StateBackoff, "server_url"},
		"empty":          {answer(""), StateBackoff, "server_url"},
		"null":           {answer("null"), StateBackoff, "3 events"},
		"too few":        {answer(`{"accepted":2}`), StateBackoff, "3 events"},
		"too many":       {answer(`{"accepted":4}`), StateBackoff, "3 events"},
		"negative":       {answer(`{"accepted":4,"duplicates":-1}`), StateBackoff, "3 events"},
		"overflow":       {answer(`{"accepted":9223372036854775807,"duplicates":9223372036854775807,"rejected":[{},{},{},{},{}]}`), StateBackoff, "3 events"},
		"index beyond":   {answer(`{"accepted":2,"rejected":[{"index":3,"code":"x"}]}`), StateBackoff, "index"},
		"index negative": {answer(`{"accepted":2,"rejected":[{"index":-1,"code":"x"}]}`), StateBackoff, "index"},
		"index twice":    {answer(`{"accepted":1,"rejected":[{"index":1,"code":"x"},{"index":1,"code":"x"}]}`), StateBackoff, "index"},
		"endless":        {answer(strings.Repeat(" ", int(maxReply(contents{events: 3}))) + `{"accepted":3}`), StateBackoff, "too long"},
		// Each takes 50 bytes once it is read, and 3 on the wire.
		"tiny ones": {answer(`{"rejected":[{}` + strings.Repeat(",{}", 10_000) + `]}`), StateBackoff, "too long"},
		"500":       {refuse(500), StateBackoff, "500: what is wrong"},
		"404":       {refuse(404), StateBackoff, "404"},
		"401":       {refuse(401), StateUnauthorized, "enrol again"},
		"403":       {refuse(403), StateUnauthorized, "enrol again"},
		"redirect":  {refuse(307, "Location", elsewhere.URL), StateBackoff, "server_url"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, number(3)...)
			r.srv.before = tt.before
			p := r.round()
			s := r.up.Status()
			if p.state != tt.state || !strings.Contains(s.LastError, tt.says) || strings.Contains(s.LastError, secret) {
				t.Errorf("%+v, error %q, want %q", p, s.LastError, tt.says)
			}
			if len(r.waiting()) != 3 || len(s.Dead) != 0 {
				t.Errorf("%d wait, dead %v", len(r.waiting()), s.Dead)
			}
		})
	}
}

func TestServerAway(t *testing.T) {
	r := newRig(t, number(3)...)
	r.srv.Close()
	if p := r.round(); p.state != StateBackoff || len(r.waiting()) != 3 {
		t.Errorf("%+v", p)
	}
}

// A server that takes the request and never answers is given up on.
func TestServerHangs(t *testing.T) {
	r := newRig(t, number(3)...)
	release := make(chan struct{})
	r.srv.before = func(http.ResponseWriter, []string) bool { <-release; return true }
	r.up.o.Client.Timeout = 50 * time.Millisecond
	p := r.round()
	close(release)
	if p.state != StateBackoff || len(r.waiting()) != 3 {
		t.Errorf("%+v", p)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(t.Output(), nil), slog.LevelDebug)
	srv.StartTLS()
	defer srv.Close()
	r := newRig(t, number(3)...)
	r.up.target = func() (outbound.Target, bool) { return outbound.Target{URL: srv.URL, Credential: secret}, true }
	if p := r.round(); p.state != StateBackoff || !strings.Contains(r.up.Status().LastError, "protocol version") {
		t.Errorf("%+v %q", p, r.up.Status().LastError)
	}
}

// A request that fails as a whole is halved until the culprit stands alone; it
// becomes a dead letter once the server has taken another.
func TestPoison(t *testing.T) {
	r := newRig(t, number(300)...)
	const poison = `{"n":177}`
	r.srv.before = func(w http.ResponseWriter, events []string) bool {
		return slices.Contains(events, poison) && refuse(400)(w, events)
	}
	if p := r.round(); p.state != StateWaiting {
		t.Errorf("%+v", p)
	}
	if s := r.up.Status(); s.Waiting != 0 || s.Dead["some_code"] != 1 || len(r.srv.stored) != 299 || s.HeldBack != 0 {
		t.Errorf("status %+v, %d stored", s, len(r.srv.stored))
	}
	if r.srv.requests > 40 || len(r.up.suspects) != 0 {
		t.Errorf("%d requests, %d held back", r.srv.requests, len(r.up.suspects))
	}
}

// A proxy that refuses everything with 400 empties nothing, and when it is
// gone everything arrives.
func TestEverythingIsRefused(t *testing.T) {
	for status, more := range map[int][]string{400: nil, 413: {`{"n":0}`}} {
		r := newRig(t, number(20)...)
		r.srv.before = refuse(status)
		for range 40 {
			if p := r.round(); p.state != StateBackoff && p.state != StateWaiting {
				t.Fatalf("%+v", p)
			}
		}
		if len(r.waiting()) != 20 || len(r.up.Status().Dead) != 0 {
			t.Fatalf("%d wait, %+v", len(r.waiting()), r.up.Status())
		}
		r.srv.before = nil
		for range 3 { // what was held back is tried again, alone or with what is new
			r.add(more...)
			r.round()
		}
		if len(r.waiting()) != 0 || len(r.up.Status().Dead) != 0 || len(r.srv.stored) != 20 {
			t.Errorf("%d wait, %+v, %d stored", len(r.waiting()), r.up.Status(), len(r.srv.stored))
		}
	}
}

func TestTooLarge(t *testing.T) {
	r := newRig(t, number(1000)...)
	r.srv.before = func(w http.ResponseWriter, events []string) bool { return len(events) > 300 && refuse(413)(w, events) }
	r.round()
	if len(r.srv.stored) != 1000 || len(r.waiting()) != 0 || r.up.limit <= 250 {
		t.Errorf("%d stored, sizes %v, next %d", len(r.srv.stored), r.srv.sizes, r.up.limit)
	}
}

func TestBackoff(t *testing.T) {
	r := newRig(t, number(1)...)
	now := time.Unix(1_800_000_000, 0)
	r.up.o.Now = func() time.Time { return now }
	r.srv.before = refuse(500)
	var got []time.Duration
	for range 10 {
		got = append(got, r.round().until.Sub(now))
	}
	s := time.Second // Random gives 0.5
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 150 * s, 150 * s}; !reflect.DeepEqual(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	r.srv.before = nil
	r.round()
	r.add(`{"again":1}`)
	r.srv.before = refuse(500)
	if p := r.round(); p.until.Sub(now) != s {
		t.Errorf("after a success it waits %v", p.until.Sub(now))
	}
	for _, status := range []int{429, 503} {
		r.srv.before = refuse(status, "Retry-After", "100")
		if p := r.round(); !p.asked || p.until.Sub(now) != 107500*time.Millisecond {
			t.Errorf("%d: %v, asked %v", status, p.until.Sub(now), p.asked)
		}
	}
	r.srv.before = refuse(401)
	if p := r.round(); p.until.Sub(now) != 3*time.Minute || p.asked {
		t.Errorf("401: %v", p.until.Sub(now))
	}
	r.up.o.Period = 5 * s // short periods have short pauses
	r.srv.before = refuse(500)
	for range 10 {
		if p := r.round(); p.until.Sub(now) > backoffMinCap {
			t.Errorf("%v", p.until.Sub(now))
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"accepted":1,"duplicates":1,"rejected":[{"index":2,"code":"bad_event","message":"x"}]}`), 3)
	f.Add([]byte(`{"accepted":-1}`), 0)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		n = int(uint(n) % 100)
		reply, err := parseReply(text, contents{events: n})
		if err != nil {
			return
		}
		items := make([]buffer.Item, n)
		for i := range items {
			items[i].Seq = uint64(i)
		}
		done, refused := settle(items, reply)
		if len(done) != reply.Accepted+reply.Duplicates || len(done)+len(refused) != n {
			t.Errorf("%d done, %d refused of %d: %+v", len(done), len(refused), n, reply)
		}
		for _, r := range refused {
			if !outbound.ValidCode(api.Code(r.Code)) || len(r.Message) > outbound.MaxDetail+8 {
				t.Errorf("refusal %+v", r)
			}
		}
	})
}

// What goes over the wire, to the byte once inflated.
func TestEncodedBatch(t *testing.T) {
	sec, active := int64(60), 12.345
	event, err := json.Marshal(api.Event{
		MachineID: "vm-abc123-ann", Timestamp: time.Unix(1_800_000_000, 0).UTC(), KeyCount: 3, ActiveApp: "xterm", ActiveWindow: "über <b>",
		IntervalSec: &sec, ActiveSeconds: &active, SessionKind: api.SessionRDP,
		Focus: []api.Focus{{App: "xterm", Title: "über <b>", Seconds: 12.345}},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := encode([]buffer.Item{{Place: buffer.Place{Seq: 1}, Event: event}, {Place: buffer.Place{Seq: 2}, Event: []byte(`{"second":true}`)}})
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "batch.json", got)
	var batch api.EventBatch
	if err := json.Unmarshal(got, &batch); err != nil || len(batch.Events) != 2 {
		t.Errorf("%v %v", batch, err)
	}
}

// Run sends when woken, keeps to a pause that was asked for, and ends.
func TestRun(t *testing.T) {
	r := newRig(t, number(2)...)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.up.Run(ctx) }()
	until := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.NewTimer(10 * time.Second)
		defer deadline.Stop()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-tick.C:
			case <-deadline.C:
				t.Fatalf("waited for %s: %+v", what, r.up.Status())
			}
		}
	}
	until("the first wait", func() bool { return !r.up.Status().NextTry.IsZero() })
	r.up.Wake()
	until("a success", func() bool { return r.up.Status().Accepted == 2 && r.up.Status().State == StateWaiting })

	r.srv.told(func() { r.srv.before = refuse(503, "Retry-After", "1000") })
	r.add(number(1)...)
	r.up.Wake()
	until("the failure", func() bool { return r.up.Status().State == StateBackoff })
	var before int
	r.srv.told(func() { before = r.srv.requests })
	for range 3 {
		r.up.Wake()
		until("the wake to be taken", func() bool { return len(r.up.wake) == 0 })
	}
	r.srv.told(func() {
		if r.srv.requests != before {
			t.Errorf("%d requests although the server asked for a pause", r.srv.requests-before)
		}
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNotEnrolled(t *testing.T) {
	r := newRig(t, number(2)...)
	r.up.target = func() (outbound.Target, bool) { return outbound.Target{}, false }
	if p := r.round(); p.state != StateUnenrolled || r.srv.requests != 0 {
		t.Errorf("%+v", p)
	}
}

func TestBufferFails(t *testing.T) {
	r := newRig(t, number(2)...)
	r.buf.Close()
	if p := r.round(); p.state != StateBackoff || r.up.Status().LastError == "" {
		t.Errorf("%+v", p)
	}
}

func TestBadURL(t *testing.T) {
	r := newRig(t, number(1)...)
	r.up.target = func() (outbound.Target, bool) { return outbound.Target{URL: "http://%zz", Credential: secret}, true }
	if p := r.round(); p.state != StateBackoff || !strings.Contains(r.up.Status().LastError, "server_url") {
		t.Errorf("%+v %q", p, r.up.Status().LastError)
	}
}

func BenchmarkUpload(b *testing.B) {
	event := []byte(`{"machine_id":"vm-abc123-ann","timestamp":"2026-11-22T20:00:00Z","key_count":123,"focus":[` +
		strings.Repeat(`{"app":"firefox","title":"page","seconds":1.5},`, 7) + `{"app":"x","seconds":1}]}`)
	items := make([]buffer.Item, maxBatch)
	for i := range items {
		items[i].Event = event
	}
	var size int
	for b.Loop() {
		body, _, err := encode(items)
		if err != nil {
			b.Fatal(err)
		}
		size = len(body)
	}
	b.ReportMetric(float64(b.N*maxBatch)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(size)/maxBatch, "bytes/event")
}

// A name that no header line can have is not sent.
func TestFitsHeader(t *testing.T) {
	for name, want := range map[string]bool{"": false, "vm-abc123": true, "vm.corp.example": true, "a b": false, "büro": false, "a\nb": false} {
		if got := fitsHeader(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
