package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// clusterEnv tells the tests where the package's PostgreSQL is.
const clusterEnv = "TRACKERD_SERVER_TEST_CLUSTER"

// withCluster runs the tests beside one PostgreSQL; each makes a database of its
// own in it.
type withCluster struct{ m *testing.M }

func (w withCluster) Run() (code int) {
	if err := w.run(&code); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (w withCluster) run(code *int) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "trk")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := localpg.Start(ctx, localpg.Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close(ctx)) }()
	if err := os.Setenv(clusterEnv, cluster.DatabaseURL("%s")); err != nil {
		return err
	}
	seen := filepath.Join(dir, "seen")
	if err := errors.Join(os.Mkdir(seen, 0o700), os.Setenv(seenEnv, seen)); err != nil {
		return err
	}
	if *code = w.m.Run(); *code != 0 {
		return nil
	}
	if err := checkSeen(); err != nil {
		return err
	}
	// The one goroutine left reaps the cluster.
	return goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

func TestMain(m *testing.M) {
	testscript.Main(withCluster{m}, map[string]func(){
		"trackerd-server": func() { os.Exit(run()) },
	})
}

// newDatabase makes an empty database and gives its URL.
func newDatabase(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	pattern := os.Getenv(clusterEnv)
	named := func(name string) string { return strings.Replace(pattern, "%25s", name, 1) }
	conn, err := pgx.Connect(ctx, named("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	name := strings.ToLower("t" + secret.New(secret.KindToken).ID)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return named(name)
}

// bench is a server on a database, and the means to speak to it.
type bench struct {
	t     testing.TB
	store *store.Store
	url   string
	http  *http.Client
	close func()
	// described is what every reply is held against; nil: nothing is.
	described *description
	// clock is the live view's, stopLive ends it.
	clock    *clock
	stopLive context.CancelFunc
	// packages is the folder of what hosts install.
	packages string
}

// newBench starts a server on that database.
func newBench(tb testing.TB, databaseURL string) *bench {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(tb.Context(), databaseURL, store.Options{Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	if err := st.Prepare(tb.Context(), func(error) {}); err != nil {
		tb.Fatal(err)
	}
	return benchOn(tb, st, log)
}

// benchOn starts a server on a store, which it closes in the end.
func benchOn(tb testing.TB, st *store.Store, log *slog.Logger) *bench {
	tb.Helper()
	d, err := readDescription()
	if err != nil {
		tb.Fatal(err)
	}
	clock := &clock{}
	board := live.New(st, live.Options{Poll: 20 * time.Millisecond, Recheck: 100 * time.Millisecond, Now: clock.now, Log: log})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = board.Run(ctx) })
	packages, folder := newRepository(tb)
	server := httptest.NewServer(newHandler(st, board, log, surroundings{metrics: newMetrics(), repository: packages}))
	transport := &http.Transport{}
	b := &bench{t: tb, store: st, url: server.URL, http: &http.Client{Transport: transport, Timeout: patience}, described: d, clock: clock, stopLive: cancel, packages: folder}
	b.close = sync.OnceFunc(func() {
		cancel()
		transport.CloseIdleConnections()
		server.Close()
		running.Wait()
		st.Close()
	})
	tb.Cleanup(b.close)
	return b
}

func (b *bench) token(role store.Role) string {
	b.t.Helper()
	c := secret.New(secret.KindToken)
	if err := b.store.AddToken(b.t.Context(), store.Token{ID: c.ID, Name: "test", Role: role}, c.Hash()); err != nil {
		b.t.Fatal(err)
	}
	return c.Reveal()
}

func (b *bench) enrollment(uses int, expires time.Duration, host string) string {
	b.t.Helper()
	return b.enrollmentFor(store.Enrollment{Kind: api.EnrollHost, UsesLeft: uses, ForHost: host, ExpiresAt: time.Now().Add(expires)})
}

// enrollmentFor keeps an enrolment token and returns it whole.
func (b *bench) enrollmentFor(e store.Enrollment) string {
	b.t.Helper()
	c := secret.New(secret.KindEnrollment)
	e.ID = c.ID
	if err := b.store.AddEnrollment(b.t.Context(), e, c.Hash()); err != nil {
		b.t.Fatal(err)
	}
	return c.Reveal()
}

// host enrols a host and gives its credential.
func (b *bench) host(id string) string {
	b.t.Helper()
	var reply api.EnrollReply
	r := b.do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{
		EnrollmentToken: b.enrollment(1, time.Hour, ""), HostID: id, Hostname: id + ".example",
	})
	r.wants(201, &reply)
	return reply.Credential
}

// reply is an answer, read whole.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

// wants checks the status and reads the body into v, if any.
func (r reply) wants(status int, v any) {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.status, status, r.body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.body)
	}
}

