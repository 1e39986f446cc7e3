// Package pgtest runs real PostgreSQL clusters for tests that do to a database
// what a bad day does: stop it, kill it, fill its disk, cut its connections, put a
// pooler before it, or follow it with a replica. Tests that only need a database
// use localpg.
//
// Everything lies in a folder that only the account that runs PostgreSQL may
// enter, listens on unix sockets there, and ends with the test; the kernel ends it
// where the test is killed.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds every wait for a program: seconds at most on an idle
	// machine.
	patience = 60 * time.Second
	// pollEvery is how often files and processes are looked at in a wait.
	pollEvery = 10 * time.Millisecond
	// systemAccount runs the programs where the test is root, which they
	// refuse to be. Debian's packages make it.
	systemAccount = "postgres"
	// superuser is the role that the tests are.
	superuser = "tester"
)

// place is a folder of the account's, and the account.
type place struct {
	tb  testing.TB
	dir string
	// credential is nil where the account is who we are.
	credential *syscall.Credential
}

// newPlace makes a folder.
func newPlace(tb testing.TB) place {
	tb.Helper()
	//nolint:usetesting // TempDir's path is too long for a socket, and closed to the account.
	dir, err := os.MkdirTemp("", "pgt")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	p := place{tb: tb, dir: dir}
	if os.Geteuid() != 0 {
		return p
	}
	u, err := user.Lookup(systemAccount)
	if err != nil {
		tb.Fatal(err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		tb.Fatal(err)
	}
	p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	p.chown(dir)
	return p
}

// chown makes the account the owner of a file or folder.
func (p place) chown(path string) {
	p.tb.Helper()
	if p.credential == nil {
		return
	}
	if err := os.Chown(path, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
		p.tb.Fatal(err)
	}
}

// command prepares a program to run as the account, with none of our environment,
// and to end when we do.
func (p place) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT, Credential: p.credential}
	return cmd
}

// run runs a program to its end.
func (p place) run(program string, args ...string) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.tb.Context(), patience)
	defer cancel()
	if out, err := p.command(ctx, program, args...).CombinedOutput(); err != nil {
		p.tb.Fatalf("%s: %v: %s", program, err, out)
	}
}

// process is a program that runs on.
type process struct {
	pid   int
	ended chan struct{}
}

