package e2e

import (
	"bytes"
	"context"
	"encoding/json"
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
	"sync"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// server is a trackerd-server of this computer's, with a private PostgreSQL.
type server struct {
	dir, addr, viewer string
	// stop ends the one that runs; nothing happens if it has ended.
	stop func()
}

// newServer starts a server, which ends with the test or with this program.
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
	s := &server{dir: dir, addr: freeAddress(t)}
	t.Cleanup(func() {
		if s.stop != nil {
			s.stop()
		}
		if log, err := os.ReadFile(filepath.Join(dir, "server.log")); t.Failed() && err == nil {
			t.Logf("server said:\n%s", log[max(0, len(log)-3000):])
		}
	})
	s.serve(t)
	s.viewer = s.command(t, "token", "create", "--name", "e2e", "--role", "viewer")
	return s
}

// serve runs the server and waits until it is ready. The thread that starts it is kept, since the kernel
// takes that thread's end for the parent's.
func (s *server) serve(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(serverPath, "serve", "--listen", s.addr, "--state-dir", filepath.Join(s.dir, "state"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended shows in what it no longer does
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the server does not end")
			cmd.Process.Kill()
			<-ended
		}
		log.Close()
	})
	eventually(t, patience, "the server is ready", func() error { return s.get(t.Context(), "/readyz", nil) })
}

// command runs another subcommand on the server's database.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), serverPath, append(args, "--state-dir", filepath.Join(s.dir, "state"))...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("trackerd-server %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// get reads an answer as a viewer; into may be nil.
func (s *server) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return err
	}
	if s.viewer != "" {
		req.Header.Set("Authorization", "Bearer "+s.viewer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", path, resp.StatusCode, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// events are all records of a machine_id, oldest first.
func (s *server) events(ctx context.Context, machineID string) ([]api.Event, error) {
	var all []api.Event
	cursor := ""
	for {
		q := url.Values{"start": {"2000-01-02T00:00:00Z"}, "end": {time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var page api.EventList
		if err := s.get(ctx, "/api/activity/"+url.PathEscape(machineID)+"/events?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
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
