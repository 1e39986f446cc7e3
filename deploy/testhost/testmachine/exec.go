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

// Exec runs a command on the machine, as testhost's Exec does on a host. An exit
// code other than zero is no error; not having run is.
func (m *Machine) Exec(ctx context.Context, c testhost.Command) (testhost.Result, error) {
	res := testhost.Result{Code: -1}
	ctl, err := m.connected()
	if err != nil {
		return res, err
	}
	session, err := ctl.client.NewSession()
	if err != nil {
		return res, fmt.Errorf("run %s on the machine: %w", c.Args[0], err)
	}
	defer session.Close()
	stop := context.AfterFunc(ctx, func() { session.Close() })
	defer stop()
	var out, errs bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = c.Stdin, &out, &errs
	err = session.Run(shellLine(c))
	res = testhost.Result{Stdout: out.String(), Stderr: errs.String()}
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &exit):
		res.Code = exit.ExitStatus()
		return res, nil
	}
	if err != nil {
		res.Code = -1
		return res, fmt.Errorf("run %s on the machine: %w", c.Args[0], err)
	}
	return res, nil
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
