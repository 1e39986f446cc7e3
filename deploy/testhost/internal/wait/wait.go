// Package wait waits for conditions, for file locks, and as hands do.
package wait

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often a condition is looked at that cannot be waited for.
const pollEvery = 50 * time.Millisecond

// Until asks done until it returns true, fails, or ctx is over.
func Until(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Pause is pacing, as a hand has it.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Lock takes an exclusive lock on the file at path, waiting for it, and returns
// what releases it. The end of the process releases it too.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = Until(ctx, func() (bool, error) { return TryLock(f) })
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("wait for lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// TryLock locks f if nobody else has.
func TryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