// launch starts a program that writes to a log in the folder.
func (p place) launch(log, program string, args ...string) *process {
	p.tb.Helper()
	out, err := os.OpenFile(filepath.Join(p.dir, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd := p.command(context.WithoutCancel(p.tb.Context()), program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	running := &process{pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		defer close(running.ended)
		// How it ended is in its log.
		_ = cmd.Wait()
	}()
	return running
}

// end signals a process and waits for its end.
func (p place) end(running *process, s syscall.Signal) {
	p.tb.Helper()
	if err := syscall.Kill(running.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.tb.Error(err)
	}
	select {
	case <-running.ended:
	case <-time.After(patience):
		_ = syscall.Kill(running.pid, syscall.SIGKILL)
		p.tb.Errorf("process %d did not end by %v", running.pid, s)
	}
}

// await waits for a condition, and shows the end of a log where it waits in vain.
func (p place) await(what, log string, done func() bool) {
	p.tb.Helper()
	if !waited(done) {
		p.tb.Fatalf("waited in vain for %s; %s:\n%s", what, log, p.log(log))
	}
}

// Await waits for a condition, which is asked for often.
func Await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	if !waited(done) {
		tb.Fatalf("waited in vain for %s", what)
	}
}

func waited(done func() bool) bool {
	limit, tick := time.NewTimer(patience), time.NewTicker(pollEvery)
	defer limit.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-limit.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// log returns the end of a log in the folder.
func (p place) log(name string) string {
	const most = 4000
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// Cluster is a PostgreSQL with data of its own.
type Cluster struct {
	place
	bin, data string
	settings  []string
	running   *process
}

// logName is the name of PostgreSQL's log.
const logName = "postgres.log"

// Start makes a cluster and starts it with these settings, each "name=value".
func Start(tb testing.TB, settings ...string) *Cluster {
	tb.Helper()
	c := newCluster(tb, settings)
	c.make()
	return c
}

// StartOn is Start with the data on a disk.
func StartOn(tb testing.TB, d *Disk, settings ...string) *Cluster {
	tb.Helper()
	c := newCluster(tb, settings)
	c.data = filepath.Join(d.dir, "data")
	c.make()
	return c
}

func (c *Cluster) make() {
	c.tb.Helper()
	c.run(filepath.Join(c.bin, "initdb"), "-D", c.data, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
		"--no-sync", "--no-instructions", "--wal-segsize=1")
	c.Start()
}

func newCluster(tb testing.TB, settings []string) *Cluster {
	tb.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		tb.Fatalf("PostgreSQL is not installed: %v", err)
	}
	c := &Cluster{place: newPlace(tb), bin: slices.Max(found), settings: settings}
	c.data = filepath.Join(c.dir, "data")
	return c
}

// URL is how to connect to a database of the cluster.
func (c *Cluster) URL(database string) string { return socketURL(c.dir, database) }

func socketURL(dir, database string) string {
	q := url.Values{"host": {dir}, "user": {superuser}, "sslmode": {"disable"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Socket is the unix socket that it listens on.
func (c *Cluster) Socket() string { return filepath.Join(c.dir, ".s.PGSQL.5432") }

// Log is the end of its log.
func (c *Cluster) Log() string { return c.log(logName) }

// Start starts it again after Stop, and returns once it accepts connections.
func (c *Cluster) Start() {
	c.tb.Helper()
	c.Launch()
	c.await("PostgreSQL to be ready", logName, func() bool {
		select {
		case <-c.running.ended:
			c.tb.Fatalf("PostgreSQL ended at once:\n%s", c.Log())
		default:
		}
		return c.Ready()
	})
}

// Launch starts it without waiting for it.
func (c *Cluster) Launch() {
	c.tb.Helper()
	args := []string{"-D", c.data}
	for _, set := range append([]string{
		"listen_addresses=", "unix_socket_directories=" + c.dir, "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
		"log_timezone=UTC", "max_connections=60",
	}, c.settings...) {
		args = append(args, "-c", set)
	}
	running := c.launch(logName, filepath.Join(c.bin, "postgres"), args...)
	c.running = running
	c.tb.Cleanup(func() { c.stop(running, syscall.SIGQUIT) })
}

// Ready reports whether it accepts connections, by its own account.
func (c *Cluster) Ready() bool {
	const status = 7 // the line, from zero (PostgreSQL's pidfile.h)
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > status && lines[0] == strconv.Itoa(c.running.pid) && strings.TrimSpace(lines[status]) == "ready"
}

// Running reports whether its main process runs.
func (c *Cluster) Running() bool {
	select {
	case <-c.running.ended:
		return false
	default:
		return true
	}
}

// Stop ends it: SIGINT is PostgreSQL's "fast" stop, SIGQUIT its "immediate" one,
// SIGKILL is a crash. Nothing of it is left when Stop returns.
func (c *Cluster) Stop(s syscall.Signal) {
	c.tb.Helper()
	c.stop(c.running, s)
}

func (c *Cluster) stop(running *process, s syscall.Signal) {
	c.tb.Helper()
	select {
	case <-running.ended:
		return
	default:
	}
	c.end(running, s)
	// A killed one's backends notice within moments, and hold its memory.
	c.await("the backends to end", logName, func() bool { return !c.anyLeft() })
}

// anyLeft reports whether a process still works in the data folder, as all of
// PostgreSQL's do.
func (c *Cluster) anyLeft() bool {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		c.tb.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == c.data {
			return true
		}
	}
	return false
}

// SQL runs statements in a database, by psql.
func (c *Cluster) SQL(database, sql string) string {
	c.tb.Helper()
	out, err := c.TrySQL(database, sql)
	if err != nil {
		c.tb.Fatal(err)
	}
	return out
}

// TrySQL is SQL for what may fail.
func (c *Cluster) TrySQL(database, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.tb.Context()), patience)
	defer cancel()
	cmd := c.command(ctx, filepath.Join(c.bin, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", c.dir, "-U", superuser, "-d", database, "-c", sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", sql, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
