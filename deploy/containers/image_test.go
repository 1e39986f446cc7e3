package containers

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// patience bounds every wait of these tests, on a busy machine too; seconds are usual.
const patience = 10 * time.Minute

// run runs a program to its end.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// imageContext copies what an engine would send to the build.
func imageContext(t *testing.T) string {
	t.Helper()
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, filepath.Join(serverDir, ".dockerignore"))))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	err = filepath.WalkDir(serverDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(serverDir, path)
		if err != nil {
			return err
		}
		if ignored, err := matcher.MatchesOrParentMatches(name); err != nil || ignored {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), read(t, path), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// buildCommand is the Dockerfile's, as it stands there.
func buildCommand(t *testing.T) string {
	t.Helper()
	text := strings.ReplaceAll(string(read(t, filepath.Join(serverDir, "Dockerfile"))), "\\\n", " ")
	m := regexp.MustCompile(`(?m)^RUN (.*go build .*)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("the Dockerfile builds nothing")
	}
	return m[1]
}

// image builds the binary as the Dockerfile does and puts it alone into a root
// file system: the image has little more.
func image(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	root := t.TempDir()
	for _, dir := range []string{"usr/bin", "tmp", "run/password", "dev", "proc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := strings.Replace(buildCommand(t), "-o /trackerd-server", "-o "+root+"/usr/bin/trackerd-server", 1)
	cmd := exec.CommandContext(ctx, "bash", "-euc", command)
	cmd.Dir = imageContext(t)
	cmd.Env = append(os.Environ(), "VERSION=1.2.3", "GOFLAGS=-mod=mod")
	run(t, cmd)
	return root
}

// container is a shell script's beginning that goes where a container would be:
// the root file system read-only but for /tmp, no capabilities, another user.
const container = `
	mount --make-rprivate /
	mount --bind "$ROOT" "$ROOT"
	mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$ROOT/tmp"
	mount -t proc proc "$ROOT/proc"
	mount -o remount,bind,ro "$ROOT"
	exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$ROOT" /usr/bin/trackerd-server "$@"`

// within prepares a run of the binary in its image.
func within(ctx context.Context, root string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "bash", "-euc", container, "container"}, args...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ROOT=" + root}, env...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// asPostgres runs a program as the account that PostgreSQL wants.
func asPostgres(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGQUIT,
	}
	return cmd
}

// database runs a PostgreSQL that asks for a password over TCP, as the compose
// file's does, and returns its URL.
func database(t *testing.T, password string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*patience)
	t.Cleanup(cancel)
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		t.Fatalf("no PostgreSQL here (%v)", err)
	}
	bin := bins[len(bins)-1]
	//nolint:usetesting // TempDir's path is closed to the account.
	dir, err := os.MkdirTemp("", "trc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, exec.CommandContext(ctx, "chown", "-R", "postgres:", dir))
	run(t, asPostgres(t, exec.CommandContext(ctx, bin+"/initdb", "-D", dir+"/data", "-U", "tracker", "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")))
	port := freePort(t)
	server := asPostgres(t, exec.CommandContext(ctx, bin+"/postgres", "-D", dir+"/data", "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir, "-c", "fsync=off", "-c", "shared_buffers=16MB"))
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGINT) }
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	})
	return fmt.Sprintf("postgres://tracker@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// output collects what a server logs, and waits for a line of it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func collect(r io.Reader) *output {
	o := &output{news: make(chan struct{}, 1)}
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			o.mu.Lock()
			o.text.WriteString(lines.Text() + "\n")
			o.mu.Unlock()
			select {
			case o.news <- struct{}{}:
			default:
			}
		}
	}()
	return o
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, pattern string) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.String()); m != nil {
			return m
		}
		select {
		case <-o.news:
		case <-timeout:
			t.Fatalf("waited in vain for %s:\n%s", pattern, o)
		}
	}
}

// start runs `serve` in its image until the test ends.
func start(t *testing.T, root string, env []string) (*exec.Cmd, *output) {
	t.Helper()
	cmd := within(context.WithoutCancel(t.Context()), root, env, "serve")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, collect(stderr)
}

// The binary runs as the images would run it, with a database that asks for a
// password: another user, no capabilities, nothing but itself in a root file system
// that is read-only.
func TestRunsAsImage(t *testing.T) {
	root := image(t)
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	password := "p' " + hex.EncodeToString(random)
	secret := filepath.Join(root, "run/password/api")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(secret, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	env := []string{
		"DATABASE_URL=" + database(t, password), "DATABASE_PASSWORD_FILE=/run/password/api",
		"TRACKERD_SERVER_FIRST_TOKEN=log", "TRACKERD_SERVER_LISTEN=" + listen,
	}
	if out := run(t, within(t.Context(), root, env, "--version")); !strings.Contains(out, "1.2.3") {
		t.Errorf("version: %s", out)
	}
	healthy := func(args ...string) error {
		return within(t.Context(), root, env, append([]string{"healthcheck"}, args...)...).Run()
	}
	if healthy() == nil {
		t.Error("healthy before it runs")
	}
	server, log := start(t, root, env)
	token := log.await(t, `token=(tok_\S+)`)[1]
	if err := healthy("--ready"); err != nil {
		t.Errorf("not ready: %v\n%s", err, log)
	}
	confined(t, server.Process.Pid)
	if status := ask(t, "http://"+listen+"/api/machines", token); status != 200 {
		t.Errorf("its first token gets %d", status)
	}
	began := time.Now()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, log)
	}
	// No request was under way: nothing to wait for.
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v to end", took)
	}

	server, log = start(t, root, env)
	log.await(t, `msg=ready`)
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	if strings.Contains(log.String(), "tok_") || strings.Contains(log.String(), password) {
		t.Errorf("the second start tells a secret:\n%s", log)
	}
	if out := run(t, within(t.Context(), root, env, "token", "list")); strings.Count(out, "tok_") != 1 {
		t.Errorf("tokens:\n%s", out)
	}
}

// confined checks how a process runs.
func confined(t *testing.T, pid int) {
	t.Helper()
	status := string(read(t, fmt.Sprintf("/proc/%d/status", pid)))
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(status, want) {
			t.Errorf("it runs without %q:\n%s", want, status)
		}
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/root/file", pid), nil, 0o600); err == nil {
		t.Error("its root file system can be written to")
	}
}

func ask(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}

// The password is made once, as one file for each reader, with no capability but
// the one that the compose file leaves.
func TestPasswordService(t *testing.T) {
	script := composed(t).Services["password"].Command[0]
	// As the compose file's variables are written.
	script = strings.ReplaceAll(script, "$$", "$")
	const around = `
		mount --make-rprivate /
		mount -t tmpfs -o mode=0755 tmpfs /run
		mkdir /run/password
		look() { stat -c '%n %a %u:%g' /run/password/*; cat /run/password/api; cmp /run/password/api /run/password/db; }
		once() { setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+chown bash -euc "$SCRIPT"; }
		# One that was cut off before leaves these.
		echo half >/run/password/api.new; chown 65532:65532 /run/password/api.new; chmod 600 /run/password/api.new
		once; look >/run/first; once; look >/run/second
		cmp /run/first /run/second; cat /run/first`
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "bash", "-euc", around)
	cmd.Env = append(os.Environ(), "SCRIPT="+script)
	out := run(t, cmd)
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`^/run/password/api 600 65532:65532\n/run/password/db 600 %s:%s\n[A-Za-z0-9+/]{43}=\n$`, u.Uid, u.Gid)
	if !regexp.MustCompile(want).MatchString(out) {
		t.Errorf("%s\nwant %s", out, want)
	}
}
