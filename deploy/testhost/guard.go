package testhost

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

//go:embed guard.sh
var guardScript string

// reserve makes the host's folder and its cgroup, and starts the guard that
// removes both.
func reserve(ctx context.Context, life time.Duration) (*Host, error) {
	root, err := cgroupRoot()
	if err != nil {
		return nil, err
	}
	unlock, err := lockState(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	id := newID()
	h := &Host{info: hostInfo{ID: id, Cgroup: filepath.Join(root, "activity-tracker-testhost-"+id)}}
	if err := os.Mkdir(h.dir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the host's folder: %w", err)
	}
	lock, err := os.Create(filepath.Join(h.dir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("make the host's lock: %w", err)
	}
	defer lock.Close()
	if ok, err := wait.TryLock(lock); !ok {
		return nil, fmt.Errorf("lock the host's folder: %w", err)
	}
	if err := h.startGuard(lock, life); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	err = os.WriteFile(filepath.Join(h.dir(), "cgroup"), []byte(h.info.Cgroup), 0o600)
	for _, sub := range []string{"", "host", "client"} {
		err = errors.Join(err, ignoreExist(os.Mkdir(filepath.Join(h.info.Cgroup, sub), 0o755)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the host's cgroup: %w", err), h.Close())
	}
	return h, nil
}

func ignoreExist(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// startGuard starts the guard in a session of its own, so that Ctrl-C in the
// caller's terminal does not reach it.
func (h *Host) startGuard(lock *os.File, life time.Duration) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	log, err := os.Create(filepath.Join(h.dir(), "guard.log"))
	if err != nil {
		w.Close()
		return err
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", guardScript, "testhost-guard", h.dir(),
		strconv.Itoa(max(1, int(life.Seconds()))))
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	h.guard, h.release = cmd, w
	return nil
}

func newID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// cgroupRoot is where the machine has its cgroup v2 hierarchy mounted:
// /sys/fs/cgroup, or a folder in it where both versions are in use.
func cgroupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("read the mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("no cgroup v2 hierarchy is mounted; try: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
}

// Sweep removes hosts whose caller and guard are both gone, and returns their
// ids. Hosts in use are left alone.
func Sweep(ctx context.Context) ([]string, error) {
	unlock, err := lockState(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	ids, err := List()
	if err != nil {
		return nil, err
	}
	var swept []string
	var errs []error
	for _, id := range ids {
		ok, err := sweepOne(ctx, filepath.Join(StateDir, id))
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep test host %s: %w", id, err))
		} else if ok {
			swept = append(swept, id)
		}
	}
	return swept, errors.Join(errs...)
}

// sweepOne removes the host in dir unless somebody holds its lock.
func sweepOne(ctx context.Context, dir string) (bool, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // removed meanwhile by its guard
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	if ok, err := wait.TryLock(lock); !ok {
		return false, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", guardScript, "testhost-guard", dir, "0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("%w: %s", err, out)
	}
	return true, nil
}

// List returns the ids of the hosts that have a folder, running or not.
func List() ([]string, error) {
	entries, err := os.ReadDir(StateDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list test hosts: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// lockState is held while a host's folder appears or is swept, so that no
// sweep meets a half-made one.
func lockState(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	return wait.Lock(ctx, filepath.Join(StateDir, "lock"))
}
