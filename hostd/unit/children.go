package unit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Children runs helpers as plain children of the daemon, where one person runs
// it without a service manager. They end with the daemon, since nobody keeps
// their sockets: what they counted since their last report is then lost. Make
// one with NewChildren; it is safe for concurrent use.
type Children struct {
	mu      sync.Mutex
	running map[string]*child
}

type child struct {
	cmd  *exec.Cmd
	args []string
	done chan struct{} // closed once it has ended
}

// NewChildren makes a Children that runs nothing yet.
func NewChildren() *Children { return &Children{running: make(map[string]*child)} }

// Start implements helper.Units.
func (c *Children) Start(ctx context.Context, u Unit) error {
	if err := c.Stop(ctx, u.Name); err != nil {
		return fmt.Errorf("replace %s: %w", u.Name, err)
	}
	// Not by ctx: a helper is ended by its socket, which leaves last words.
	cmd := exec.Command(u.Command[0], u.Command[1:]...) //nolint:noctx // see above
	cmd.Stdin, cmd.Stderr = u.Socket, os.Stderr
	if confinesItself(u) {
		cmd.Stdin, cmd.Stdout = nil, u.Socket
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOTRACEBACK=none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	one := &child{cmd: cmd, args: u.Command, done: make(chan struct{})}
	go func() {
		defer close(one.done)
		_ = cmd.Wait() // why it ended shows at its socket
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[u.Name] = one
	return nil
}

// Stop implements helper.Units.
func (c *Children) Stop(ctx context.Context, name string) error {
	c.mu.Lock()
	one := c.running[name]
	delete(c.running, name)
	c.mu.Unlock()
	if one == nil {
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = one.cmd.Process.Signal(sig) // ended already is as good
		timer := time.NewTimer(stopTimeout)
		select {
		case <-one.done:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("stop %s: %w", name, ctx.Err())
		case <-timer.C:
		}
	}
	return fmt.Errorf("stop %s: it survived SIGKILL for %s", name, stopTimeout)
}

// Command implements helper.Units.
func (c *Children) Command(_ context.Context, name string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.running[name]
	if one == nil {
		return nil, nil
	}
	select {
	case <-one.done:
		return nil, nil
	default:
		return one.args, nil
	}
}

// Close ends every child that still runs.
func (c *Children) Close() {
	c.mu.Lock()
	names := make([]string, 0, len(c.running))
	for name := range c.running {
		names = append(names, name)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, name := range names {
		_ = c.Stop(ctx, name) // the daemon ends anyway, and its end is theirs
	}
}
