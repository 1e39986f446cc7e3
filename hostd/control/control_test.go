package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/server/api"
)

// Environment variables that turn this test binary into somebody's client.
const (
	askEnv  = "CONTROL_TEST_ASK"
	sockEnv = "CONTROL_TEST_SOCKET"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(askEnv); what != "" {
		ask(what, os.Getenv(sockEnv))
		return
	}
	goleak.VerifyTestMain(m)
}

// ask is what the other user does: it prints the answer or the error.
func ask(what, socket string) {
	c, ctx := NewClient(socket), context.Background()
	var v any
	var err error
	switch what {
	case "status":
		v, err = c.Status(ctx)
	case "sessions":
		v, err = c.Sessions(ctx)
	case "doctor":
		v, err = c.Doctor(ctx)
	case "enroll":
		v, err = c.Enroll(ctx, EnrollRequest{URL: "https://evil.example", Token: "a.b"})
	case "rejected":
		v, err = c.Rejected(ctx, 5)
	case "retry":
		v, err = c.Retry(ctx, Selection{All: true})
	case "drop":
		v, err = c.Drop(ctx, Selection{All: true})
	case "pause":
		v, err = c.Pause(ctx, time.Hour)
	case "pause-0":
		v, err = c.Pause(ctx, 0)
	case "pause-1":
		v, err = c.Pause(ctx, time.Second)
	case "notice":
		v, err = c.Notice(ctx)
	case "confirm":
		v, err = c.Confirm(ctx, "v1")
	case "confirm-other":
		v, err = c.Confirm(ctx, "v2")
	case "web":
		v, err = c.WebLink(ctx)
	case "resume":
		v, err = c.Resume(ctx)
	case "listen": // takes one connection and says how much it was told
		l, lerr := net.Listen("unix", socket)
		if lerr != nil {
			fmt.Println(lerr)
			return
		}
		fmt.Println("listening")
		conn, _ := l.Accept()
		n, _ := io.Copy(io.Discard, conn)
		fmt.Println(n, "bytes")
		return
	case "loop": // asks as fast as it can, with several at once, and prints how often it was answered
		fmt.Println(askInLoops(ctx, func(ctx context.Context) error { _, err := c.Status(ctx); return err }))
		return
	case "loop-rejected":
		fmt.Println(askInLoops(ctx, func(ctx context.Context) error { _, err := c.Rejected(ctx, 1); return err }))
		return
	case "hold": // as many connections as it gets, until standard input ends
		for range maxConns {
			if conn, err := net.Dial("unix", socket); err == nil {
				defer func() { _ = conn.Close() }()
			}
		}
		fmt.Println("held")
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	if err != nil {
		fmt.Printf("permitted=%v %v\n", !errors.Is(err, ErrNotPermitted), err)
		return
	}
	_ = json.NewEncoder(os.Stdout).Encode(v)
}

// loopFor is for how long askInLoops asks.
const loopFor = 2 * time.Second

func askInLoops(ctx context.Context, ask func(context.Context) error) int64 {
	ctx, cancel := context.WithTimeout(ctx, loopFor)
	defer cancel()
	var answered atomic.Int64
	var loops sync.WaitGroup
	for range 8 {
		loops.Go(func() {
			for ctx.Err() == nil {
				if ask(ctx) == nil {
					answered.Add(1)
				}
			}
		})
	}
	loops.Wait()
	return answered.Load()
}

const nobody = 65534

type fakeDaemon struct {
	enrolled  []EnrollRequest
	chosen    []Selection
	paused    []string
	confirmed []uint32
}

func (f *fakeDaemon) Pause(_ context.Context, uid uint32, length time.Duration) (Pause, error) {
	switch length {
	case 0:
		return Pause{}, &RefusalError{CodeForbidden, "pausing is not allowed here"}
	case time.Second:
		return Pause{}, errors.New("the disk is full")
	}
	f.paused = append(f.paused, fmt.Sprint(uid, length))
	return Pause{MachineID: "m", UID: uid, Until: time.Unix(1e9, 0).UTC()}, nil
}

func (f *fakeDaemon) Resume(_ context.Context, uid uint32) (Resumed, error) {
	f.paused = append(f.paused, fmt.Sprint(uid))
	return Resumed{Paused: true}, nil
}

func (*fakeDaemon) Notice(_ context.Context, uid uint32) (Notice, error) {
	return Notice{Version: "v1", Text: fmt.Sprint("for ", uid)}, nil
}

func (f *fakeDaemon) Confirm(_ context.Context, uid uint32, version string) (Notice, error) {
	if version != "v1" {
		return Notice{}, &RefusalError{CodeBadRequest, "the notice is another one now"}
	}
	f.confirmed = append(f.confirmed, uid)
	at := time.Unix(1e9, 0).UTC()
	return Notice{Version: version, ReadAt: &at}, nil
}

func (*fakeDaemon) WebLink(_ context.Context, uid uint32) (WebLink, error) {
	return WebLink{URL: fmt.Sprint("https://a.example/self#", uid)}, nil
}

func (*fakeDaemon) Status(context.Context) Status {
	return Status{
		Version: "1.2.3", Server: Destination{URL: "https://a.example", Enrolled: true},
		Sessions: []Session{
			{ID: "c1", User: "alice", UID: 1000, MachineID: "host-abc123-alice"},
			{ID: "c2", User: "nobody", UID: nobody, MachineID: "host-abc123-nobody"},
		},
		Paused: []Pause{{MachineID: "host-abc123-alice", UID: 1000}, {MachineID: "host-abc123-nobody", UID: nobody}},
		Host:   &Host{HostID: "0123", EventsWaiting: 7, Problems: []string{"alice has one"}},
	}
}

func (*fakeDaemon) Doctor(context.Context) api.CheckReport {
	return api.NewCheckReport([]api.Check{{Name: "clock", Result: api.CheckOK}, {Name: "bus", Result: api.CheckFailed}})
}

func (f *fakeDaemon) Enroll(_ context.Context, r EnrollRequest) (EnrollReply, error) {
	if r.Token == "" {
		return EnrollReply{}, errors.New("no token")
	}
	f.enrolled = append(f.enrolled, r)
	return EnrollReply{ServerURL: r.URL, HostID: "0123"}, nil
}

func (*fakeDaemon) Rejected(_ context.Context, limit int, user *uint32) (RejectedList, error) {
	list := RejectedList{Rejected: []Rejected{{ID: uint64(limit), User: "alice"}}}
	if user != nil {
		list.Rejected[0].User = fmt.Sprint("uid ", *user)
	}
	return list, nil
}

func (f *fakeDaemon) Retry(_ context.Context, s Selection) (Handled, error) {
	f.chosen = append(f.chosen, s)
	return Handled{Rejected: 1}, nil
}

func (f *fakeDaemon) Drop(_ context.Context, s Selection) (Handled, error) {
	f.chosen = append(f.chosen, s)
	return Handled{Postponed: 2}, nil
}

// sharedDir is a folder that every user may enter, as /run/trackerd is.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start runs a server until the test ends.
func start(t *testing.T, p Provider) string {
	t.Helper()
	socket := filepath.Join(sharedDir(t), "control.sock")
	l, err := Listen(t.Context(), socket, ForEverybody)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(p, slog.New(slog.DiscardHandler)).Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return socket
}

// asNobody makes a command that asks as another user.
func asNobody(t *testing.T, what, socket string) *exec.Cmd {
	t.Helper()
	return asUser(t, nobody, what, socket)
}

func asUser(t *testing.T, uid uint32, what, socket string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, to become another user")
	}
	self := filepath.Join(filepath.Dir(socket), "client")
	if _, err := os.Stat(self); err != nil {
		data, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(self, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = []string{askEnv + "=" + what, sockEnv + "=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

func TestRootSeesAll(t *testing.T) {
	d := &fakeDaemon{}
	c, ctx := NewClient(start(t, d)), context.Background()
	st, err := c.Status(ctx)
	if err != nil || len(st.Sessions) != 2 || st.Host == nil || st.Host.EventsWaiting != 7 {
		t.Errorf("status: %+v, %v", st, err)
	}
	list, err := c.Sessions(ctx)
	if err != nil || len(list.Sessions) != 2 {
		t.Errorf("sessions: %+v, %v", list, err)
	}
	report, err := c.Doctor(ctx)
	if err != nil || report.OK || len(report.Checks) != 2 {
		t.Errorf("doctor: %+v, %v", report, err)
	}
	reply, err := c.Enroll(ctx, EnrollRequest{URL: "https://a.example", Token: "a.b"})
	if err != nil || reply.HostID != "0123" || len(d.enrolled) != 1 {
		t.Errorf("enroll: %+v, %v", reply, err)
	}
	var refusal *RefusalError
	if _, err = c.Enroll(ctx, EnrollRequest{}); !errors.As(err, &refusal) || refusal.Code != CodeFailed || refusal.Message != "no token" {
		t.Errorf("enroll that fails: %v", err)
	}
}

// TestOthersSeeThemselves asks as a real second user.
func TestOthersSeeThemselves(t *testing.T) {
	d := &fakeDaemon{}
	socket := start(t, d)
	for what, want := range map[string]struct{ has, lacks string }{
		"status":   {"host-abc123-nobody", "alice"},
		"sessions": {"host-abc123-nobody", "alice"},
		"doctor":   {"permitted=false", "clock"},
		"enroll":   {"permitted=false", "server_url"},
	} {
		out, err := asNobody(t, what, socket).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want.has) || strings.Contains(string(out), want.lacks) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if what == "status" && !strings.Contains(string(out), `"host":null`) {
			t.Errorf("status shows the host: %s", out)
		}
	}
	if len(d.enrolled) != 0 {
		t.Error("another user enrolled the host")
	}
}

// A link is the asker's own; root gets none.
func TestWebLink(t *testing.T) {
	socket := start(t, &fakeDaemon{})
	if out, err := asNobody(t, "web", socket).CombinedOutput(); err != nil || !strings.Contains(string(out), `"url":"https://a.example/self#65534"`) {
		t.Errorf("%s %v", out, err)
	}
	if _, err := NewClient(socket).WebLink(t.Context()); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("root gets one: %v", err)
	}
}

func TestRejectedRecords(t *testing.T) {
	d := &fakeDaemon{}
	socket := start(t, d)
	c := NewClient(socket)
	if list, err := c.Rejected(t.Context(), 7); err != nil || list.Rejected[0].ID != 7 || list.Rejected[0].User != "alice" {
		t.Errorf("root sees %+v, %v", list, err)
	}
	if h, err := c.Retry(t.Context(), Selection{IDs: []uint64{3}}); err != nil || h.Rejected != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := c.Drop(t.Context(), Selection{Code: "too_long"}); err != nil || h.Postponed != 2 {
		t.Errorf("%+v, %v", h, err)
	}
	for _, wrong := range []Selection{{}, {IDs: []uint64{1}, All: true}, {Code: "a", All: true}} {
		if _, err := c.Drop(t.Context(), wrong); err == nil {
			t.Errorf("%+v was dropped", wrong)
		}
	}
	if _, err := c.Rejected(t.Context(), MaxRejected+1); err == nil {
		t.Error("more were asked for than a reply has")
	}
	if out, err := asNobody(t, "rejected", socket).CombinedOutput(); err != nil || !strings.Contains(string(out), "uid 65534") {
		t.Errorf("another user sees %s, %v", out, err)
	}
	for _, what := range []string{"retry", "drop"} {
		if out, err := asNobody(t, what, socket).CombinedOutput(); err != nil || !strings.Contains(string(out), "permitted=false") {
			t.Errorf("another user may %s: %s, %v", what, out, err)
		}
	}
	if len(d.chosen) != 2 {
		t.Errorf("chosen were %+v", d.chosen)
	}
}

// TestNobodyLocksOthersOut lets another user take all the connections there are.
func TestNobodyLocksOthersOut(t *testing.T) {
	socket := start(t, &fakeDaemon{})
	cmd := asNobody(t, "hold", socket)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("held\n"))
	if _, err := io.ReadFull(stdout, line); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // less than the server's own time-outs
	defer cancel()
	if _, err := NewClient(socket).Status(ctx); err != nil {
		t.Errorf("root cannot ask: %v", err)
	}
	out, err := asNobody(t, "status", socket).CombinedOutput()
	if err != nil || strings.Contains(string(out), "version") {
		t.Errorf("another user has more than %d connections: %v\n%s", maxConnsPerUser, err, out)
	}
	out, err = asUser(t, nobody-1, "status", socket).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "version") {
		t.Errorf("a third user cannot ask: %v\n%s", err, out)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLoopsAreSlowedDown has another user ask as fast as they can: for what is cheap,
// and for what is not.
func TestLoopsAreSlowedDown(t *testing.T) {
	for what, cost := range map[string]int{"loop": 1, "loop-rejected": rejectedCost} {
		t.Run(what, func(t *testing.T) {
			socket := start(t, &fakeDaemon{})
			cmd := asNobody(t, what, socket)
			var out strings.Builder
			cmd.Stdout = &out
			before := cpuTime(t)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), loopFor)
			defer cancel()
			if _, err := NewClient(socket).Status(ctx); err != nil {
				t.Errorf("root cannot ask meanwhile: %v", err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			answered, err := strconv.Atoi(strings.TrimSpace(out.String()))
			least, most := burst/cost, (burst+int(loopFor.Seconds())*requestsPerSecond)/cost+1
			if err != nil || answered < least || answered > most {
				t.Errorf("answered %s requests (%v), want %d to %d", out.String(), err, least, most)
			}
			t.Logf("%d answered in %s, for %s of processor time", answered, loopFor, cpuTime(t)-before)
		})
	}
}

// cpuTime returns what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestPeerThatIsSlowIsCutOff(t *testing.T) {
	socket := start(t, &fakeDaemon{})
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET /v1/status HTTP/1.1\r\nHost: a\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(readTimeout + 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("still connected: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	socket := start(t, &fakeDaemon{})
	client := NewClient(socket).http
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/", "", 404},
		{"GET", "/v1/../../etc/passwd", "", 404},
		{"DELETE", "/v1/status", "", 404},
		{"POST", "/v1/enroll", "{", 400},
		{"POST", "/v1/enroll", `{"token":"` + strings.Repeat("a", maxBodyBytes) + `"}`, 400},
		{"GET", "/" + strings.Repeat("a", maxHeaderBytes+5000), "", 431},
	} {
		req, err := http.NewRequest(c.method, "http://trackerd"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %.40s: %v", c.method, c.path, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s %.40s: got %d, want %d", c.method, c.path, resp.StatusCode, c.status)
		}
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // what a killed trackerd leaves
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Listen(t.Context(), stale, ForOwner)
	if err != nil {
		t.Fatalf("a dead trackerd's socket is in the way: %v", err)
	}
	if info, err := os.Stat(stale); err != nil || info.Mode().Perm() != ForOwner {
		t.Errorf("mode: %v, %v", info, err)
	}
	if _, err := Listen(t.Context(), stale, ForOwner); !errors.Is(err, ErrInUse) {
		t.Errorf("a second trackerd: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), file, ForOwner); err == nil {
		t.Error("a file was taken for a stale socket")
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestNotRunning(t *testing.T) {
	if _, err := NewClient(filepath.Join(t.TempDir(), "none")).Status(context.Background()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}

// TestImpostor: a socket that another user listens on gets no token.
func TestImpostor(t *testing.T) {
	dir := sharedDir(t)
	if err := os.Chmod(dir, 0o777); err != nil { // so that the other user can make a socket
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "control.sock")
	cmd := asNobody(t, "listen", socket)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("listening\n"))
	if _, err := io.ReadFull(stdout, line); err != nil {
		t.Fatal(err)
	}
	_, err = NewClient(socket).Enroll(context.Background(), EnrollRequest{URL: "https://a.example", Token: "id.secret"})
	if err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Errorf("got %v", err)
	}
	got, err := io.ReadAll(stdout)
	if err != nil || string(got) != "0 bytes\n" {
		t.Errorf("the impostor got %q, %v", got, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestUserSocket(t *testing.T) {
	if got, err := UserSocket("/run/user/1000"); err != nil || got != "/run/user/1000/trackerd/control.sock" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, none := range []string{"", "relative"} {
		if _, err := UserSocket(none); err == nil || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR") {
			t.Errorf("%q: %v", none, err)
		}
	}
}
