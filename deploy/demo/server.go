package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"activity-tracker.example/server/api"
)

// Limits of what the demo waits for.
const (
	// readyTimeout is for PostgreSQL to make its files and start; 5 s is usual.
	readyTimeout = 90 * time.Second
	// stopTimeout is for the server to stop PostgreSQL; 1 s is usual.
	stopTimeout = 30 * time.Second
	// requestTimeout bounds one question to the API.
	requestTimeout = 10 * time.Second
	// maxReply bounds what is read of an answer, in bytes.
	maxReply = 1 << 20
	// usualAddress is the server's default; a free port is taken if it is in use.
	usualAddress = "127.0.0.1:8100"
)

// server is a running trackerd-server with its files below one folder.
type server struct {
	binary string
	dir    string
	addr   string
	// viewer may read; enrollment lets one host enrol.
	viewer, enrollment string
	cmd                *exec.Cmd
	// ended gets the server's end, once.
	ended chan error
}

func (s *server) url() string { return "http://" + s.addr }

// log is where the server's own words go.
func (s *server) log() string { return filepath.Join(s.dir, "server.log") }

// startServer starts the server, waits until it answers and makes the tokens.
func startServer(ctx context.Context, binary string) (*server, error) {
	dir, err := os.MkdirTemp("", "activity-tracker-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the server: %w", err)
	}
	s := &server{binary: binary, dir: dir, addr: freeAddress(), ended: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) start(ctx context.Context) error {
	// PostgreSQL runs as another user, who must be able to reach its files.
	if err := os.Chmod(s.dir, 0o711); err != nil {
		return fmt.Errorf("open the server's folder: %w", err)
	}
	log, err := os.Create(s.log())
	if err != nil {
		return fmt.Errorf("make the server's log: %w", err)
	}
	defer log.Close()
	// Not ended by ctx: stop ends it, after the host.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.binary, "serve", "--listen", s.addr, "--state-dir", s.state())
	s.cmd.Stdout, s.cmd.Stderr = log, log
	// Ctrl-C in the terminal is for the demo alone; and should the demo be
	// killed, the server ends too.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("start the server: %w", err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.waitReady(ctx); err != nil {
		return err
	}
	if s.viewer, err = s.command(ctx, "token", "create", "--name", "demo", "--role", "viewer"); err != nil {
		return err
	}
	s.enrollment, err = s.command(ctx, "enrollment", "create", "--uses", "1", "--expires", "1h")
	return err
}

func (s *server) state() string { return filepath.Join(s.dir, "state") }

// waitReady asks until the server and its database answer.
func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := s.get(ctx, "/readyz", nil); err == nil {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err // stop waits for it too
			return fmt.Errorf("the server ended: %w\n%s", err, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w\n%s", ctx.Err(), s.lastWords())
		case <-tick.C:
		}
	}
}

// lastWords is the end of the server's log.
func (s *server) lastWords() string {
	const enough = 2000 // bytes; some twenty lines
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-enough):])
}

// command runs one of trackerd-server's commands on the same database, and
// returns what it printed.
func (s *server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--state-dir", s.state())...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("trackerd-server %s: %w: %s", strings.Join(args, " "), err, problems.String())
	}
	return strings.TrimSpace(string(text)), nil
}

// stop ends the server and removes its files.
func (s *server) stop() error {
	var err error
	if s.cmd != nil {
		err = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case end := <-s.ended:
			err = errors.Join(err, end)
		case <-time.After(stopTimeout):
			err = errors.Join(err, fmt.Errorf("the server did not stop within %s", stopTimeout), s.cmd.Process.Kill())
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// get asks the API and decodes its answer into reply, if there is one.
func (s *server) get(ctx context.Context, path string, reply any) error {
	return s.do(ctx, http.MethodGet, path, s.viewer, nil, reply)
}

// machineOf finds the machine that a user's events made.
func (s *server) machineOf(ctx context.Context, user string) (api.Machine, bool, error) {
	var list api.MachineList
	if err := s.get(ctx, "/api/machines?limit=1000", &list); err != nil {
		return api.Machine{}, false, err
	}
	for _, m := range list.Machines {
		if m.Username == user {
			return m, true, nil
		}
	}
	return api.Machine{}, false, nil
}

// summaryOf asks for what a machine did from the day on which the demo began;
// past midnight UTC the second day is added.
func (s *server) summaryOf(ctx context.Context, machineID string, days []string) (api.Summary, error) {
	var sum api.Summary
	for _, day := range days {
		var one api.Summary
		path := "/api/activity/" + url.PathEscape(machineID) + "/summary?date=" + day
		if err := s.get(ctx, path, &one); err != nil {
			return sum, err
		}
		one.KeyCount += sum.KeyCount
		one.MouseClicks += sum.MouseClicks
		one.ScrollCount += sum.ScrollCount
		one.MouseDistancePx += sum.MouseDistancePx
		one.ActiveSeconds += sum.ActiveSeconds
		sum = one
	}
	return sum, nil
}

// freeAddress is where the server usually listens, or a free port beside it.
func freeAddress() string {
	for _, addr := range []string{usualAddress, "127.0.0.1:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		addr = l.Addr().String()
		if l.Close() == nil {
			return addr
		}
	}
	return usualAddress
}
