package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// debianBinaries is where Debian keeps one folder of binaries for each
	// major version of PostgreSQL. What it has in PATH chooses among them by
	// the local clusters, which may be none or of another version.
	debianBinaries = "/usr/lib/postgresql/*/bin"
	// askTimeout bounds asking a program for its version.
	askTimeout = 10 * time.Second
	// killAfter is what a program gets to end by itself.
	killAfter = 5 * time.Second
	// maxComplaint is how much of a program's complaints is repeated.
	maxComplaint = 2000
)

// Tools are PostgreSQL's programs of one version, and how they connect.
type Tools struct {
	dir string
	env []string
}

// Find returns the programs that fit a database: of its own major version or, since
// older ones refuse, the oldest of the newer ones.
func Find(ctx context.Context, databaseURL string, serverMajor int) (Tools, error) {
	env, err := Environment(databaseURL)
	if err != nil {
		return Tools{}, err
	}
	env = append(inherited(os.Environ()), env...)
	if err := noService(env); err != nil {
		return Tools{}, err
	}
	dirs, err := filepath.Glob(debianBinaries)
	if err != nil {
		return Tools{}, fmt.Errorf("looking for pg_dump: %w", err)
	}
	if path, err := exec.LookPath("pg_dump"); err == nil && len(dirs) == 0 {
		dirs = []string{filepath.Dir(path)}
	}
	best, bestMajor, newest := "", 0, 0
	for _, dir := range dirs {
		major := versionIn(ctx, dir)
		newest = max(newest, major)
		if major >= serverMajor && (best == "" || major < bestMajor) {
			best, bestMajor = dir, major
		}
	}
	switch {
	case best != "":
		return Tools{dir: best, env: env}, nil
	case newest > 0:
		return Tools{}, fmt.Errorf("the database is PostgreSQL %d, and pg_dump here is of version %d, which can't read it: install postgresql-client-%d",
			serverMajor, newest, serverMajor)
	}
	return Tools{}, fmt.Errorf("pg_dump, pg_restore and psql are not installed here: apt install postgresql-client (version %d or newer)", serverMajor)
}

// versionIn returns the major version of the programs in a folder; zero where they
// are not all there.
func versionIn(ctx context.Context, dir string) int {
	for _, name := range []string{"pg_restore", "psql"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&0o111 == 0 {
			return 0
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "pg_dump"), "--version").Output()
	if err != nil {
		return 0
	}
	return parseMajor(string(out))
}

// parseMajor reads "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)".
func parseMajor(text string) int {
	m := regexp.MustCompile(`\(PostgreSQL\) (\d{1,4})`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

// inherited leaves out of our environment what is not for PostgreSQL's programs:
// secrets above all.
func inherited(environ []string) []string {
	var kept []string
	for _, one := range environ {
		if !strings.HasPrefix(one, "DATABASE_") && !strings.HasPrefix(one, "REPLICA_") &&
			!strings.HasPrefix(one, "TRACKERD_") && !strings.HasPrefix(one, "LC_") {
			kept = append(kept, one)
		}
	}
	return append(kept, "LC_ALL=C.UTF-8", "PGAPPNAME=trackerd-server backup")
}

// noService refuses a connection that a service's file describes. PostgreSQL's
// programs put that before the variables they get of the URL, pgx after: they would
// back up, or overwrite, another database than the server's.
func noService(environ []string) error {
	for _, one := range environ {
		if name, value, _ := strings.Cut(one, "="); name == "PGSERVICE" && value != "" {
			return errors.New("a service (PGSERVICE, or service= in the database URL) could lead pg_dump and pg_restore to another database " +
				"than the server's: name host, user and database in the URL, and unset PGSERVICE")
		}
	}
	return nil
}

// command prepares a program; run returns what it complained of.
func (t Tools) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(t.dir, name), args...)
	cmd.Env = t.env
	cmd.Stderr = &complaints{}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	return cmd
}

// failed explains why a program ended, if not well.
func failed(ctx context.Context, cmd *exec.Cmd, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", filepath.Base(cmd.Path), context.Cause(ctx))
	}
	said := ""
	if c, ok := cmd.Stderr.(*complaints); ok {
		said = c.text()
	}
	var exit *exec.ExitError
	isExit := errors.As(err, &exit)
	if status, ok := exitStatus(exit); ok && status.Signaled() && status.Signal() == syscall.SIGPIPE {
		return fmt.Errorf("%s: %w", filepath.Base(cmd.Path), syscall.EPIPE)
	}
	if said != "" && isExit {
		return complaintError(said)
	}
	return fmt.Errorf("%s: %w%s", filepath.Base(cmd.Path), err, said)
}

func exitStatus(exit *exec.ExitError) (status syscall.WaitStatus, ok bool) {
	if exit == nil {
		return 0, false
	}
	status, ok = exit.Sys().(syscall.WaitStatus)
	return status, ok
}

// complaintError is what a program wrote before it failed.
type complaintError string

func (e complaintError) Error() string { return string(e) }

// complaints keeps the beginning of what a program writes to standard error:
// where one error brings about others, the first names the cause.
type complaints struct{ b bytes.Buffer }

func (c *complaints) Write(p []byte) (int, error) {
	c.b.Write(p[:min(len(p), max(0, maxComplaint-c.b.Len()))])
	return len(p), nil
}

func (c *complaints) text() string {
	return strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(c.b.String(), "?")), "\n", "; ")
}
