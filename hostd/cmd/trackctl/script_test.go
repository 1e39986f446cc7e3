package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/server/api"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trackctl": main})
}

// TestScripts runs trackctl against a real control socket; "serve STATE" sets
// what the daemon behind it answers, "nobody" runs a command as another user.
func TestScripts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, to become another user")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// Other users come to the socket and the command as they would
			// to /run/trackerd and /usr/bin.
			if err := openUp(env.WorkDir); err != nil {
				return err
			}
			env.Setenv("SOCK", filepath.Join(env.WorkDir, "control.sock"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "nobody": runAsNobody},
	})
}

// openUp lets everybody pass through dir and what is above it.
func openUp(dir string) error {
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	daemon, ok := daemons[args[0]]
	if !ok {
		ts.Fatalf("no such daemon: %s", args[0])
	}
	daemon.confirmed = &confirmations{} // of this script alone
	l, err := control.Listen(context.Background(), ts.Getenv("SOCK"), control.ForEverybody)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.NewServer(daemon, slog.New(slog.DiscardHandler)).Run(ctx, l) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
}

func runAsNobody(ts *testscript.TestScript, neg bool, args []string) {
	const nobody = 65534
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	copied := ts.MkAbs(args[0])
	// Copied by another process: a descriptor open for writing in this one
	// could be inherited by a command that another script starts at that very
	// moment, and then the kernel refuses to run the copy ("text file busy").
	ts.Check(exec.Command("install", "-m", "755", path, copied).Run())
	cmd := exec.Command(copied, args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/"}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var exit *exec.ExitError
	err = cmd.Run()
	if err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	if (err != nil) != neg {
		ts.Fatalf("%v", err)
	}
	_, _ = io.WriteString(ts.Stdout(), "exit code "+itoa(cmd.ProcessState.ExitCode())+"\n")
}

func itoa(n int) string { return string(rune('0' + n)) } // exit codes have one digit

// daemons are the daemons that scripts can serve.
var daemons = map[string]fakeDaemon{
	"busy": {status: busy(), report: api.NewCheckReport([]api.Check{
		{Name: "configuration", Result: api.CheckOK, Detail: "valid"},
		{Name: "clock", Result: api.CheckFailed, Detail: "2 h behind the server's", Advice: "let systemd-timesyncd or chrony set it"},
		{Name: "credential", Result: api.CheckSkipped, Detail: "the server cannot be reached"},
	})},
	"paused": {status: paused()},
	"fresh": {status: fresh(), report: api.NewCheckReport([]api.Check{
		{Name: "configuration", Result: api.CheckOK, Detail: "valid"},
		{Name: "server", Result: api.CheckWarning, Detail: "none yet", Advice: "enrol"},
	})},
}

type fakeDaemon struct {
	status control.Status
	report api.CheckReport
	// confirmed are who has read its notice.
	confirmed *confirmations
}

func (f fakeDaemon) Status(context.Context) control.Status  { return f.status }
func (f fakeDaemon) Doctor(context.Context) api.CheckReport { return f.report }

func (f fakeDaemon) Enroll(_ context.Context, r control.EnrollRequest) (control.EnrollReply, error) {
	if r.Token != "id.secret" || r.AllowHTTP {
		return control.EnrollReply{}, errors.New("the server does not accept this token")
	}
	return control.EnrollReply{ServerURL: r.URL, HostID: "0123456789abcdef0123456789abcdef"}, nil
}

func (f fakeDaemon) Rejected(_ context.Context, _ int, user *uint32) (control.RejectedList, error) {
	list := control.RejectedList{Rejected: []control.Rejected{}, Later: []control.Postponed{}}
	if len(f.status.Sessions) == 0 {
		return list, nil
	}
	record := at(8)
	list.Rejected = append(list.Rejected, control.Rejected{
		ID: 7, At: at(10), Code: "too_long", Message: "active_window is\x1b[31m too long", MachineID: "vm-abc123-nobody", User: "nobody", Timestamp: &record,
	})
	if user == nil {
		list.Rejected = append(list.Rejected, control.Rejected{ID: 6, At: at(9), Code: "bad_event"})
		list.Later = f.status.Host.Later
	}
	return list, nil
}

func (fakeDaemon) Retry(_ context.Context, s control.Selection) (control.Handled, error) {
	return control.Handled{Rejected: int64(len(s.IDs))}, nil
}

func (fakeDaemon) Drop(context.Context, control.Selection) (control.Handled, error) {
	return control.Handled{Rejected: 2, Postponed: 3}, nil
}

func (f fakeDaemon) Pause(_ context.Context, uid uint32, length time.Duration) (control.Pause, error) {
	if len(f.status.Sessions) == 0 {
		return control.Pause{}, &control.RefusalError{Code: control.CodeForbidden, Message: "pausing is not allowed here (policy 12)"}
	}
	return control.Pause{MachineID: "vm-abc123-nobody", UID: uid, Until: at(12).Add(length)}, nil
}

func (f fakeDaemon) Resume(context.Context, uint32) (control.Resumed, error) {
	return control.Resumed{Paused: len(f.status.Sessions) > 0}, nil
}

func (f fakeDaemon) Notice(_ context.Context, uid uint32) (control.Notice, error) {
	return control.Notice{Version: "0123", Text: "What is recorded about you:\n- everything\x1b[31m\n", ReadAt: f.confirmed.at(uid)}, nil
}

func (f fakeDaemon) Confirm(_ context.Context, uid uint32, version string) (control.Notice, error) {
	if version != "0123" {
		return control.Notice{}, &control.RefusalError{Code: control.CodeBadRequest, Message: "the notice is another one now"}
	}
	f.confirmed.mu.Lock()
	defer f.confirmed.mu.Unlock()
	f.confirmed.uids = append(f.confirmed.uids, uid)
	return control.Notice{Version: version}, nil
}

func (f fakeDaemon) WebLink(_ context.Context, uid uint32) (control.WebLink, error) {
	if len(f.status.Sessions) == 0 {
		return control.WebLink{}, &control.RefusalError{Code: control.CodeBadRequest, Message: "the server does not answer; try again later"}
	}
	return control.WebLink{URL: fmt.Sprint("https://tracker.example/self#self_0.", uid), ExpiresAt: at(12)}, nil
}

type confirmations struct {
	mu   sync.Mutex
	uids []uint32
}

func (c *confirmations) at(uid uint32) *time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.uids, uid) {
		return nil
	}
	then := at(13)
	return &then
}