// refused checks a problem.
func (r reply) refused(status int, code api.Code) {
	r.t.Helper()
	var p api.Problem
	r.wants(status, &p)
	if p.Code != code || p.Status != status || r.header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("%s: %+v %v, want code %s", r.what, p, r.header, code)
	}
}

// try sends a request; body is sent as it is where it is bytes, else as JSON.
func (b *bench) try(method, path, bearer string, body any, headers ...string) (reply, error) {
	var in io.Reader
	switch v := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(v)
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return reply{}, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, in)
	if err != nil {
		return reply{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var begin io.Reader = res.Body
	if res.Header.Get("Content-Type") == "text/event-stream" {
		// It does not end: its beginning is enough.
		begin = io.LimitReader(res.Body, 16)
	}
	text, err := io.ReadAll(begin)
	r := reply{t: b.t, what: method + " " + path, status: res.StatusCode, header: res.Header, body: text}
	if err == nil && b.described != nil {
		if err := b.described.check(r, method, path); err != nil {
			b.t.Errorf("%s is not as openapi.json describes it: %v", r.what, err)
		}
	}
	return r, err
}

func (b *bench) do(method, path, bearer string, body any, headers ...string) reply {
	b.t.Helper()
	r, err := b.try(method, path, bearer, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// send reports events, which must be answered with 200.
func (b *bench) send(credential string, events ...api.Event) api.IngestReply {
	b.t.Helper()
	var got api.IngestReply
	b.do(http.MethodPost, "/api/events", credential, api.EventBatch{Events: events}).wants(200, &got)
	if got.Accepted+got.Duplicates+len(got.Rejected) != len(events) {
		b.t.Fatalf("%d events sent, reply %+v", len(events), got)
	}
	return got
}

func (b *bench) summary(token, machine, query string) api.Summary {
	b.t.Helper()
	var s api.Summary
	b.do(http.MethodGet, "/api/activity/"+url.PathEscape(machine)+"/summary?"+query, token, nil).wants(200, &s)
	return s
}

func at(text string) time.Time {
	// A mistake gives the year 1, which the server refuses.
	t, _ := time.Parse(time.RFC3339, text)
	return t
}

func minute(machine string, i int) api.Event {
	return api.Event{MachineID: machine, Timestamp: at("2024-01-15T00:00:00Z").Add(time.Duration(i) * time.Minute), KeyCount: 1}
}

func ptr[T any](v T) *T { return &v }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Short enough for a socket, and open to PostgreSQL's account.
			state := t.TempDir()
			if err := os.Chmod(filepath.Dir(state), 0o711); err != nil {
				return err
			}
			env.Setenv("STATE", state)
			env.Setenv("HOME", filepath.Join(state, "home"))
			return nil
		},
	})
}

// serving is a server as `serve` runs it.
type serving struct {
	stop context.CancelFunc
	done chan error
	url  string
}

