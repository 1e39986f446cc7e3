package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Spool keeps what comes in a file without a name: window titles are in it. When ctx
// ends it leaves its goroutine behind, which may wait for more in a read that nothing
// interrupts; the process ends then.
func Spool(ctx context.Context, in io.Reader) (*os.File, error) {
	f, err := Nameless()
	if err != nil {
		return nil, fmt.Errorf("keeping the backup (TMPDIR chooses the folder): %w", err)
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, in)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("reading the backup from standard input: %w", context.Cause(ctx)), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the backup in a temporary file (TMPDIR chooses the folder): %w", err), f.Close())
	}
	return f, nil
}

// OpenFile opens a backup's file, without waiting for the writer of a pipe.
func OpenFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("reading the backup: %w", err), f.Close())
	case !info.Mode().IsRegular():
		return nil, errors.Join(fmt.Errorf("%s is no file; - reads from standard input", path), f.Close())
	}
	return f, nil
}