func fresh() control.Status {
	return control.Status{
		Version: "1.2.3", StartedAt: at(9), Hostname: "vm", CollectIntervalSec: 60, SendIntervalSec: 300, IdleAfterSec: 180,
		Measured: control.Measured{Counted: []string{"how many keys"}, Never: []string{"which keys"}, Handling: []string{"it is uploaded"}},
		Host:     &control.Host{HostID: "0123456789abcdef0123456789abcdef", DeadLetters: map[string]int64{}, Later: []control.Postponed{}, Problems: []string{}},
	}
}

func busy() control.Status {
	st, uploaded, reported := fresh(), at(12), at(13)
	st.Server = control.Destination{URL: "https://tracker.example", Enrolled: true}
	st.Upload = control.Upload{LastSuccess: &uploaded, LastError: "the server\x1b[31m is away"}
	st.Sessions = []control.Session{
		{
			ID: "c1", User: "alice", UID: 1000, MachineID: "vm-abc123-alice", Kind: "rdp", Display: ":10", Connected: new(true), Reads: []string{"x11"},
			State: control.SessionReporting, LastReport: &reported,
		},
		{
			ID: "c2", User: "nobody", UID: 65534, MachineID: "vm-abc123-nobody", Kind: "rdp", Display: ":11", Reads: []string{"x11"},
			State: control.SessionRetrying, Problem: "X does not answer",
		},
		local("2", "carol", new(true), true), local("3", "dave", new(false), false), local("4", "erin", new(true), false),
	}
	st.Host.EventsWaiting = 14
	st.Host.DeadLetters = map[string]int64{"bad_timestamp": 2, "foreign_machine": 1}
	st.Host.Later = []control.Postponed{{Code: "foreign_machine", MachineID: "vm-abc123-bob", Events: 3, NextTry: at(14)}}
	st.Host.Problems = []string{"the clock is wrong; set it"}
	return st
}

func paused() control.Status {
	st := fresh()
	st.Sessions = nil
	st.Paused = []control.Pause{{MachineID: "vm-abc123-alice", UID: 1000, Until: at(14)}, {MachineID: "vm-abc123-nobody", UID: 65534, Until: at(15)}}
	return st
}

func local(id, user string, front *bool, locked bool) control.Session {
	reads := []string{"wayland"}
	if *front && !locked {
		reads = append(reads, "seat")
	}
	return control.Session{
		ID: id, User: user, UID: 1000, MachineID: "vm-abc123-" + user, Kind: "local", Connected: front, Seat: "seat0",
		Locked: locked, Reads: reads, State: control.SessionReporting, LastReport: new(at(13)),
	}
}

func at(hour int) time.Time { return time.Date(2026, time.November, 22, hour, 3, 5, 0, time.UTC) }
