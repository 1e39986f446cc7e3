// Package localpg runs a private PostgreSQL from the machine's own binaries, for
// servers that were given no database, and for tests.
//
// Several programs may use one at the same time, such as the server and a
// command that makes a token. Whoever comes first starts it, whoever leaves last
// stops it: each user holds a shared lock on one file for as long as it uses the
// database, which the kernel drops however the user ends. So one that was left
// behind by a killed server is simply adopted by the next. A second lock keeps
// starting and stopping apart.
//
// It listens on a unix socket only, in a folder that only its account may enter,
// and knows callers by their user id (peer): there is no password to keep.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// role is the database role and name of the database, and of the map that
	// lets root and the account be it.
	role = "trackerd"
	// maxSocketPath is what a unix socket's address holds (sun_path), less
	// "/.s.PGSQL.5432" and the terminator.
	maxSocketPath = 108 - len("/.s.PGSQL.5432") - 1
	// startTimeout bounds starting, with recovery after a crash, which reads up to
	// mostLog again; systemd allows the service 180 s.
	startTimeout = 150 * time.Second
	// initTimeout bounds making a new cluster: 2 s on an idle machine.
	initTimeout = 2 * time.Minute
	// stopTimeout bounds an orderly stop; after it PostgreSQL is stopped
	// without its final checkpoint, which it makes up for at the next start.
	stopTimeout = 30 * time.Second
	// pollEvery is how often files and processes of PostgreSQL are looked at
	// while it starts or stops.
	pollEvery = 20 * time.Millisecond
	// watchEvery is how often Watch looks whether it still runs.
	watchEvery = time.Second
	// maxLogBytes is where its log starts anew.
	maxLogBytes = 10 << 20
)

// Options are where and how it runs.
type Options struct {
	// StateDir is the folder under which all its files lie, in "postgres".
	StateDir string
	// Volatile trades safety against a crash of the machine (not of
	// processes) for speed: for tests.
	Volatile bool
	// MustExist refuses with ErrNone where there is none yet, instead of making
	// one.
	MustExist bool
	Log       *slog.Logger
}

// ErrNone reports that there is no private PostgreSQL in a state folder.
var ErrNone = errors.New("there is no database yet")

// Server is this program's use of a private PostgreSQL.
type Server struct {
	opts    Options
	account account
	base    string
	binDir  string
	use     *os.File

	mu sync.Mutex
	// child is the PostgreSQL that we started last; nil where we only joined.
	child *child
}

// child is a PostgreSQL that we started.
type child struct {
	pid int
	// ended is closed once it has ended and was reaped.
	ended chan struct{}
}

func (c *child) gone() (bool, error) {
	select {
	case <-c.ended:
		return true, nil
	default:
		return false, nil
	}
}

