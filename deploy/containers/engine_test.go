package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// engine is a podman that speaks Docker's API. It has a network, processes and
// mounts of its own, so that port 8100 may be in use on the machine.
type engine struct {
	dir string
	cmd *exec.Cmd
}

// startEngine starts one; it ends, with all its containers, when the test does.
func startEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{dir: t.TempDir()}
	log, err := os.Create(filepath.Join(e.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	e.cmd = exec.Command("testdata/engine.sh", e.dir)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{
		// The first of its processes takes all others with it.
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
		if t.Failed() {
			t.Logf("podman logged:\n%s", read(t, log.Name()))
		}
	})
	e.await(t, "the engine's socket", func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", e.socket())
		return errors.Join(err, closed(conn))
	})
	return e
}

func closed(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

func (e *engine) socket() string { return filepath.Join(e.dir, "engine.sock") }

// await tries something until it succeeds.
func (e *engine) await(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error // but for what the end of the time is called
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, last)
		case <-tick.C:
		}
	}
}

// command prepares a program that talks to the engine. Docker's own programs and
// BuildKit, which a machine may or may not have, are left out.
func (e *engine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = serverDir
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+e.socket(), "CONTAINER_HOST=unix://"+e.socket(),
		"COMPOSE_PROJECT_NAME=tracker", "DOCKER_BUILDKIT=0", "COMPOSE_DOCKER_CLI_BUILD=0", "VERSION=1.2.3")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// slowest bounds one command. The longest compiles the server without a cache, which
// takes over a quarter of an hour on a busy machine.
const slowest = 45 * time.Minute

// output runs a program that talks to the engine and returns what it writes.
func (e *engine) output(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slowest)
	defer cancel()
	cmd := e.command(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s\n%s", name, args, err, &out, &errs)
	}
	return out.String()
}

func (e *engine) compose(t *testing.T, args ...string) string {
	t.Helper()
	return e.output(t, nil, "docker-compose", args...)
}

func (e *engine) podman(t *testing.T, args ...string) string {
	t.Helper()
	return e.output(t, nil, "podman", append([]string{"--remote"}, args...)...)
}

// container returns the id of a service's container.
func (e *engine) container(t *testing.T, service string) string {
	t.Helper()
	return strings.TrimSpace(e.compose(t, "ps", "-q", service))
}

// within runs a program where the engine's containers run, on their host.
func (e *engine) within(ctx context.Context, args ...string) ([]byte, error) {
	at := []string{"--target", strconv.Itoa(e.cmd.Process.Pid), "--mount", "--net", "--pid", "--"}
	out, err := exec.CommandContext(ctx, "nsenter", append(at, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %s", args, err, out)
	}
	return out, nil
}

// status returns the status in /proc of a container's first process.
func (e *engine) status(t *testing.T, container string) string {
	t.Helper()
	pid := strings.TrimSpace(e.podman(t, "inspect", "--format", "{{.State.Pid}}", container))
	out, err := e.within(t.Context(), "cat", "/proc/"+pid+"/status")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
