package testhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"activity-tracker.example/testhost/debian"
)

// StateDir holds one folder for each host that runs, named by its id.
const StateDir = "/run/activity-tracker-testhost"

// Addresses of the two ends of a host's network. Every host has the same ones,
// since each lies in namespaces of its own.
const (
	// ClientAddr is the RDP clients' end, where Forward listens.
	ClientAddr = "10.77.0.1"
	// HostAddr is the host's end, where its xrdp listens.
	HostAddr = "10.77.0.2"
)

// Limits of a host, unless Options name others.
const (
	// defaultLife is longer than any test run; a forgotten host ends then.
	defaultLife = 30 * time.Minute
	// defaultMemory bounds what a host may write, all of it kept in memory.
	defaultMemory = "2G"
	// bootTimeout is for a machine under heavy load; 3 s is usual.
	bootTimeout = 90 * time.Second
	// closeTimeout is for the guard: it waits 10 s for processes to end.
	closeTimeout = 20 * time.Second
)

// Options are the kind of host that Start boots. The zero value is a good one.
type Options struct {
	// Base is what is on the host; debian.XRDP of Debian 12 unless given.
	Base debian.Recipe
	// Hostname is the host's name; "testhost" unless given.
	Hostname string
	// MaxLife is after what time the host is removed whatever happens; half an
	// hour unless given.
	MaxLife time.Duration
	// Memory is the size of the host's writable layer, as tmpfs takes it; "2G"
	// unless given.
	Memory string
	// Progress takes lines for people; nil throws them away.
	Progress io.Writer
}

// Host is a booted host. Its methods may be called from several goroutines.
type Host struct {
	info hostInfo
	// guard and release are the caller's only: closing release makes the guard
	// clean up. An attached host has neither.
	guard   *exec.Cmd
	release io.Closer
	// client and host are the network namespaces.
	client, host *os.File
}

// hostInfo is what another process needs to know to drive the host; it lies in
// the host's folder.
type hostInfo struct {
	ID string `json:"id"`
	// Suite is the release of Debian that the host is.
	Suite debian.Suite `json:"suite"`
	// Leader is the process id of the host's systemd.
	Leader int `json:"leader"`
	// Holder is a process in the clients' network namespace.
	Holder int    `json:"holder"`
	Cgroup string `json:"cgroup"`
}

// ID is the host's id, which names its folder and its cgroup.
func (h *Host) ID() string { return h.info.ID }

// Suite is the release of Debian that the host is.
func (h *Host) Suite() debian.Suite { return h.info.Suite }

// Leader is the process id of the host's systemd, as the machine sees it.
func (h *Host) Leader() int { return h.info.Leader }

func (h *Host) dir() string { return filepath.Join(StateDir, h.info.ID) }

// Start boots a host and returns when its services are up. It sweeps what
// killed callers left first. Close removes the host; so does the end of this
// process, however it ends.
func Start(ctx context.Context, opts Options) (*Host, error) {
	if err := checkMachine(); err != nil {
		return nil, err
	}
	base, err := debian.Build(ctx, opts.base(), opts.Progress)
	if err != nil {
		return nil, err
	}
	if _, err := Sweep(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	h, err := reserve(ctx, opts.life())
	if err != nil {
		return nil, err
	}
	h.info.Suite = opts.base().Suite
	if err := h.boot(ctx, base, opts); err != nil {
		err = fmt.Errorf("boot test host: %w\nconsole:\n%s", err, h.console())
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (o Options) base() debian.Recipe {
	if o.Base.Suite == "" {
		return debian.XRDP(debian.Bookworm)
	}
	return o.Base
}

func (o Options) life() time.Duration {
	if o.MaxLife > 0 {
		return o.MaxLife
	}
	return defaultLife
}

// Close removes the host and everything that belongs to it. On an attached
// host it only closes what Attach opened.
func (h *Host) Close() error {
	err := errors.Join(closeFile(h.client), closeFile(h.host))
	if h.guard == nil {
		return err
	}
	err = errors.Join(err, h.release.Close())
	done := make(chan error, 1)
	go func() { done <- h.guard.Wait() }()
	select {
	case waitErr := <-done:
		if waitErr != nil {
			log, _ := os.ReadFile(filepath.Join(h.dir(), "guard.log"))
			err = errors.Join(err, fmt.Errorf("clean up test host %s: %w: %s", h.info.ID, waitErr, log))
		}
	case <-time.After(closeTimeout):
		err = errors.Join(err, fmt.Errorf("clean up test host %s: not done after %s; try: testhost sweep", h.info.ID, closeTimeout))
	}
	h.guard = nil
	return err
}

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return ignoreClosed(f.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Attach returns a host that another process started. The host ends with that
// process, not with this one.
func Attach(id string) (*Host, error) {
	if id == "" || strings.ContainsAny(id, "/.") {
		return nil, fmt.Errorf("test host %q: no such id", id)
	}
	h := &Host{}
	b, err := os.ReadFile(filepath.Join(StateDir, id, "host.json"))
	if err != nil {
		return nil, fmt.Errorf("no test host %q is up (testhost list shows them): %w", id, err)
	}
	if err := json.Unmarshal(b, &h.info); err != nil {
		return nil, fmt.Errorf("read test host %q: %w", id, err)
	}
	if h.client, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", h.info.Holder)); err != nil {
		return nil, fmt.Errorf("test host %q is gone: %w", id, err)
	}
	if h.host, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", h.info.Leader)); err != nil {
		return nil, errors.Join(fmt.Errorf("test host %q is gone: %w", id, err), h.client.Close())
	}
	return h, nil
}
