package testmachine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

// The people of a machine; their passwords are their names. Alice is logged in,
// at an X display, when Start returns.
const (
	Alice = "alice"
	Bob   = "bob"
)

const (
	// defaultLife is longer than any test, also one that boots again on a busy
	// computer; a forgotten machine ends then.
	defaultLife = time.Hour
	// resumeTimeout is for a saved machine on a busy computer; 3 s is usual.
	resumeTimeout = 3 * time.Minute
	// askTimeout is for a question to a machine that boots; 0.3 s is usual.
	askTimeout = 2 * time.Minute
	// powerTimeout is for a suspend or a wake-up; 3 s is usual.
	powerTimeout = 2 * time.Minute
)

// Options describe the machine that Start starts. The zero value is a good one.
type Options struct {
	// Recipe is the tree of the machine's disk; Debian 12's usual one unless given.
	Recipe debian.Recipe
	// MaxLife is after what time the machine ends whatever happens; an hour
	// unless given.
	MaxLife time.Duration
	// Progress takes lines for people; nil throws them away.
	Progress io.Writer
}

// Machine is a running machine.
type Machine struct {
	dir   string
	image image
	life  time.Duration
	// first is the QEMU that Start started, whose guard removes the folder; qemu
	// is the one that runs, nil while the power is off.
	first, qemu *qemu

	mu       sync.Mutex
	control  *control
	forwards []forward
	wg       sync.WaitGroup

	// servings is how often the machine must have begun to wait for a connection,
	// since this QEMU started, before the next one.
	servings int

	input sync.Mutex
}

// Start goes on with the saved machine of the recipe, on a disk of its own.
func Start(ctx context.Context, opts Options) (*Machine, error) {
	if opts.Recipe.Suite == "" {
		opts.Recipe = Recipe(debian.Bookworm)
	}
	if opts.MaxLife <= 0 {
		opts.MaxLife = defaultLife
	}
	i, err := prepare(ctx, opts.Recipe, opts.Progress)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, resumeTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "activity-tracker-testmachine-")
	if err != nil {
		return nil, fmt.Errorf("make the machine's folder: %w", err)
	}
	m := &Machine{dir: dir, image: i, life: opts.MaxLife}
	if err := m.resume(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a machine of %s-%s: %w", opts.Recipe.Suite, opts.Recipe.Name, err), m.Close())
	}
	return m, nil
}

// resume starts QEMU where the saved machine stood still, and sets the clock.
func (m *Machine) resume(ctx context.Context) error {
	err := run(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", m.image.disk(), "-F", "qcow2", filepath.Join(m.dir, "disk.qcow2"))
	if err != nil {
		return err
	}
	l := launch{dir: m.dir, boot: string(m.image), state: m.image.state(), remove: true, life: m.life}
	if m.first, err = l.start(ctx); err != nil {
		return err
	}
	m.qemu = m.first
	err = wait.Until(ctx, func() (bool, error) {
		status, err := m.qemu.monitor.status()
		return status == "paused", err
	})
	if err != nil {
		return fmt.Errorf("load the saved machine: %w", err)
	}
	if err := m.qemu.monitor.run("cont", nil, nil); err != nil {
		return err
	}
	if err := m.connect(ctx); err != nil {
		return err
	}
	return m.SetClock(ctx, time.Now())
}

// Close ends the machine and removes it.
func (m *Machine) Close() error {
	err := m.disconnect()
	if m.qemu != nil && m.qemu != m.first {
		err = errors.Join(err, m.qemu.close())
	}
	if m.first == nil {
		return errors.Join(err, os.RemoveAll(m.dir))
	}
	return errors.Join(err, m.first.close())
}

// SetClock sets the machine's clock, which runs on from there.
func (m *Machine) SetClock(ctx context.Context, now time.Time) error {
	_, err := m.Run(ctx, "date", "--set", fmt.Sprintf("@%d.%09d", now.Unix(), now.Nanosecond()))
	return err
}

// StepClock moves the machine's clock by d.
func (m *Machine) StepClock(ctx context.Context, d time.Duration) error {
	_, err := m.Run(ctx, "date", "--set", fmt.Sprintf("%+.3f seconds", d.Seconds()))
	return err
}

// UseSecondScreen turns on the second graphics card, which Wayland compositors
// need, and waits until the machine has it. It does not wake from suspend.
func (m *Machine) UseSecondScreen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, powerTimeout)
	defer cancel()
	if _, err := m.Run(ctx, "modprobe", "virtio_gpu"); err != nil {
		return err
	}
	_, err := m.Run(ctx, "udevadm", "wait", "--timeout=60", "/dev/dri/card1")
	return err
}

