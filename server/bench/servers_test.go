package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/internal/localpg"
)

// startTimeout bounds the start of a server.
const startTimeout = 30 * time.Second

// process is a server that runs.
type process struct {
	address string
	// program is the file that it runs.
	program string
	pid     int
}

// startPostgres starts one that keeps what it acknowledges.
func startPostgres(b *testing.B) *localpg.Server {
	b.Helper()
	dir := b.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		b.Fatal(err)
	}
	pg, err := localpg.Start(b.Context(), localpg.Options{StateDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := pg.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	return pg
}

// start runs a program as a server until the benchmark's end.
func start(b *testing.B, address string, cmd *exec.Cmd) process {
	b.Helper()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return process{address: address, program: cmd.Path, pid: cmd.Process.Pid}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// buildServer builds our server and returns its path.
func buildServer(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "trackerd-server")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "../cmd/trackerd-server").CombinedOutput()
	if err != nil {
		b.Fatalf("build the server: %v\n%s", err, out)
	}
	return program
}

// startServer builds and runs our server and enrols the clients' hosts.
func startServer(b *testing.B, url string) (process, []string) {
	b.Helper()
	return startProgram(b, buildServer(b), url)
}

// startProgram runs a version of our server and enrols the clients' hosts.
func startProgram(b *testing.B, program, url string) (process, []string) {
	b.Helper()
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(b.Context()), name, args...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		cmd.Stderr = os.Stderr
		return cmd
	}
	token, err := command(program, "enrollment", "create", "--uses", fmt.Sprint(clients)).Output()
	if err != nil {
		b.Fatal(err)
	}
	address := freeAddress(b)
	// Events of weeks ago would be compacted meanwhile.
	serve := command(program, "serve", "--listen", address, "--compact-after-days", "0")
	serve.Stderr = nil
	p := start(b, address, serve)
	var credentials []string
	for i := range clients {
		body := fmt.Sprintf(`{"enrollment_token":%q,"host_id":"host%d","hostname":"host%d"}`, strings.TrimSpace(string(token)), i, i)
		_, rest, ok := strings.Cut(ask(b, "http://"+address+"/api/enroll", body), `"credential":"`)
		if !ok {
			b.Fatal("enrolling gave no credential")
		}
		credential, _, _ := strings.Cut(rest, `"`)
		credentials = append(credentials, credential)
	}
	return p, credentials
}

// startRival runs another server, and waits until it takes events.
func startRival(b *testing.B, kind rivalKind, url string) process {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	address := freeAddress(b)
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), program)
	cmd.Env = append(os.Environ(), rivalEnv+"="+address, rivalKindEnv+"="+string(kind), "DATABASE_URL="+url)
	cmd.Stderr = os.Stderr
	p := start(b, address, cmd)
	ask(b, "http://"+address, `{"events":[{"machine_id":"first","timestamp":"2026-01-01T00:00:00Z"}]}`)
	return p
}

// ask asks until the server is ready.
func ask(b *testing.B, url, body string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), startTimeout)
	defer cancel()
	for {
		answer, err := post(ctx, url, body)
		if err == nil {
			return answer
		}
		select {
		case <-ctx.Done():
			b.Fatalf("asking %s: %v %s", url, err, answer)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, url, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return string(answer), err
}