func startServing(t *testing.T, s *settings) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	port := freePort(t)
	run := &serving{stop: cancel, done: make(chan error, 1), url: "http://" + port}
	go func() { run.done <- serve(ctx, s, port, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-run.done:
		default:
		}
	})
	return run
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// await waits for a condition.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// A private PostgreSQL is killed in the middle of uploads: hosts are told to come
// back, and nothing that was acknowledged is missing.
func TestDatabaseKilledInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	s := &settings{stateDir: dir}
	run := startServing(t, s)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	b := &bench{t: t, url: run.url, http: &http.Client{Transport: transport, Timeout: patience}}
	ready := func() bool {
		r, err := b.try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.status == 200
	}
	await(t, "the server", ready)
	log := slog.New(slog.DiscardHandler)
	db, err := openDatabase(t.Context(), s, log)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = db.close(t.Context())
		}
	}()
	if err := db.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.store = db.store
	viewer, credential := b.token(store.RoleViewer), b.host("h")

	var acknowledged, unavailable atomic.Int64
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 3 {
		workers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				uploadOne(t, b, credential, minute(fmt.Sprintf("m%d", w), i), &acknowledged, &unavailable, stop)
			}
		})
	}
	await(t, "the first events", func() bool { return acknowledged.Load() > 20 })
	pid, err := db.private.PID()
	if err != nil || pid == 0 {
		t.Fatalf("process %d, %v", pid, err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "a 503", func() bool { return unavailable.Load() > 0 })
	before := acknowledged.Load()
	await(t, "events after the restart", func() bool { return acknowledged.Load() > before+20 })
	close(stop)
	workers.Wait()
	await(t, "readiness", ready)

	var stored int64
	for w := range 3 {
		cursor := ""
		for {
			var page api.EventList
			b.do(http.MethodGet, fmt.Sprintf("/api/activity/m%d/events?start=2024-01-01T00:00:00Z&end=2025-01-01T00:00:00Z&limit=500&cursor=%s", w, cursor), viewer, nil).wants(200, &page)
			stored += int64(len(page.Events))
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
	}
	if stored != acknowledged.Load() {
		t.Errorf("%d events acknowledged, %d stored", acknowledged.Load(), stored)
	}
	t.Logf("%d events acknowledged, %d times 503", acknowledged.Load(), unavailable.Load())
	closed = true
	if err := db.close(t.Context()); err != nil {
		t.Error(err)
	}
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}

// uploadOne repeats an event, as a host does, until it is acknowledged.
func uploadOne(t *testing.T, b *bench, credential string, e api.Event, acknowledged, unavailable *atomic.Int64, stop chan struct{}) {
	t.Helper()
	for {
		r, err := b.try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: []api.Event{e}})
		switch {
		case err != nil:
			t.Error(err)
			return
		case r.status == 200:
			acknowledged.Add(1)
			return
		case r.status != 503 || r.header.Get("Retry-After") == "":
			t.Errorf("status %d, %v: %s", r.status, r.header, r.body)
			return
		}
		unavailable.Add(1)
		select {
		case <-stop:
			// Whether it was stored is open: send it for good.
			stop = nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// SIGTERM ends a server after the requests that it has accepted.
func TestStopFinishesAcceptedRequests(t *testing.T) {
	databaseURL := newDatabase(t)
	run := startServing(t, &settings{databaseURL: databaseURL})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	b := &bench{t: t, url: run.url, http: &http.Client{Transport: transport, Timeout: patience}}
	await(t, "the server", func() bool {
		r, err := b.try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.status == 200
	})
	b.store = newBench(t, databaseURL).store
	credential := b.host("h")

	// The body's second half comes after the stop.
	body, half := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, run.url+"/api/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	answered := make(chan error, 1)
	go func() {
		res, err := b.http.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", res.StatusCode)
			}
		}
		answered <- err
	}()
	if _, err := io.WriteString(half, `{"events":[{"machine_id":"m",`); err != nil {
		t.Fatal(err)
	}
	// Its credential was looked up: the handler is at work.
	await(t, "the request to be accepted", func() bool {
		h, _, err := b.store.HostByCredential(t.Context(), strings.Split(credential, ".")[0])
		return err == nil && h.CredentialUsed
	})
	run.stop()
	await(t, "the listener to close", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(run.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(half, `"timestamp":"2024-01-15T00:00:00Z"}]}`); err != nil {
		t.Fatal(err)
	}
	_ = half.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}

// The server listens and says 503 while its database is away, and mends itself.
func TestStartsBeforeItsDatabase(t *testing.T) {
	run := startServing(t, &settings{databaseURL: "postgres://nobody@127.0.0.1:1/none"})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	b := &bench{t: t, url: run.url, http: &http.Client{Transport: transport, Timeout: patience}}
	await(t, "the process", func() bool {
		r, err := b.try(http.MethodGet, "/healthz", "", nil)
		return err == nil && r.status == 200
	})
	for _, path := range []string{"/readyz", "/api/machines"} {
		r := b.do(http.MethodGet, path, secret.New(secret.KindToken).Reveal(), nil)
		r.refused(503, api.CodeUnavailable)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}
