package testhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hostPath is the PATH that a root login on a host has.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Command is a command to run on a host.
type Command struct {
	// Args are the program and its arguments; no shell is in between.
	Args []string
	// User runs it as this user of the host; root unless given. The command is
	// in no session of that user's.
	User string
	// Env is added to a clean environment, as "NAME=value".
	Env []string
	// Stdin is fed to it; nil is an empty input.
	Stdin io.Reader
	// Terminal hands the caller's own terminal through; Stdin and the result's
	// texts are not used then.
	Terminal bool
}

// name is the command in few words, for errors.
func (c Command) name() string {
	const enough = 80
	name, _, _ := strings.Cut(strings.Join(c.Args, " "), "\n")
	return name[:min(len(name), enough)]
}

// Result is what a command left.
type Result struct {
	Stdout, Stderr string
	// Code is its exit code, or -1 after a signal.
	Code int
}

// Exec runs a command on the host. An exit code other than zero is no error;
// not having run is.
func (h *Host) Exec(ctx context.Context, c Command) (Result, error) {
	cmd := exec.CommandContext(ctx, "nsenter", h.nsenterArgs(c)...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.WaitDelay = 2 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, &out, &errs
	if c.Terminal {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	}
	// In the host's cgroup it ends with the host at the latest.
	cgroup, err := os.Open(filepath.Join(h.info.Cgroup, "host/payload/init.scope"))
	if err != nil {
		return Result{}, fmt.Errorf("test host %s is gone: %w", h.info.ID, err)
	}
	defer cgroup.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	err = cmd.Run()
	res := Result{Stdout: out.String(), Stderr: errs.String(), Code: -1}
	if cmd.ProcessState != nil {
		res.Code = cmd.ProcessState.ExitCode()
	}
	if ctx.Err() != nil {
		return res, fmt.Errorf("run %s on the test host: %w", c.name(), ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return res, fmt.Errorf("run %s on the test host: %w", c.name(), err)
	}
	return res, nil
}

func (h *Host) nsenterArgs(c Command) []string {
	args := []string{
		"--target=" + strconv.Itoa(h.info.Leader),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/",
		"--", "env", "-i", "PATH=" + hostPath, "LANG=C.UTF-8",
	}
	if t := os.Getenv("TERM"); c.Terminal && t != "" {
		args = append(args, "TERM="+t)
	}
	if c.User == "" {
		args = append(args, "HOME=/root")
		args = append(args, c.Env...)
		return append(args, c.Args...)
	}
	args = append(args, "HOME=/home/"+c.User, "USER="+c.User, "LOGNAME="+c.User)
	args = append(args, c.Env...)
	args = append(args, "runuser", "-u", c.User, "--") // opens no session of logind's
	return append(args, c.Args...)
}

// Run runs a program as root and returns what it printed, without the last
// line end. An exit code other than zero is an error with what it printed.
func (h *Host) Run(ctx context.Context, args ...string) (string, error) {
	return h.RunAs(ctx, "", args...)
}

// RunAs is Run as another user of the host.
func (h *Host) RunAs(ctx context.Context, user string, args ...string) (string, error) {
	res, err := h.Exec(ctx, Command{Args: args, User: user})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("on the test host, %s: exit code %d: %s%s",
			strings.Join(args, " "), res.Code, tail(res.Stderr, 2000), tail(res.Stdout, 1000))
	}
	return strings.TrimRight(res.Stdout, "\n"), err
}
