package testmachine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"activity-tracker.example/testhost"
)

// machinePath is the PATH that a root login has.
const machinePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// commandTimeout is for a command whose caller sets no end, on a busy computer;
// seconds are usual.
const commandTimeout = 5 * time.Minute

// Exec runs a command on the machine, as testhost's Exec does on a host, for at
// most commandTimeout unless ctx ends at a time of its own. An exit code other
// than zero is no error; not having run is.
func (m *Machine) Exec(ctx context.Context, c testhost.Command) (testhost.Result, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ctl, err := m.connected()
	if err != nil {
		return testhost.Result{Code: -1}, err
	}
	res, err := within(ctx, ctl, func() (testhost.Result, error) { return ctl.exec(ctx, c) })
	if err != nil {
		return testhost.Result{Code: -1}, fmt.Errorf("run %s on the machine: %w", c.Args[0], err)
	}
	return res, nil
}

// exec runs a command. Closing its session ends it only if the machine answers.
func (c *control) exec(ctx context.Context, command testhost.Command) (testhost.Result, error) {
	session, err := c.client.NewSession()
	if err != nil {
		return testhost.Result{}, err
	}
	defer session.Close()
	stop := context.AfterFunc(ctx, func() { session.Close() })
	defer stop()
	var out, errs bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = command.Stdin, &out, &errs
	err = session.Run(shellLine(command))
	res := testhost.Result{Stdout: out.String(), Stderr: errs.String()}
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		res.Code = exit.ExitStatus()
		err = nil
	}
	return res, err
}

// bounded returns ctx if it has an end, or else one that ends after
// commandTimeout.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, commandTimeout)
}

// within returns what f asks over the connection, or that ctx is over. A machine that
// does not answer then keeps f waiting until the connection is closed.
func within[T any](ctx context.Context, c *control, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	nudge := time.NewTicker(nudgeEvery)
	defer nudge.Stop()
	for {
		select {
		case r := <-done:
			return r.value, r.err
		case <-nudge.C:
			go c.nudge()
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}

// nudgeEvery is how often a machine that was asked something is nudged until it
// answers.
const nudgeEvery = 5 * time.Second

// nudge sends something that wants no answer. Once in some hundreds of large transfers
// the machine's kernel is not notified of what QEMU has put into its memory, and would
// find it only with the next thing that comes.
func (c *control) nudge() {
	// Whoever asked sees that the connection has ended.
	_, _, _ = c.client.SendRequest("nudge@testmachine", false, nil)
}

// shellLine is what the machine's shell turns into the command.
func shellLine(c testhost.Command) string {
	args := []string{"env", "-i", "PATH=" + machinePath, "LANG=C.UTF-8"}
	if c.User == "" {
		args = append(append(args, "HOME=/root"), c.Env...)
	} else {
		args = append(args, "HOME=/home/"+c.User, "USER="+c.User, "LOGNAME="+c.User)
		args = append(append(args, c.Env...), "runuser", "-u", c.User, "--") // opens no session of logind's
	}
	var line strings.Builder
	line.WriteString("exec")
	for _, arg := range append(args, c.Args...) {
		line.WriteString(" '" + strings.ReplaceAll(arg, "'", `'\''`) + "'")
	}
	return line.String()
}

// Run runs a program as root and returns what it printed, without the last line
// end. An exit code other than zero is an error with what it printed.
func (m *Machine) Run(ctx context.Context, args ...string) (string, error) {
	res, err := m.Exec(ctx, testhost.Command{Args: args})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("on the machine, %s: exit code %d: %s%s", strings.Join(args, " "), res.Code, res.Stderr, res.Stdout)
	}
	return strings.TrimRight(res.Stdout, "\n"), err
}

// WriteFile makes a file on the machine, owned by root; folders on the way are
// made.
func (m *Machine) WriteFile(ctx context.Context, dst string, content io.Reader, mode os.FileMode) error {
	res, err := m.Exec(ctx, testhost.Command{
		Args: []string{"install", "-D", "-m", fmt.Sprintf("%o", mode), "/dev/stdin", dst}, Stdin: content,
	})
	if err == nil && res.Code != 0 {
		err = errors.New(res.Stderr)
	}
	if err != nil {
		return fmt.Errorf("write %s on the machine: %w", dst, err)
	}
	return nil
}

// CopyIn copies a file of this computer's to the machine, with its permissions.
func (m *Machine) CopyIn(ctx context.Context, src, dst string) error {
	f, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("copy to the machine: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("copy to the machine: %w", err)
	}
	return m.WriteFile(ctx, dst, f, info.Mode().Perm())
}

// installTimeout bounds an apt run without network; 15 s is usual, minutes on a
// busy computer.
const installTimeout = 15 * time.Minute

// Install copies a Debian package of this computer's to the machine and installs
// it with apt, without network.
func (m *Machine) Install(ctx context.Context, deb string) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	dst := "/tmp/" + filepath.Base(deb)
	if err := m.CopyIn(ctx, deb, dst); err != nil {
		return err
	}
	res, err := m.Exec(ctx, testhost.Command{
		Args: []string{"apt-get", "install", "--yes", dst}, Env: []string{"DEBIAN_FRONTEND=noninteractive"},
	})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("apt-get install: exit code %d: %s%s", res.Code, res.Stdout, res.Stderr)
	}
	return err
}
