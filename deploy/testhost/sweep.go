package testhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"activity-tracker.example/testhost/internal/wait"
)

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
