package servertest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Process is a server in a process of its own, whose memory is its own.
type Process struct {
	*Bench
	Cmd  *exec.Cmd
	Addr string
	// Ended receives how it ended.
	Ended chan error
	// Log is what it wrote, to be read once it has ended.
	Log *bytes.Buffer
}

// BuildProgram makes the program as people run it: without the race detector, with
// which memory would be the detector's.
func BuildProgram(tb testing.TB) string {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "trackerd-server")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", program, ".")
	build.Dir = moduleFile(tb, "cmd/trackerd-server")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// StartProcess runs serve on that database.
func StartProcess(tb testing.TB, databaseURL string, flags ...string) *Process {
	tb.Helper()
	return StartProcessFor(tb, "http", &http.Transport{MaxIdleConnsPerHost: 100}, databaseURL, flags...)
}

// StartProcessFor is StartProcess for callers with that transport.
func StartProcessFor(tb testing.TB, scheme string, transport *http.Transport, databaseURL string, flags ...string) *Process {
	tb.Helper()
	addr := FreePort(tb)
	cmd := exec.CommandContext(tb.Context(), BuildProgram(tb), append([]string{"serve", "--listen", addr}, flags...)...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+databaseURL, "TRACKERD_SERVER_STATE_DIR="+tb.TempDir())
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &Process{Cmd: cmd, Addr: addr, Log: &log, Ended: make(chan error, 1), Bench: Connect(tb, scheme+"://"+addr, transport)}
	done := make(chan struct{})
	go func() { p.Ended <- cmd.Wait(); close(done) }()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if tb.Failed() {
			tb.Log(log.String())
		}
	})
	p.AwaitReady()
	p.Store = New(tb, databaseURL).Store
	return p
}

// Memory returns a figure of the process's status, in bytes.
func (p *Process) Memory(name string) int {
	p.T.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		p.T.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				p.T.Fatal(err)
			}
			return kb << 10
		}
	}
	p.T.Fatalf("no %s", name)
	return 0
}

// Stop ends it in an orderly way.
func (p *Process) Stop() {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.T.Context(), Patience)
	defer cancel()
	select {
	case err := <-p.Ended:
		if err != nil {
			p.T.Errorf("it ended with %v", err)
		}
	case <-ctx.Done():
		p.T.Fatal("it did not end")
	}
}
