package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/server/api"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	if os.Getenv(helpersVariable) != "" {
		beHelpers()
		return
	}
	testscript.Main(m, map[string]func(){"trackerd": main})
}

// waitLimit bounds every wait of these tests; what they wait for takes some seconds,
// and the sending of 200,000 events most of a minute under the race detector.
const waitLimit = 3 * time.Minute

// TestScripts runs the real daemon, with its real buffer and control socket,
// where no system bus and no systemd are. A socket stands for systemd's and
// hears what the daemon notifies.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"notified": notified, "queue": queue, "server": serveTracker, "enroll": enroll, "doctor": printChecks, "rejects": rejects, "rejected": waitRejected, "retry": retry, "received": received,
		},
	})
}

// heard is what systemd was sent.
type heard struct {
	mu    sync.Mutex
	text  string
	fresh chan struct{}
}

func setup(env *testscript.Env) error {
	path := filepath.Join(env.WorkDir, "notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	h := &heard{fresh: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			h.mu.Lock()
			h.text += string(buf[:n]) + "\n"
			h.mu.Unlock()
			select {
			case h.fresh <- struct{}{}:
			default:
			}
		}
	}()
	env.Defer(func() { _ = conn.Close(); <-done })
	env.Values["heard"] = h
	env.Values["rejects"] = new(atomic.Value)
	env.Values["taken"] = &taken{of: map[int64]int{}}
	env.Setenv("NOTIFY_SOCKET", path)
	env.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(env.WorkDir, "no-bus"))
	env.Setenv("TRACKERD_BUFFER_PATH", filepath.Join(env.WorkDir, "state", "buffer.db"))
	env.Setenv("SOCK", filepath.Join(env.WorkDir, "control.sock"))
	env.Setenv("CRED", filepath.Join(env.WorkDir, "state", "credential"))
	env.Setenv("REC", filepath.Join(env.WorkDir, "enrollment.yaml"))
	return nil
}

// notified waits until systemd was sent the text, since the last time.
func notified(ts *testscript.TestScript, _ bool, args []string) {
	h, _ := ts.Value("heard").(*heard)
	limit := time.After(waitLimit)
	for {
		h.mu.Lock()
		text := h.text
		_, after, found := strings.Cut(text, args[0])
		if found {
			h.text = after
		}
		h.mu.Unlock()
		if found {
			return
		}
		select {
		case <-h.fresh:
		case <-limit:
			ts.Fatalf("systemd was never told %q but:\n%s", args[0], text)
		}
	}
}

// tokens are those that the server knows, and the credentials it issues for them:
// only cred.secret may send events.
var tokens = map[string]string{"id.secret": "cred.secret", "id.revoked": "cred.revoked"}

// serveTracker starts a server that knows tokens and puts its URL into $SERVER.
func serveTracker(ts *testscript.TestScript, _ bool, _ []string) {
	code, _ := ts.Value("rejects").(*atomic.Value)
	kept, _ := ts.Value("taken").(*taken)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/readyz":
		case "/api/enroll":
			var req api.EnrollRequest
			err := json.NewDecoder(r.Body).Decode(&req)
			credential, known := tokens[req.EnrollmentToken]
			if err != nil || !known {
				w.WriteHeader(http.StatusUnauthorized)
				_ = json.NewEncoder(w).Encode(api.Problem{Status: http.StatusUnauthorized, Code: api.CodeBadToken})
				return
			}
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(api.EnrollReply{HostID: req.HostID, Credential: credential})
		case "/api/events":
			if r.Header.Get("Authorization") != "Bearer cred.secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			batch := events(r)
			reply := answerTo(len(batch), code)
			if reply.Accepted > 0 {
				kept.add(batch)
			}
			_ = json.NewEncoder(w).Encode(reply)
		case "/api/policy": // there is no bus, which it may not know yet
			unseen := r.Header.Get(api.UnseenHeader)
			if unseen != "" && unseen != string(api.UnseenSessions) || r.UserAgent() != api.AgentProduct+version || r.Header.Get(api.ClockHeader) == "" {
				w.WriteHeader(http.StatusBadRequest) // then nothing is measured
				return
			}
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv("SERVER", srv.URL)
}

// rejects has the server reject every event with a code, or none.
func rejects(ts *testscript.TestScript, _ bool, args []string) {
	code, _ := ts.Value("rejects").(*atomic.Value)
	code.Store(strings.Join(args, ""))
}

func answerTo(events int, rejects *atomic.Value) api.IngestReply {
	code, _ := rejects.Load().(string)
	if code == "" {
		return api.IngestReply{Accepted: events}
	}
	var reply api.IngestReply
	for i := range events {
		reply.Rejected = append(reply.Rejected, api.Rejection{Index: i, Code: api.Code(code)})
	}
	return reply
}

// waitRejected waits until so many events are rejected for good, and so many
// postponed.
func waitRejected(ts *testscript.TestScript, _ bool, args []string) {
	limit := time.Now().Add(waitLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := client(ts).Rejected(context.Background(), control.MaxRejected)
		ts.Check(err)
		later := int64(0)
		for _, p := range list.Later {
			later += p.Events
		}
		if fmt.Sprint(len(list.Rejected)) == args[0] && fmt.Sprint(later) == args[1] {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("rejected are %+v", list)
		}
		<-tick.C
	}
}

