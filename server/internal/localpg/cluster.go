package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killAfter is what a program gets to end by itself.
const killAfter = 5 * time.Second

// logTailBytes is how much of PostgreSQL's log an error repeats.
const logTailBytes = 500

// ensureCluster makes the data folder where there is none. It is made aside and
// renamed, so that a half-made one is never taken for whole.
func (s *Server) ensureCluster(ctx context.Context) error {
	if err := s.writeAccess(); err != nil {
		return err
	}
	data := s.path("data")
	if _, err := os.Stat(filepath.Join(data, versionFile)); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking at the private database: %w", err)
	}
	if s.opts.MustExist {
		return fmt.Errorf("%w in %s", ErrNone, s.opts.StateDir)
	}
	fresh := s.path("data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("removing a half-made cluster: %w", err)
	}
	if err := s.account.own(fresh); err != nil {
		return err
	}
	// A warning, since it is new to whoever meant a database that there is
	// already, and has another state folder or user than its server.
	s.opts.Log.Warn("there is no private PostgreSQL yet; making one", "folder", data)
	args := []string{"-D", fresh, "-U", role, "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8"}
	if s.opts.Volatile {
		args = append(args, "--no-sync")
	}
	if err := s.run(ctx, "initdb", nil, args...); err != nil {
		return err
	}
	// The database is made before anyone can connect.
	create := strings.NewReader("CREATE DATABASE " + role + "\n")
	if err := s.run(ctx, "postgres", create, "--single", "-D", fresh, "postgres"); err != nil {
		return err
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("putting the new cluster in place: %w", err)
	}
	return nil
}

// writeAccess lets root and the account connect as the role, and nobody else.
// The files lie outside the data folder, where only we can change them.
func (s *Server) writeAccess() error {
	ident := fmt.Sprintf("%s root %s\n%s %q %s\n", role, role, role, s.account.name, role)
	files := map[string]string{
		"pg_hba.conf":   "local all " + role + " peer map=" + role + "\n",
		"pg_ident.conf": ident,
	}
	for name, text := range files {
		path := s.path(name)
		//nolint:gosec // The group is the account's own, which has to read it.
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			return fmt.Errorf("saying who may connect: %w", err)
		}
		if err := s.account.lend(path, 0o640); err != nil {
			return err
		}
	}
	return nil
}

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(ctx context.Context, name string, in io.Reader, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	cmd := s.command(ctx, s.binary(name), args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	cmd.Cancel = func() error { return signal(cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, tail(out.Bytes()))
	}
	return nil
}

func (s *Server) openLog() (*os.File, error) {
	path := s.path("postgres.log")
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening PostgreSQL's log: %w", err)
	}
	return f, nil
}

func (s *Server) lastLog() string {
	b, err := os.ReadFile(s.path("postgres.log"))
	if err != nil {
		return err.Error()
	}
	return tail(b)
}

func tail(b []byte) string {
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-logTailBytes):])
}

func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock %s: %w", path, err)
	}
	return f, nil
}

// lockStarting keeps other programs from starting or stopping PostgreSQL until
// unlock is called.
func (s *Server) lockStarting(ctx context.Context) (unlock func(), err error) {
	f, err := openLock(s.path("start.lock"))
	if err != nil {
		return nil, err
	}
	err = poll(ctx, startTimeout+initTimeout, func() (bool, error) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("waiting for another trackerd-server that starts or stops PostgreSQL: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