// Suspend has the machine suspend to memory and waits until it sleeps.
func (m *Machine) Suspend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, powerTimeout)
	defer cancel()
	if _, err := m.Run(ctx, "systemctl", "--no-block", "start", "suspend.target"); err != nil {
		return err
	}
	if err := m.waitStatus(ctx, "suspended"); err != nil {
		return fmt.Errorf("suspend the machine: %w", err)
	}
	return m.disconnect()
}

// Wake wakes a suspended machine, as its power button would.
func (m *Machine) Wake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, powerTimeout)
	defer cancel()
	if err := m.qemu.monitor.run("system_wakeup", nil, nil); err != nil {
		return err
	}
	if err := m.waitStatus(ctx, "running"); err != nil {
		return fmt.Errorf("wake the machine: %w", err)
	}
	return m.connect(ctx)
}

func (m *Machine) waitStatus(ctx context.Context, want string) error {
	last := ""
	err := wait.Until(ctx, func() (bool, error) {
		var err error
		last, err = m.qemu.monitor.status()
		return last == want, err
	})
	if err != nil {
		return fmt.Errorf("it is %s, not %s: %w", last, want, err)
	}
	return nil
}

// PowerCut ends the machine at once. Its disk has what the kernel had it make
// safe, and little of what was in the disk's own cache: QEMU keeps there where
// new blocks are until the kernel flushes it.
func (m *Machine) PowerCut() error {
	err := errors.Join(m.qemu.monitor.kill(), m.disconnect())
	if m.qemu != m.first {
		err = errors.Join(err, m.qemu.close())
	}
	m.qemu = nil
	return err
}

// Boot turns the power on again after PowerCut, and waits for the first user's
// desktop.
func (m *Machine) Boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	var err error
	for _, name := range []string{"monitor", "control"} {
		err = errors.Join(err, ignoreMissing(os.Remove(filepath.Join(m.dir, name))))
	}
	if err != nil {
		return err
	}
	m.servings = 1
	l := launch{dir: m.dir, boot: string(m.image), life: m.life}
	if m.qemu, err = l.start(ctx); err != nil {
		return err
	}
	if err := m.connect(ctx); err != nil {
		return fmt.Errorf("boot the machine: %w\n%s", err, m.console())
	}
	return m.waitDesktop(ctx)
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// untilUp waits on the machine, where asking takes half the processor time that it
// takes from outside, and which boots slower the more it is asked. With --wait,
// systemctl sometimes waits on when the machine is up.
const untilUp = `until [ -S /tmp/.X11-unix/X0 ]; do sleep 1; done
until [ "$(timeout 60 systemctl is-system-running)" = running ]; do sleep 2; done`

// waitDesktop waits until the machine's services are up and the first user's
// terminal has the focus.
func (m *Machine) waitDesktop(ctx context.Context) error {
	missing := "the system is not up"
	_, err := m.Run(ctx, "sh", "-c", untilUp)
	if err == nil {
		missing = "no window has the focus"
		err = wait.Until(ctx, func() (bool, error) {
			focused, err := m.HasFocus(ctx, Alice, ":0")
			if !focused && err == nil {
				err = wait.Pause(ctx, time.Second)
			}
			return focused, err
		})
	}
	if err != nil {
		failed, _ := m.Run(context.WithoutCancel(ctx), "systemctl", "--failed", "--no-legend", "--plain")
		return fmt.Errorf("wait for the desktop: %w: %s\n%s", err, missing, failed)
	}
	return nil
}

// HasFocus reports whether a window of the user's X display has the focus, as its
// window manager has it.
func (m *Machine) HasFocus(ctx context.Context, user, display string) (bool, error) {
	res, err := m.Exec(ctx, testhost.Command{
		User: user, Env: []string{"DISPLAY=" + display}, Args: []string{"xprop", "-root", "_NET_ACTIVE_WINDOW"},
	})
	_, window, _ := strings.Cut(res.Stdout, "# 0x")
	return window != "" && window[0] != '0', err
}

// console is the end of what the kernel printed.
func (m *Machine) console() string {
	log, err := os.ReadFile(filepath.Join(m.dir, "console.log"))
	if err != nil {
		return err.Error()
	}
	const enough = 3000
	return string(log[max(0, len(log)-enough):])
}