// Start starts the private PostgreSQL, making its cluster if there is none, or
// joins the running one. Close must be called.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.MustExist && !begun(opts.StateDir) {
		return nil, fmt.Errorf("%w in %s", ErrNone, opts.StateDir)
	}
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	unlock, err := s.lockStarting(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.use, err = openLock(s.path("users.lock")); err != nil {
		return nil, err
	}
	if _, err = s.soleUser(); err == nil {
		err = s.ensureRunning(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the private PostgreSQL: %w", err), s.leave(ctx))
	}
	return s, nil
}

// soleUser notes our use, and reports whether there is no other. The starting lock
// is held, so that nobody comes or goes meanwhile.
func (s *Server) soleUser() (bool, error) {
	alone := syscall.Flock(int(s.use.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	if err := syscall.Flock(int(s.use.Fd()), syscall.LOCK_SH); err != nil {
		return false, fmt.Errorf("noting the use of the private PostgreSQL: %w", err)
	}
	return alone, nil
}

// leave ends our use, and PostgreSQL where there is no other. The starting lock
// is held.
func (s *Server) leave(ctx context.Context) error {
	alone, err := s.soleUser()
	if err == nil && alone {
		err = s.stop(ctx)
	}
	return errors.Join(err, s.use.Close())
}

func prepare(opts Options) (*Server, error) {
	stateDir, err := filepath.Abs(opts.StateDir)
	if err != nil {
		return nil, fmt.Errorf("the state folder: %w", err)
	}
	if err := os.MkdirAll(stateDir, 0o750); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	// Processes are recognised by their working folder, which the kernel
	// shows without symbolic links.
	if stateDir, err = filepath.EvalSymlinks(stateDir); err != nil {
		return nil, fmt.Errorf("the state folder: %w", err)
	}
	s := &Server{opts: opts, base: filepath.Join(stateDir, "postgres")}
	if len(s.path("run")) > maxSocketPath {
		return nil, fmt.Errorf("the state folder's path %s is too long for a unix socket: at most %d characters",
			stateDir, maxSocketPath-len("/postgres/run"))
	}
	if s.binDir, err = findBinaries(s.path("data")); err != nil {
		return nil, err
	}
	if s.account, err = findAccount(); err != nil {
		return nil, err
	}
	if err := s.account.trusts(stateDir); err != nil {
		return nil, err
	}
	if err := s.account.letPass(stateDir); err != nil {
		return nil, err
	}
	if err := s.account.share(s.base); err != nil {
		return nil, err
	}
	return s, s.account.own(s.path("run"))
}

func (s *Server) path(name string) string { return filepath.Join(s.base, name) }

// URL is how to connect, as a database URL.
func (s *Server) URL() string { return s.DatabaseURL(role) }

// DatabaseURL is how to connect to another database of the cluster.
func (s *Server) DatabaseURL(database string) string {
	q := url.Values{"host": {s.path("run")}, "user": {role}, "sslmode": {"disable"}}
	// PostgreSQL's URLs know no "+" for a blank.
	return "postgres:///" + url.PathEscape(database) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// PID returns the process id of the running PostgreSQL; zero where there is none.
func (s *Server) PID() (int, error) {
	p, _, err := findPostmaster(s.path("data"))
	return p.pid, err
}

// Close ends this program's use, and stops PostgreSQL unless another program
// still uses it. ctx bounds the orderly part.
func (s *Server) Close(ctx context.Context) error {
	unlock, err := s.lockStarting(ctx)
	if err != nil {
		return errors.Join(err, s.use.Close())
	}
	defer unlock()
	return s.leave(ctx)
}

// Watch starts PostgreSQL again whenever it has ended, until ctx ends.
func (s *Server) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, ok, err := findPostmaster(s.path("data")); ok && err == nil {
			continue
		}
		s.opts.Log.Warn("the private PostgreSQL has ended; starting it again")
		if err := s.restart(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("the private PostgreSQL does not start; trying again", "error", err, "log", s.path("postgres.log"))
		}
	}
}

func (s *Server) restart(ctx context.Context) error {
	unlock, err := s.lockStarting(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.ensureRunning(ctx)
}

// ensureRunning returns once PostgreSQL accepts connections. The starting lock
// is held.
func (s *Server) ensureRunning(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+initTimeout)
	defer cancel()
	if err := s.ensureCluster(ctx); err != nil {
		return err
	}
	if _, ok, err := findPostmaster(s.path("data")); err != nil {
		return err
	} else if ok {
		s.opts.Log.Info("joining the private PostgreSQL that runs already")
		return s.awaitReady(ctx, nil)
	}
	if err := s.clearRemains(ctx); err != nil {
		return err
	}
	return s.launch(ctx)
}

// clearRemains waits for what a killed PostgreSQL left behind: its backends end
// by themselves within moments. A pid file that is left then may name a process
// id that something else has now, on which PostgreSQL would not start.
func (s *Server) clearRemains(ctx context.Context) error {
	err := poll(ctx, stopTimeout, func() (bool, error) {
		pids, err := survivors(s.path("data"))
		return len(pids) == 0, err
	})
	if err != nil {
		return fmt.Errorf("waiting for the processes that a killed PostgreSQL left behind: %w", err)
	}
	// Another user may be in a container from which we see no processes: then
	// the file may be a living one's, and PostgreSQL checks it by itself.
	if alone, err := s.soleUser(); err != nil || !alone {
		return err
	}
	if err := os.Remove(filepath.Join(s.path("data"), pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the pid file of a killed PostgreSQL: %w", err)
	}
	return nil
}

func (s *Server) launch(ctx context.Context) error {
	log, err := s.openLog()
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// It outlives ctx, and perhaps us.
	cmd := s.command(context.WithoutCancel(ctx), s.binary("postgres"), append([]string{"-D", s.path("data")}, s.settings(ctx)...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting postgres: %w", err)
	}
	c := &child{pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		// How it ended is in its log.
		_ = cmd.Wait()
	}()
	s.mu.Lock()
	s.child = c
	s.mu.Unlock()
	return s.awaitReady(ctx, c)
}

// settings are given on the command line, so that nothing in the data folder
// opens the database to others.
func (s *Server) settings(ctx context.Context) []string {
	set := []string{
		"listen_addresses=",
		"unix_socket_directories=" + `"` + strings.ReplaceAll(s.path("run"), `"`, `""`) + `"`,
		"unix_socket_permissions=0700",
		"port=5432",
		"hba_file=" + s.path("pg_hba.conf"),
		"ident_file=" + s.path("pg_ident.conf"),
		"max_connections=50",
		"log_timezone=UTC",
		// No statement in the log: it could hold a window's title.
		"log_min_error_statement=panic",
		"log_min_messages=warning",
		"logging_collector=off",
		"synchronous_commit=on",
	}
	if s.opts.Volatile {
		set = append(set, "fsync=off", "full_page_writes=off", "shared_buffers=16MB")
	} else {
		set = append(set, s.sizing(ctx)...)
	}
	args := make([]string, 0, 2*len(set))
	for _, one := range set {
		args = append(args, "-c", one)
	}
	return args
}

// awaitReady waits until PostgreSQL accepts connections, or has ended.
func (s *Server) awaitReady(ctx context.Context, c *child) error {
	err := poll(ctx, startTimeout, func() (bool, error) {
		if c != nil {
			if gone, _ := c.gone(); gone {
				return false, fmt.Errorf("postgres ended at once; %s says why: %s", s.path("postgres.log"), s.lastLog())
			}
		}
		p, ok, err := findPostmaster(s.path("data"))
		return ok && p.ready, err
	})
	if err != nil {
		return fmt.Errorf("waiting for PostgreSQL to be ready: %w", err)
	}
	return nil
}

// stop stops PostgreSQL: orderly, and the hard way when ctx ends or that takes
// too long. The starting lock is held.
func (s *Server) stop(ctx context.Context) error {
	pid, gone, err := s.running()
	if err != nil || pid == 0 {
		return err
	}
	// SIGINT is PostgreSQL's "fast" stop, SIGQUIT its "immediate" one.
	if err := signal(pid, syscall.SIGINT); err != nil {
		return err
	}
	err = poll(ctx, stopTimeout, gone)
	if err == nil {
		return nil
	}
	s.opts.Log.Warn("the private PostgreSQL does not stop; ending it at once", "error", err)
	if err := signal(pid, syscall.SIGQUIT); err != nil {
		return err
	}
	if err := poll(context.WithoutCancel(ctx), stopTimeout, gone); err != nil {
		return fmt.Errorf("stopping the private PostgreSQL: %w", err)
	}
	return nil
}

// running returns the process to stop, and what reports that it has ended; zero
// where there is none. Our own child counts from its first moment, when it has
// written no pid file yet.
func (s *Server) running() (pid int, gone func() (bool, error), err error) {
	s.mu.Lock()
	c := s.child
	s.mu.Unlock()
	if c != nil {
		if ended, _ := c.gone(); !ended {
			return c.pid, c.gone, nil
		}
	}
	p, _, err := findPostmaster(s.path("data"))
	return p.pid, func() (bool, error) { return !worksIn(p.pid, s.path("data")), nil }, err
}

// poll calls done until it returns true, fails, or time is up.
func poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Server) binary(name string) string { return filepath.Join(s.binDir, name) }

// command prepares a program of PostgreSQL to run as the account, with none of
// our environment: a PGPORT or PGDATA there is not meant for it.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.base
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = s.account.process()
	return cmd
}
