package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// daemon is a child process that ends with this program, however that ends.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startDaemon starts cmd. The thread that starts it is kept, since the kernel
// takes that thread's end for the parent's.
func startDaemon(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(d.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
		cmd.SysProcAttr.Setpgid = true
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended shows in what it no longer does
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return d
}

// stop ends it with a signal and waits.
func (d *daemon) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("end %s: %v", d.cmd.Path, err)
	}
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not end after %s", d.cmd.Path, sig)
		d.cmd.Process.Kill()
		<-d.ended
	}
}

// server is a trackerd-server with its database: on this machine, or installed
// on a host.
type server struct {
	args   []string // --state-dir or --database-url, for every subcommand
	addr   string
	log    string
	viewer string
	daemon *daemon
	// tlsAddr is where it speaks TLS too, with a certificate of this authority.
	tlsAddr, authority string
	// host is where it is installed; nil is this machine.
	host *host
	http *http.Client
}

// newServer starts a server with the private PostgreSQL that it brings.
func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "activity-tracker-e2e-server-") //nolint:usetesting // PostgreSQL's user cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// PostgreSQL runs as another user, who has to come through.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return newServerOn(t, dir, "--state-dir", filepath.Join(dir, "state"))
}

func newServerOn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{args: args, addr: freeAddress(t), log: filepath.Join(dir, "server.log"), http: http.DefaultClient}
	s.start(t)
	t.Cleanup(func() {
		if s.daemon != nil {
			s.stop(t)
		}
		if log, err := os.ReadFile(s.log); t.Failed() && err == nil {
			t.Logf("server said:\n%s", log[max(0, len(log)-3000):])
		}
	})
	s.viewer = s.command(t, "token", "create", "--name", "e2e", "--role", "viewer")
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(serverPath, append([]string{"serve", "--listen", s.addr}, s.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	s.daemon = startDaemon(t, cmd)
	s.waitReady(t, http.StatusOK)
}

// waitReady waits until /readyz answers with that status.
func (s *server) waitReady(t *testing.T, want int) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("/readyz answers %d", want), func() error {
		code, _, err := s.request(t.Context(), "GET", "/readyz", "", nil)
		if err == nil && code != want {
			err = fmt.Errorf("/readyz answers %d", code)
		}
		return err
	})
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	s.daemon.stop(t, syscall.SIGTERM)
	s.daemon = nil
}

// command runs another subcommand on the server's database.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	if s.host != nil {
		return s.host.run(t, append([]string{"trackerd-server"}, args...)...)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), serverPath, append(args, s.args...)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("trackerd-server %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// request asks the server and returns the status, the body and what the
// header says about when to come back.
func (s *server) request(ctx context.Context, method, path, token string, body any) (code int, reply reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return 0, reply, err
		}
		in = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, in)
	if err != nil {
		return 0, reply, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, reply, err
	}
	defer resp.Body.Close()
	reply.retryAfter = resp.Header.Get("Retry-After")
	reply.body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	return resp.StatusCode, reply, err
}

type reply struct {
	body       []byte
	retryAfter string
}

// get reads an answer as a viewer.
func (s *server) get(ctx context.Context, path string, into any) error {
	code, r, err := s.request(ctx, "GET", path, s.viewer, nil)
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", path, code, r.body)
	}
	return json.Unmarshal(r.body, into)
}

// events are all records of a machine, oldest first.
func (s *server) events(ctx context.Context, machine string) ([]api.Event, error) {
	var all []api.Event
	cursor := ""
	for {
		q := url.Values{"start": {"2000-01-02T00:00:00Z"}, "end": {time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var page api.EventList
		if err := s.get(ctx, "/api/activity/"+url.PathEscape(machine)+"/events?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// summaries adds up the days from since to now.
func (s *server) summaries(ctx context.Context, machine string, since time.Time) (api.Summary, error) {
	var sum api.Summary
	last := time.Now().UTC().Format(time.DateOnly)
	for day := since.UTC(); day.Format(time.DateOnly) <= last; day = day.AddDate(0, 0, 1) {
		var one api.Summary
		path := "/api/activity/" + url.PathEscape(machine) + "/summary?date=" + day.Format(time.DateOnly)
		if err := s.get(ctx, path, &one); err != nil {
			return sum, err
		}
		sum.KeyCount += one.KeyCount
		sum.MouseClicks += one.MouseClicks
		sum.ScrollCount += one.ScrollCount
		sum.MouseDistancePx += one.MouseDistancePx
		sum.SyntheticCount += one.SyntheticCount
		sum.TopApps = append(sum.TopApps, one.TopApps...)
	}
	return sum, nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
