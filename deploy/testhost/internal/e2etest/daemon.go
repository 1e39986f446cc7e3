package e2etest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Daemon is a child process that ends with this program, however that ends.
type Daemon struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// StartDaemon starts cmd. The thread that starts it is kept, since the kernel
// takes that thread's end for the parent's.
func StartDaemon(t *testing.T, cmd *exec.Cmd) *Daemon {
	t.Helper()
	d := &Daemon{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(d.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
		cmd.SysProcAttr.Setpgid = true
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended shows in what it no longer does
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return d
}

// endTimeout is for a daemon on a busy machine; a second is usual.
const endTimeout = time.Minute

// Stop ends it with a signal and waits.
func (d *Daemon) Stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("end %s: %v", d.cmd.Path, err)
	}
	select {
	case <-d.ended:
	case <-time.After(endTimeout):
		t.Errorf("%s does not end after %s", d.cmd.Path, sig)
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-d.ended
	}
}
