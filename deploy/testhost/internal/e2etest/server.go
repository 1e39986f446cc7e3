package e2etest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Server is a trackerd-server of this machine's with its database.
type Server struct {
	Client
	// Args name its database, for every subcommand.
	Args []string
	// Env is added to its environment when it starts.
	Env []string

	program, log string
	daemon       *Daemon
}

// NewServer starts a server with the private PostgreSQL that it brings. It ends
// with the test, or with this program.
func NewServer(t *testing.T, program string) *Server {
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
	return NewServerOn(t, program, dir, "--state-dir", filepath.Join(dir, "state"))
}

// NewServerOn starts a server on the database that args name; its log is in dir.
func NewServerOn(t *testing.T, program, dir string, args ...string) *Server {
	t.Helper()
	s := &Server{
		Client: Client{Addr: FreeAddress(t), HTTP: &http.Client{Timeout: answerTimeout}},
		Args:   args, program: program, log: filepath.Join(dir, "server.log"),
	}
	s.Start(t)
	t.Cleanup(func() {
		if s.daemon != nil {
			s.Stop(t)
		}
		if log, err := os.ReadFile(s.log); t.Failed() && err == nil {
			t.Logf("server said:\n%s", log[max(0, len(log)-3000):])
		}
	})
	s.Viewer = s.Command(t, "token", "create", "--name", "e2e", "--role", "viewer")
	return s
}

// Start starts the server again after Stop, and waits until it is ready.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(s.program, append([]string{"serve", "--listen", s.Addr}, s.Args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), s.Env...)
	s.daemon = StartDaemon(t, cmd)
	s.WaitReady(t, http.StatusOK)
}

// Stop ends the server.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	s.daemon.Stop(t, syscall.SIGTERM)
	s.daemon = nil
}

// Command runs another subcommand on the server's database and returns what it
// printed.
func (s *Server) Command(t *testing.T, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), s.program, append(args, s.Args...)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("trackerd-server %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// FreeAddress returns an address on loopback at which nobody listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