// retry does what trackctl rejected retry --code does.
func retry(ts *testscript.TestScript, _ bool, args []string) {
	_, err := client(ts).Retry(context.Background(), control.Selection{Code: args[0]})
	ts.Check(err)
}

// events returns what a batch holds; none if it is no batch.
func events(r *http.Request) []api.Event {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil
		}
		body = z
	}
	var batch api.EventBatch
	if json.NewDecoder(body).Decode(&batch) != nil {
		return nil
	}
	return batch.Events
}

// firstQueued is the time of the first event that queue makes, in seconds since 1970.
const firstQueued = 1_790_000_000

// taken is what the server accepted: how often each event, by its second.
type taken struct {
	mu sync.Mutex
	of map[int64]int
}

func (k *taken) add(batch []api.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range batch {
		k.of[batch[i].Timestamp.Unix()-firstQueued]++
	}
}

// received checks that the server accepted each of so many queued events once, from
// the one of that number on.
func received(ts *testscript.TestScript, _ bool, args []string) {
	n, from := wholeNumber(ts, args[0]), wholeNumber(ts, args[1])
	k, _ := ts.Value("taken").(*taken)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.of) != n {
		ts.Fatalf("the server has %d events, want %d", len(k.of), n)
	}
	for i := range int64(n) {
		if times := k.of[int64(from)+i]; times != 1 {
			ts.Fatalf("event %d was accepted %d times", int64(from)+i, times)
		}
	}
}

// queue puts an event into the buffer, as an earlier daemon would have; or so many,
// into a buffer that holds no more than so many.
func queue(ts *testscript.TestScript, _ bool, args []string) {
	n, o := 1, buffer.Options{}
	if len(args) == 2 {
		n, o.MaxEvents = wholeNumber(ts, args[0]), wholeNumber(ts, args[1])
	}
	b, err := buffer.Open(ts.Getenv("TRACKERD_BUFFER_PATH"), o)
	ts.Check(err)
	const atOnce = 10_000
	for from := 0; from < n; from += atOnce {
		ts.Check(b.Update(func(tx *buffer.Tx) error {
			for i := from; i < min(from+atOnce, n); i++ {
				event, err := json.Marshal(api.Event{MachineID: "vm-abc123-alice", Timestamp: time.Unix(firstQueued+int64(i), 0).UTC()})
				if err := errors.Join(err, tx.Enqueue(event)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	ts.Check(b.Close())
}

func wholeNumber(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func client(ts *testscript.TestScript) *control.Client { return control.NewClient(ts.Getenv("SOCK")) }

// enroll does what trackctl enroll does.
func enroll(ts *testscript.TestScript, neg bool, args []string) {
	_, err := client(ts).Enroll(context.Background(), control.EnrollRequest{URL: args[0], Token: args[1]})
	if (err != nil) != neg {
		ts.Fatalf("enroll: %v", err)
	}
	if err != nil {
		_, _ = fmt.Fprintln(ts.Stderr(), err)
	}
}

// printChecks prints each check's name and result, or the detail of the one named.
func printChecks(ts *testscript.TestScript, _ bool, args []string) {
	report, err := client(ts).Doctor(context.Background())
	ts.Check(err)
	for _, c := range report.Checks {
		if c.Result != api.CheckOK && c.Result != api.CheckSkipped && c.Advice == "" {
			ts.Fatalf("%s: %s without advice", c.Name, c.Result)
		}
		switch {
		case len(args) == 0:
			_, _ = fmt.Fprintln(ts.Stdout(), c.Name, c.Result)
		case args[0] == c.Name:
			_, _ = fmt.Fprintf(ts.Stdout(), "%s: %s -> %s\n", c.Result, c.Detail, c.Advice)
		}
	}
}

// TestRunStopsCleanly runs the daemon in this process, so that goleak and the
// race detector see all of it.
func TestRunStopsCleanly(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "no-bus"))
	t.Setenv("NOTIFY_SOCKET", "")
	cfg, err := config.Load(config.Paths{}, []string{"TRACKERD_BUFFER_PATH=" + filepath.Join(dir, "buffer.db")})
	if err != nil {
		t.Fatal(err)
	}
	o := options{
		enrollmentPath: filepath.Join(dir, "enrollment.yaml"), credentialPath: filepath.Join(dir, "credential"),
		socketPath: filepath.Join(dir, "s"), helperPath: defaultHelper,
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, cfg, o, slog.New(slog.DiscardHandler)) }()
	for {
		st, err := control.NewClient(o.socketPath).Status(ctx)
		if err == nil {
			if st.Server.Enrolled || st.Host == nil || len(st.Host.HostID) != 32 || st.CollectIntervalSec != 60 {
				t.Errorf("status: %+v", st)
			}
			break
		}
		if !errors.Is(err, control.ErrNotRunning) {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			t.Fatalf("ended at once: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := os.Stat(o.socketPath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}
